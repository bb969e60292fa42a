//! Stored copy of each cluster's accounts: the block that [`Accounts`] has in memory, in parts.

use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use super::feed::next_version;
use futures_util::TryStreamExt;
use sqlx::{Row, SqliteConnection};
use tidegate_model::limits::BOOK_BYTES_MAX;
use tidegate_model::{AccountBook, Accounts, ClusterId, ReadingOrder, RunEpoch};

/// Bytes of one part of a block. SQLite copies each value that is written or read, so a block in
/// one value would be copied whole.
const PART: usize = 64 << 10;

/// Reads the book of a cluster; empty and incomplete if there is none.
pub async fn read_book(db: &mut SqliteConnection, id: ClusterId) -> StoreResult<AccountBook> {
    let cluster = to_i64(id.0);
    let sql = "SELECT run, reading, complete, \
               (SELECT SUM(LENGTH(accounts)) FROM book_parts WHERE cluster = books.cluster) AS \
               size FROM books WHERE cluster = ?";
    let Some(row) = sqlx::query(sql)
        .bind(cluster)
        .fetch_optional(&mut *db)
        .await?
    else {
        return Ok(AccountBook {
            accounts: Accounts::unknown(),
            run: RunEpoch(0),
            order: ReadingOrder::default(),
        });
    };
    let run = RunEpoch(row.try_get::<i64, _>("run")?.unsigned_abs());
    let order = ReadingOrder(row.try_get::<i64, _>("reading")?.unsigned_abs());
    // A column of another type means damage too.
    let complete = row
        .try_get::<i64, _>("complete")
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
    let sql = "SELECT accounts FROM book_parts WHERE cluster = ? ORDER BY part";
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
        order,
    })
}

fn damaged_book(cluster: i64) -> StoreError {
    StoreError::Corrupt {
        cluster,
        what: "its copy of the accounts is damaged".to_owned(),
    }
}

/// Replaces the book of a cluster, unless the stored one is of a later reading. Unchanged parts are
/// not written.
pub async fn write_book(
    db: &mut SqliteConnection,
    id: ClusterId,
    book: &AccountBook,
) -> StoreResult<()> {
    let cluster = to_i64(id.0);
    let version = next_version(db).await?;
    let complete = i64::from(book.accounts.is_complete());
    let run = to_i64(book.run.0);
    let reading = to_i64(book.order.0);
    let sql = "UPDATE books SET run = ?, reading = ?, complete = ?, version = ? WHERE cluster = ? \
               AND (run < ? OR (run = ? AND reading <= ?))";
    let done = sqlx::query(sql)
        .bind(run)
        .bind(reading)
        .bind(complete)
        .bind(version)
        .bind(cluster)
        .bind(run)
        .bind(run)
        .bind(reading)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 0 {
        let sql = "SELECT run FROM books WHERE cluster = ?";
        let later = sqlx::query(sql).bind(cluster).fetch_optional(db).await?;
        // The reservation of a cluster makes the row.
        return later.map(drop).ok_or(StoreError::Unknown(id));
    }
    let parts = book.accounts.as_bytes().chunks(PART);
    let sql = "DELETE FROM book_parts WHERE cluster = ? AND part >= ?";
    sqlx::query(sql)
        .bind(cluster)
        .bind(to_i64(parts.len() as u64))
        .execute(&mut *db)
        .await?;
    for (part, bytes) in (0i64..).zip(parts) {
        write_part(db, cluster, part, bytes).await?;
    }
    Ok(())
}

async fn write_part(
    db: &mut SqliteConnection,
    cluster: i64,
    part: i64,
    bytes: &[u8],
) -> StoreResult<()> {
    let sql = "SELECT accounts = ? AS same FROM book_parts WHERE cluster = ? AND part = ?";
    let stored = sqlx::query(sql)
        .bind(bytes)
        .bind(cluster)
        .bind(part)
        .fetch_optional(&mut *db)
        .await?;
    let sql = match stored {
        Some(row) if row.try_get::<i64, _>("same")? != 0 => return Ok(()),
        Some(_) => "UPDATE book_parts SET accounts = ? WHERE cluster = ? AND part = ?",
        None => "INSERT INTO book_parts (accounts, cluster, part) VALUES (?, ?, ?)",
    };
    sqlx::query(sql)
        .bind(bytes)
        .bind(cluster)
        .bind(part)
        .execute(db)
        .await?;
    Ok(())
}
