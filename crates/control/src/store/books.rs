//! Stored copy of each cluster's accounts: the block that [`Accounts`] has in memory, in parts.

use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use futures_util::TryStreamExt;
use sqlx::{Row, SqliteConnection};
use tidegate_model::limits::BOOK_BYTES_MAX;
use tidegate_model::{AccountBook, Accounts, ClusterId, RunEpoch};

/// Bytes of one part of a block. SQLite copies each value that is written or read, so a block in
/// one value would be copied whole.
const PART: usize = 64 << 10;

/// Reads the book of a cluster; empty and incomplete if there is none.
pub async fn read_book(db: &mut SqliteConnection, id: ClusterId) -> StoreResult<AccountBook> {
    let cluster = to_i64(id.0);
    let sql = "SELECT accounts_run, accounts_complete, \
               (SELECT SUM(LENGTH(accounts)) FROM books WHERE cluster = id) AS size FROM clusters \
               WHERE id = ?";
    let Some(row) = sqlx::query(sql)
        .bind(cluster)
        .fetch_optional(&mut *db)
        .await?
    else {
        return Ok(AccountBook {
            accounts: Accounts::unknown(),
            run: RunEpoch(0),
            read_began: None,
        });
    };
    let run = RunEpoch(row.try_get::<i64, _>("accounts_run")?.unsigned_abs());
    // A column of another type means damage too.
    let complete = row
        .try_get::<i64, _>("accounts_complete")
        .map_err(|_| damaged_book(cluster))?
        != 0;
    let size = row
        .try_get::<Option<i64>, _>("size")
        .map_err(|_| damaged_book(cluster))?
        .unwrap_or(0);
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= BOOK_BYTES_MAX)
        .ok_or_else(|| damaged_book(cluster))?;
    // Allocated at once: a vector that grows would leave copies of hashes behind.
    let mut bytes = Vec::with_capacity(size);
    let sql = "SELECT accounts FROM books WHERE cluster = ? ORDER BY part";
    let mut parts = sqlx::query(sql).bind(cluster).fetch(db);
    while let Some(part) = parts.try_next().await? {
        let part: &[u8] = part
            .try_get("accounts")
            .map_err(|_| damaged_book(cluster))?;
        if bytes.len() + part.len() > size {
            return Err(damaged_book(cluster));
        }
        bytes.extend_from_slice(part);
    }
    let accounts = Accounts::from_bytes(bytes, complete).map_err(|_| damaged_book(cluster))?;
    Ok(AccountBook {
        accounts,
        run,
        read_began: None,
    })
}

fn damaged_book(cluster: i64) -> StoreError {
    StoreError::Corrupt {
        cluster,
        what: "its copy of the accounts is damaged".to_owned(),
    }
}

/// Replaces the book of a cluster. Unchanged parts are not written.
pub async fn write_book(
    db: &mut SqliteConnection,
    id: ClusterId,
    book: &AccountBook,
) -> StoreResult<()> {
    let parts = book.accounts.as_bytes().chunks(PART);
    let sql = "DELETE FROM books WHERE cluster = ? AND part >= ?";
    sqlx::query(sql)
        .bind(to_i64(id.0))
        .bind(to_i64(parts.len() as u64))
        .execute(&mut *db)
        .await?;
    for (part, bytes) in (0i64..).zip(parts) {
        let sql = "INSERT INTO books (cluster, part, accounts) VALUES (?, ?, ?) ON CONFLICT \
                   (cluster, part) \
                   DO UPDATE SET accounts = excluded.accounts WHERE accounts IS NOT \
                   excluded.accounts";
        sqlx::query(sql)
            .bind(to_i64(id.0))
            .bind(part)
            .bind(bytes)
            .execute(&mut *db)
            .await?;
    }
    let sql = "UPDATE clusters SET accounts_run = ?, accounts_complete = ? WHERE id = ?";
    let complete = i64::from(book.accounts.is_complete());
    let done = sqlx::query(sql)
        .bind(to_i64(book.run.0))
        .bind(complete)
        .bind(to_i64(id.0))
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Unknown(id))
    }
}
