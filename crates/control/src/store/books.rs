//! The copy of each cluster's accounts: one block per cluster, as [`Accounts`] has it in memory.

use super::codec::to_i64;
use super::{StoreError, StoreResult};
use sqlx::{Row, SqliteConnection};
use tidegate_model::{AccountBook, Accounts, ClusterId, RunEpoch};

/// The book of a cluster; empty and incomplete if it has none.
pub async fn read_book(db: &mut SqliteConnection, id: ClusterId) -> StoreResult<AccountBook> {
    let cluster = to_i64(id.0);
    let sql = "SELECT accounts_run, complete, accounts FROM clusters LEFT JOIN books ON cluster = id WHERE id = ?";
    let Some(row) = sqlx::query(sql).bind(cluster).fetch_optional(db).await? else {
        return Ok(AccountBook { accounts: Accounts::unknown(), run: RunEpoch(0), read_began: None });
    };
    let run = RunEpoch(row.try_get::<i64, _>("accounts_run")?.unsigned_abs());
    // A column of another type is damage too.
    let corrupt = || StoreError::Corrupt { cluster, what: "its copy of the accounts is damaged".to_owned() };
    let stored: Option<Vec<u8>> = row.try_get("accounts").map_err(|_| corrupt())?;
    let accounts = match stored {
        Some(bytes) => {
            let complete = row.try_get::<i64, _>("complete").map_err(|_| corrupt())? != 0;
            Accounts::from_bytes(bytes, complete).map_err(|_| corrupt())?
        }
        None => Accounts::unknown(),
    };
    Ok(AccountBook { accounts, run, read_began: None })
}

/// Replaces the book of a cluster. The block itself is written only if it differs.
pub async fn write_book(db: &mut SqliteConnection, id: ClusterId, book: &AccountBook) -> StoreResult<()> {
    let sql = "INSERT INTO books (cluster, complete, accounts) VALUES (?, ?, ?) ON CONFLICT (cluster) DO UPDATE \
               SET complete = excluded.complete, accounts = excluded.accounts \
               WHERE complete IS NOT excluded.complete OR accounts IS NOT excluded.accounts";
    sqlx::query(sql)
        .bind(to_i64(id.0))
        .bind(i64::from(book.accounts.is_complete()))
        .bind(book.accounts.as_bytes())
        .execute(&mut *db)
        .await?;
    let sql = "UPDATE clusters SET accounts_run = ? WHERE id = ?";
    let done = sqlx::query(sql).bind(to_i64(book.run.0)).bind(to_i64(id.0)).execute(&mut *db).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Unknown(id)) }
}
