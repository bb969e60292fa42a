//! The store's schema: files of older versions are migrated, those of newer ones are refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::{open, wanted};
use std::time::Duration;
use tidegate_control::store::{
    AccessStore, Reservation, SqliteStore, Store, StoreError, UnknownFolders,
};
use tidegate_model::{ClusterEngine, ClusterLimits, ClusterSettings, EngineParameters};

/// The schema of the first release, with one cluster in it.
#[tokio::test]
async fn a_store_of_an_older_version_gets_the_default_limits() {
    let tmp = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(tmp.path().join("store.sqlite"))
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for sql in [
        include_str!("../migrations/sqlite/0001_clusters.sql"),
        include_str!("../migrations/sqlite/0002_access.sql"),
        "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES \
         (1), (2)",
        "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, connections_max, \
         sleep_after_ms, \
         transaction_idle_max_ms, phase) VALUES (1, 'demo', 'demo', 'k7m2q9x4w3tz', 0, 5, 1000, \
         2000, 'live')",
    ] {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let limits = open(tmp.path()).await.load().await.unwrap()[0].limits;
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
    let tmp = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(tmp.path().join("store.sqlite"))
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for sql in [
        include_str!("../migrations/sqlite/0001_clusters.sql"),
        include_str!("../migrations/sqlite/0002_access.sql"),
        include_str!("../migrations/sqlite/0003_limits.sql"),
        include_str!("../migrations/sqlite/0004_books.sql"),
        include_str!("../migrations/sqlite/0005_freed_uids.sql"),
        include_str!("../migrations/sqlite/0006_key_scopes.sql"),
        "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES \
         (6)",
        "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, connections_max, \
         sleep_after_ms, \
         transaction_idle_max_ms, phase) VALUES (1, 'demo', 'demo', 'k7m2q9x4w3tz', 0, 5, 1000, \
         2000, 'live')",
    ] {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let store = open(tmp.path()).await;
    assert_eq!(
        store.load().await.unwrap()[0].engine,
        ClusterEngine::default()
    );
    let engine = ClusterEngine {
        kind: "remote".to_owned(),
        parameters: EngineParameters::from_json(r#"{"endpoint":["db1:3306"],"weight":7}"#).unwrap(),
    };
    let wanted = Reservation {
        engine: engine.clone(),
        ..wanted("other")
    };
    store
        .reserve(&wanted, None, &UnknownFolders::default())
        .await
        .unwrap();
    store.close().await;
    let rows = open(tmp.path()).await.load().await.unwrap();
    assert_eq!(rows[0].engine, ClusterEngine::default());
    assert_eq!(rows[1].engine, engine);
}

/// The schema before keys had scopes, with two keys in it.
#[tokio::test]
async fn keys_from_before_scopes_get_the_scope_all_once() {
    let tmp = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(tmp.path().join("store.sqlite"))
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for sql in [
        include_str!("../migrations/sqlite/0001_clusters.sql"),
        include_str!("../migrations/sqlite/0002_access.sql"),
        include_str!("../migrations/sqlite/0003_limits.sql"),
        include_str!("../migrations/sqlite/0004_books.sql"),
        include_str!("../migrations/sqlite/0005_freed_uids.sql"),
        "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES \
         (5)",
        "INSERT INTO api_keys (id, name, hash, created_unix) VALUES \
         ('a1', 'backup', zeroblob(32), 5), ('b2', 'deploy', x'01' || zeroblob(31), 6)",
    ] {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    pool.close().await;
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

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    open(tmp.path()).await.close().await;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(tmp.path().join("store.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("INSERT INTO schema_version (version) VALUES (99)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let e = SqliteStore::open(&tmp.path().join("store.sqlite"))
        .await
        .unwrap_err();
    assert!(matches!(e, StoreError::Newer { found: 99, .. }), "{e}");
}

/// The schema before clusters had settings, with one cluster in it.
#[tokio::test]
async fn clusters_of_an_older_version_get_the_settings_of_new_ones() {
    let tmp = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(tmp.path().join("store.sqlite"))
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for sql in [
        include_str!("../migrations/sqlite/0001_clusters.sql"),
        include_str!("../migrations/sqlite/0002_access.sql"),
        include_str!("../migrations/sqlite/0003_limits.sql"),
        include_str!("../migrations/sqlite/0004_books.sql"),
        include_str!("../migrations/sqlite/0005_freed_uids.sql"),
        include_str!("../migrations/sqlite/0006_key_scopes.sql"),
        include_str!("../migrations/sqlite/0007_engine_kinds.sql"),
        "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES \
         (7)",
        "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, connections_max, \
         sleep_after_ms, \
         transaction_idle_max_ms, phase) VALUES (1, 'demo', 'demo', 'k7m2q9x4w3tz', 0, 5, 1000, \
         2000, 'live')",
    ] {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let rows = open(tmp.path()).await.load().await.unwrap();
    assert_eq!(rows[0].settings, ClusterSettings::default());
}
