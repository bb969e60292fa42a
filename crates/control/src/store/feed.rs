//! Versions of the facts that gateways may share. Every change takes the next version first, and
//! marks its row with it. A reader that asks for all rows above the version that it has seen
//! misses none, because versions become visible in the order in which they were taken.

use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use sqlx::{Row, SqliteConnection};

/// Version of the whole store, which every change takes.
const ALL: &str = "all";
/// Version of the last change of links, sessions or keys. Their deleted rows leave no mark.
const ACCESS: &str = "access";

/// Takes the next version of the store, for a change in this transaction.
pub async fn next_version(db: &mut SqliteConnection) -> StoreResult<i64> {
    sqlx::query("UPDATE feed SET version = version + 1 WHERE part = ?")
        .bind(ALL)
        .execute(&mut *db)
        .await?;
    version_of(db, ALL).await
}

/// Marks links, sessions and keys as changed, and returns the version of the change.
pub async fn stamp_access(db: &mut SqliteConnection) -> StoreResult<i64> {
    let version = next_version(db).await?;
    sqlx::query("UPDATE feed SET version = ? WHERE part = ?")
        .bind(version)
        .bind(ACCESS)
        .execute(db)
        .await?;
    Ok(version)
}

/// Version of the last change of the store.
pub async fn last_version(db: &mut SqliteConnection) -> StoreResult<u64> {
    Ok(version_of(db, ALL).await?.unsigned_abs())
}

/// Whether links, sessions or keys have changed since this version.
pub async fn has_access_changed(db: &mut SqliteConnection, since: u64) -> StoreResult<bool> {
    Ok(version_of(db, ACCESS).await? > to_i64(since))
}

async fn version_of(db: &mut SqliteConnection, part: &str) -> StoreResult<i64> {
    let row = sqlx::query("SELECT version FROM feed WHERE part = ?")
        .bind(part)
        .fetch_optional(db)
        .await?;
    Ok(row.ok_or(StoreError::NoFeed)?.try_get("version")?)
}
