//! Migration of a store's schema to this version.
//!
//! A store remembers which migrations it has had, and for each the oldest program that can still
//! serve it afterwards. So a store that a newer program has migrated is served by this one too,
//! unless a migration changed what this one relies on.

use super::error::{StoreError, StoreResult};
use super::migrate_books::accounts_to_books;
use sqlx::{Row, SqliteConnection, SqlitePool};
use std::collections::BTreeSet;

/// A change of the schema. Its file is never changed after it was part of a release.
struct Migration {
    version: i64,
    /// The last migration that a program must know to serve the store after this one. Less than
    /// `version` if this one only adds what older programs need not know.
    serves_from: i64,
    sql: &'static str,
}

macro_rules! migration {
    ($version:literal, $serves_from:literal, $file:literal) => {
        Migration {
            version: $version,
            serves_from: $serves_from,
            sql: include_str!(concat!("../../migrations/sqlite/", $file)),
        }
    };
}

/// Migrations in order. Numbers may be missing.
const SQLITE: &[Migration] = &[
    migration!(1, 1, "0001_clusters.sql"),
    migration!(2, 2, "0002_access.sql"),
    migration!(3, 3, "0003_limits.sql"),
    migration!(4, 4, "0004_books.sql"),
    migration!(5, 5, "0005_freed_uids.sql"),
    migration!(6, 6, "0006_key_scopes.sql"),
    migration!(7, 7, "0007_engine_kinds.sql"),
    migration!(8, 8, "0008_settings.sql"),
    migration!(10, 10, "0010_versions_and_hosts.sql"),
    // Older programs need not know a table that they don't use.
    migration!(13, 10, "0013_answers.sql"),
    // Older programs finish deletions without the row, which a newer one then must not find.
    migration!(14, 14, "0014_operations.sql"),
    // A book that an older program writes is of a later run, and the number counts within a run.
    migration!(16, 14, "0016_reading_order.sql"),
    // No older program used the table.
    migration!(17, 14, "0017_requests.sql"),
    // Older programs need not know of an index.
    migration!(18, 14, "0018_cluster_lists.sql"),
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
    prepare_versions(&mut tx).await?;
    let made = read_made(&mut tx).await?;
    for migration in SQLITE
        .iter()
        .filter(|one| !made.contains(&one.version) && one.version <= last)
    {
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
        if migration.version == BEFORE_BOOKS + 1 {
            accounts_to_books(&mut tx).await?;
        }
        sqlx::query("INSERT INTO schema_version (version, serves_from) VALUES (?, ?)")
            .bind(migration.version)
            .bind(migration.serves_from)
            .execute(&mut *tx)
            .await?;
    }
    let keys_widened = match !made.contains(&KEY_SCOPES) && KEY_SCOPES <= last {
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

/// Makes the table of migrations, or adds the column that the first versions did not have: their
/// programs refuse a store with any migration that they don't know.
async fn prepare_versions(db: &mut SqliteConnection) -> StoreResult<()> {
    let sql = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL, serves_from \
               INTEGER NOT NULL DEFAULT 0)";
    sqlx::raw_sql(sql).execute(&mut *db).await?;
    let sql = "SELECT COUNT(*) AS n FROM pragma_table_info('schema_version') WHERE name = \
               'serves_from'";
    let row = sqlx::query(sql).fetch_one(&mut *db).await?;
    if row.try_get::<i64, _>("n")? == 0 {
        let sql = "ALTER TABLE schema_version ADD COLUMN serves_from INTEGER NOT NULL DEFAULT 0";
        sqlx::raw_sql(sql).execute(&mut *db).await?;
    }
    Ok(())
}

/// Reads which migrations a store has had. Refuses it if one of them needs a newer program.
async fn read_made(db: &mut SqliteConnection) -> StoreResult<BTreeSet<i64>> {
    let known = SQLITE.iter().map(|one| one.version).max().unwrap_or(0);
    let rows = sqlx::query("SELECT version, serves_from FROM schema_version")
        .fetch_all(&mut *db)
        .await?;
    let mut made = BTreeSet::new();
    for row in &rows {
        let found: i64 = row.try_get("version")?;
        let serves_from: i64 = row.try_get("serves_from")?;
        if serves_from > known {
            return Err(StoreError::Newer { found, known });
        }
        made.insert(found);
    }
    Ok(made)
}
