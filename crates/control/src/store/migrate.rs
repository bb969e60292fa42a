//! Migration of a store's schema to this version. A newer store is refused.

use super::error::{StoreError, StoreResult};
use super::migrate_books::accounts_to_books;
use sqlx::{Row, SqlitePool};

/// Migrations in order. A file is never changed after it was part of a release.
const SQLITE: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_clusters.sql"),
    include_str!("../../migrations/sqlite/0002_access.sql"),
    include_str!("../../migrations/sqlite/0003_limits.sql"),
    include_str!("../../migrations/sqlite/0004_books.sql"),
    include_str!("../../migrations/sqlite/0005_freed_uids.sql"),
    include_str!("../../migrations/sqlite/0006_key_scopes.sql"),
    include_str!("../../migrations/sqlite/0007_engine_kinds.sql"),
    include_str!("../../migrations/sqlite/0008_settings.sql"),
];

/// Last schema version with a row per account.
pub const BEFORE_BOOKS: i64 = 3;

/// Schema version that gave scopes to keys.
const KEY_SCOPES: i64 = 6;

/// Effects of a migration that an operator must know of.
pub struct Migrated {
    /// Number of API keys that existed before there were scopes and got the scope `all`.
    pub keys_widened: u64,
}

pub async fn sqlite(pool: &SqlitePool) -> StoreResult<Migrated> {
    to_version(pool, i64::MAX).await
}

/// Migrates up to this schema version, for tests of later migrations.
pub async fn to_version(pool: &SqlitePool, last: i64) -> StoreResult<Migrated> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_version")
        .fetch_one(&mut *tx)
        .await?;
    let found: i64 = row.try_get("version")?;
    let known = i64::try_from(SQLITE.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, sql) in (1i64..)
        .zip(SQLITE)
        .filter(|(version, _)| *version > found && *version <= last)
    {
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        if version == BEFORE_BOOKS + 1 {
            accounts_to_books(&mut tx).await?;
        }
        sqlx::query("INSERT INTO schema_version (version) VALUES (?)")
            .bind(version)
            .execute(&mut *tx)
            .await?;
    }
    let keys_widened = match found < KEY_SCOPES && KEY_SCOPES <= last {
        true => sqlx::query("SELECT COUNT(*) AS n FROM api_keys")
            .fetch_one(&mut *tx)
            .await?
            .try_get::<i64, _>("n")?,
        false => 0,
    };
    tx.commit().await?;
    Ok(Migrated {
        keys_widened: keys_widened.unsigned_abs(),
    })
}
