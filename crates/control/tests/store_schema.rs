//! The store's schema: files of older versions are migrated, and those of newer ones are served
//! unless they need a newer program.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::{clusters, host_of, live, open, wanted};
use sqlx::{AssertSqlSafe, SqlitePool};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tidegate_control::store::{
    AccessStore, ClusterRow, ClusterStore, HostStore, OperationKind, OperationStore, Reservation,
    SqliteStore, Store, StoreError,
};
use tidegate_model::{
    ClusterEngine, ClusterId, ClusterLimits, ClusterSettings, EngineParameters, RunEpoch,
};

/// Migrations of the first schema.
const FIRST: i64 = 2;

const ONE_CLUSTER: &str = "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, \
                           connections_max, sleep_after_ms, transaction_idle_max_ms, phase) \
                           VALUES (1, 'demo', 'demo', 'k7m2q9x4w3tz', 0, 5, 1000, 2000, 'live')";

async fn pool(folder: &Path) -> SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.join("store.sqlite"))
        .create_if_missing(true);
    SqlitePool::connect_with(options).await.unwrap()
}

/// Numbers and texts of all migrations.
fn migrations() -> Vec<(i64, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let number = name.split('_').next().unwrap().parse().unwrap();
        (number, std::fs::read_to_string(&path).unwrap())
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

/// A store as the version left it whose last migration is this one, with these rows.
async fn old_store(last: i64, rows: &[&str]) -> TempDir {
    let tmp = tempfile::tempdir().unwrap();
    let pool = pool(tmp.path()).await;
    let mut made = vec!["CREATE TABLE schema_version (version INTEGER NOT NULL)".to_owned()];
    for (version, sql) in migrations().into_iter().filter(|(one, _)| *one <= last) {
        made.push(sql);
        made.push(format!("INSERT INTO schema_version VALUES ({version})"));
    }
    made.extend(rows.iter().map(|row| (*row).to_owned()));
    for sql in made {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
    }
    pool.close().await;
    tmp
}

/// The schema of the first release, with one cluster in it.
#[tokio::test]
async fn a_store_of_an_older_version_gets_the_default_limits() {
    let tmp = old_store(FIRST, &[ONE_CLUSTER]).await;
    let limits = clusters(&open(tmp.path()).await).await[0].limits;
    let want = ClusterLimits {
        connections_max: 5,
        sleep_after: Duration::from_secs(1),
        transaction_idle_max: Duration::from_secs(2),
        ..ClusterLimits::default()
    };
    assert_eq!(limits, want);
}

/// The schema before there were kinds of engines, with one cluster in it.
#[tokio::test]
async fn clusters_of_an_older_version_are_mariadb_and_others_keep_their_parameters() {
    let tmp = old_store(6, &[ONE_CLUSTER]).await;
    let store = open(tmp.path()).await;
    assert_eq!(clusters(&store).await[0].engine, ClusterEngine::default());
    let engine = ClusterEngine {
        kind: "remote".to_owned(),
        parameters: EngineParameters::from_json(r#"{"endpoint":["db1:3306"],"weight":7}"#).unwrap(),
    };
    let wanted = Reservation {
        engine: engine.clone(),
        ..wanted("other")
    };
    store.reserve(wanted).await.unwrap();
    store.close().await;
    let rows = clusters(&open(tmp.path()).await).await;
    assert_eq!(rows[0].engine, ClusterEngine::default());
    assert_eq!(rows[1].engine, engine);
}

/// The schema before keys had scopes, with two keys in it.
#[tokio::test]
async fn keys_from_before_scopes_get_the_scope_all_once() {
    let keys = "INSERT INTO api_keys (id, name, hash, created_unix) VALUES ('a1', 'backup', \
                zeroblob(32), 5), ('b2', 'deploy', x'01' || zeroblob(31), 6)";
    let tmp = old_store(5, &[keys]).await;
    let store = open(tmp.path()).await;
    assert_eq!(store.keys_widened(), 2);
    let keys = store.load_access().await.unwrap().keys;
    let scopes: Vec<_> = keys
        .iter()
        .map(|key| (key.name.as_str(), key.scopes.as_str()))
        .collect();
    assert_eq!(scopes, [("backup", "all"), ("deploy", "all")]);
    store.close().await;
    assert_eq!(open(tmp.path()).await.keys_widened(), 0, "told once");
    // Those of a new store have scopes from the start.
    let new = tempfile::tempdir().unwrap();
    assert_eq!(open(new.path()).await.keys_widened(), 0);
}

/// The schema before clusters had settings, with one cluster in it.
#[tokio::test]
async fn clusters_of_an_older_version_get_the_settings_of_new_ones() {
    let tmp = old_store(7, &[ONE_CLUSTER]).await;
    let rows = clusters(&open(tmp.path()).await).await;
    assert_eq!(rows[0].settings, ClusterSettings::default());
}

/// System user and last run of a cluster, and whether its book is of that run.
async fn host_facts(store: &SqliteStore, row: &ClusterRow) -> (Option<u32>, RunEpoch, bool) {
    let host = host_of(store, row.id).await.unwrap();
    (host.uid, host.run, host.is_settled(row.book))
}

/// The schema that had runs and system users in the rows of clusters.
#[tokio::test]
async fn facts_of_the_host_leave_the_rows_of_clusters() {
    let rows = [
        ONE_CLUSTER,
        "UPDATE clusters SET uid = 600001, run = 7, accounts_run = 7, accounts_complete = 1",
        "INSERT INTO books (cluster, part, accounts) VALUES (1, 0, x'')",
        "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, connections_max, \
         sleep_after_ms, transaction_idle_max_ms, phase, uid, run, awake, accounts_run) VALUES \
         (2, 'awake', 'awake', 'm7m2q9x4w3tz', 0, 5, 1000, 2000, 'live', 600002, 4, 1, 3), \
         (3, 'gone', NULL, 'p7m2q9x4w3tz', 0, 5, 1000, 2000, 'gone', 600003, 1, 0, 1), \
         (4, 'half', 'half', 'r7m2q9x4w3tz', 0, 5, 1000, 2000, 'creating', NULL, 0, 0, 0)",
        // Frees the number as the deletion did.
        "UPDATE clusters SET uid = NULL WHERE id = 3",
    ];
    let tmp = old_store(8, &rows).await;
    let store = open(tmp.path()).await;
    let found = clusters(&store).await;
    let names: Vec<_> = found.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["awake", "demo", "half"]);
    assert_eq!(
        host_facts(&store, &found[0]).await,
        (Some(600_002), RunEpoch(4), false)
    );
    assert_eq!(
        host_facts(&store, &found[1]).await,
        (Some(600_001), RunEpoch(7), true)
    );
    assert_eq!(
        host_facts(&store, &found[2]).await,
        (None, RunEpoch(0), true)
    );
    assert!(
        store
            .book(ClusterId(1))
            .await
            .unwrap()
            .accounts
            .is_complete()
    );
    assert_eq!(host_of(&store, ClusterId(3)).await, None);
    let operations = store.operations().await.unwrap();
    let operations: Vec<_> = operations
        .iter()
        .map(|one| (one.kind, one.claim.cluster))
        .collect();
    assert_eq!(operations, [(OperationKind::Create, ClusterId(4))]);
    let none = BTreeSet::new();
    let free = store.uid_candidates(600_001..=600_004, 9, &none);
    let free = free.await.unwrap().into_iter();
    let free: Vec<_> = free.map(|one| (one.uid, one.used_before)).collect();
    assert_eq!(free, [(600_004, false), (600_003, true)]);
    let old_prefix = Reservation {
        prefix: "p7m2q9x4w3tz".to_owned().try_into().unwrap(),
        ..wanted("new")
    };
    let refused = store.reserve(old_prefix).await;
    assert!(matches!(refused, Err(StoreError::PrefixTaken)));
    let versions: BTreeSet<_> = found.iter().map(|row| row.version).collect();
    assert_eq!(versions.len(), 3, "each can be asked for alone");
    assert!(store.begin_run(ClusterId(1)).await.unwrap() == RunEpoch(8));
}

#[tokio::test]
async fn every_older_schema_opens() {
    let all: Vec<i64> = migrations().iter().map(|(version, _)| *version).collect();
    for last in all.iter().filter(|last| **last >= FIRST) {
        let row = match *last {
            ..10 => vec![ONE_CLUSTER],
            _ => vec![],
        };
        let tmp = old_store(*last, &row).await;
        let store = open(tmp.path()).await;
        assert_eq!(clusters(&store).await.len(), row.len(), "schema {last}");
        live(&store, "new").await;
        store.close().await;
        let pool = pool(tmp.path()).await;
        let made = sqlx::query_scalar("SELECT version FROM schema_version ORDER BY version");
        let made: Vec<i64> = made.fetch_all(&pool).await.unwrap();
        assert_eq!(made, all, "schema {last}");
    }
}

/// Marks a store as migrated by a newer program.
async fn migrated_by_newer(serves_from: i64) -> TempDir {
    let tmp = tempfile::tempdir().unwrap();
    open(tmp.path()).await.close().await;
    let pool = pool(tmp.path()).await;
    // As a migration may add it: this program does not know the column.
    for sql in [
        "ALTER TABLE clusters ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'".to_owned(),
        format!("INSERT INTO schema_version (version, serves_from) VALUES (99, {serves_from})"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
    }
    pool.close().await;
    tmp
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_served_if_its_migration_only_adds() {
    let known = migrations().last().unwrap().0;
    let tmp = migrated_by_newer(known).await;
    let store = open(tmp.path()).await;
    live(&store, "demo").await;
    store.close().await;
    assert_eq!(clusters(&open(tmp.path()).await).await.len(), 1);

    let tmp = migrated_by_newer(known + 1).await;
    let e = SqliteStore::open(&tmp.path().join("store.sqlite"))
        .await
        .unwrap_err();
    assert!(matches!(e, StoreError::Newer { found: 99, .. }), "{e}");
}
