//! The store in its SQLite file: what the file contains, and in which order changes go into it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::{book, clusters, end_run, hold_writer, live, long_book, open};
use sqlx::Connection;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidegate_control::limits::BATCH_MAX;
use tidegate_control::store::{ClusterStore, HostStore, SqliteStore, Store, StoreError};
use tidegate_model::{ClusterId, RunEpoch};

#[tokio::test]
async fn damage_of_one_cluster_keeps_no_other_from_loading() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let bad_book = live(&store, "bad-book").await;
    let bad_row = live(&store, "bad-row").await;
    let good = live(&store, "good").await;
    store.close().await;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(tmp.path().join("store.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let book = "UPDATE book_parts SET accounts = x'FFFFFF' WHERE cluster = ?";
    sqlx::query(book)
        .bind(bad_book.id.0.cast_signed())
        .execute(&pool)
        .await
        .unwrap();
    let row = "UPDATE clusters SET prefix = 'NO PREFIX' WHERE id = ?";
    sqlx::query(row)
        .bind(bad_row.id.0.cast_signed())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;

    let store = open(tmp.path()).await;
    let loaded: Vec<_> = clusters(&store).await.iter().map(|row| row.id).collect();
    assert_eq!(loaded, [bad_book.id, good.id]);
    assert!(matches!(
        store.book(bad_book.id).await,
        Err(StoreError::Corrupt { .. })
    ));
    assert_eq!(store.book(good.id).await.unwrap().accounts.len(), 2);
    store
        .save_accounts(bad_book.id, Arc::new(crate::book(5, "app")))
        .await
        .unwrap();
    assert_eq!(
        store.book(bad_book.id).await.unwrap().accounts.len(),
        2,
        "a new reading replaces the damaged copy"
    );
}

#[tokio::test]
async fn a_buried_cluster_leaves_no_hash_in_the_file() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let id = live(&store, "demo").await.id;
    let claim = store.begin_delete(id, 0).await.unwrap();
    store.bury(claim).await.unwrap();
    store.close().await;
    let needle = [9; 20];
    for entry in std::fs::read_dir(tmp.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(needle.len()).any(|w| w == needle));
    }
}

#[tokio::test]
async fn its_files_are_closed_to_others() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    live(&store, "demo").await;
    let files: Vec<_> = std::fs::read_dir(tmp.path())
        .unwrap()
        .map(|e| e.unwrap())
        .collect();
    assert!(
        files.len() >= 2,
        "the journal is beside the file: {files:?}"
    );
    for file in files {
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn a_login_that_wakes_passes_a_thousand_books() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let id = live(&store, "demo").await.id;
    let saved = AtomicUsize::new(0);
    let book = long_book(RunEpoch(0), 1_000);
    // Each differs from the one before; otherwise nothing would be written.
    let other = long_book(RunEpoch(0), 999);
    let save = async |n: usize| {
        store
            .save_accounts(
                id,
                Arc::clone(if n.is_multiple_of(2) { &book } else { &other }),
            )
            .await
            .unwrap();
        saved.fetch_add(1, Ordering::SeqCst);
    };
    let saves = (0..1_000).map(save);
    let begin = async {
        store.begin_run(id).await.unwrap();
        saved.load(Ordering::SeqCst)
    };
    let (_, before) = tokio::join!(futures_util::future::join_all(saves), begin);
    assert!(before < 500, "{before} of 1000 books went before the run");
}

#[tokio::test]
async fn a_queue_full_of_one_clusters_changes_delays_no_other_clusters_run() {
    /// More changes than three full queues.
    const CHANGES: usize = 15_000;
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let busy = live(&store, "busy").await.id;
    let other = live(&store, "other").await.id;
    let books = [Arc::new(book(0, "one")), Arc::new(book(0, "two"))];
    let saved = AtomicUsize::new(0);
    let save = async |n: usize| {
        let book = Arc::clone(&books[n % 2]);
        store.save_accounts(busy, book).await.unwrap();
        saved.fetch_add(1, Ordering::SeqCst);
    };
    let begin = async {
        store.begin_run(other).await.unwrap();
        saved.load(Ordering::SeqCst)
    };
    let saves = futures_util::future::join_all((0..CHANGES).map(save));
    let (_, before) = tokio::join!(saves, begin);
    assert_eq!(saved.load(Ordering::SeqCst), CHANGES);
    // The transaction that runs meanwhile, and the one that the run begins in.
    assert!(
        before <= 2 * BATCH_MAX,
        "{before} changes went before the run"
    );
}

/// Parts of books that the store wrote since the last call.
async fn parts_written(store: &sqlx::SqlitePool) -> Vec<i64> {
    let rows = sqlx::query_scalar("DELETE FROM written RETURNING part");
    let mut parts: Vec<i64> = rows.fetch_all(store).await.unwrap();
    parts.sort_unstable();
    parts
}

/// Ends a run with so many accounts, and returns the parts of books that the store wrote.
async fn sleep_with(
    store: &SqliteStore,
    id: ClusterId,
    beside: &sqlx::SqlitePool,
    accounts: usize,
) -> Vec<i64> {
    let run = store.begin_run(id).await.unwrap();
    let book = long_book(run, accounts);
    end_run(store, id, run, book).await;
    parts_written(beside).await
}

#[tokio::test]
async fn a_sleep_writes_only_the_changed_parts_of_a_book() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let id = live(&store, "demo").await.id;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(tmp.path().join("store.sqlite"));
    let beside = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for change in ["INSERT", "UPDATE", "DELETE"] {
        let row = if change == "DELETE" { "OLD" } else { "NEW" };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS written (part INTEGER);
             CREATE TRIGGER written_by_{change} AFTER {change} ON book_parts
             BEGIN INSERT INTO written VALUES ({row}.part); END"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&beside)
            .await
            .unwrap();
    }
    let all = sleep_with(&store, id, &beside, 10_000).await;
    assert!(all.len() >= 4 && all[0] == 0, "{all:?}");
    assert_eq!(
        sleep_with(&store, id, &beside, 10_000).await,
        Vec::<i64>::new(),
        "nothing has changed"
    );
    assert_eq!(
        sleep_with(&store, id, &beside, 10_001).await,
        all[all.len() - 1..],
        "one more account"
    );
    assert_eq!(store.book(id).await.unwrap().accounts.len(), 10_001);
    let left = sleep_with(&store, id, &beside, 1).await;
    assert_eq!(left, all, "the first is changed, the others are deleted");
}

/// Logins read the accounts of sleeping clusters while the writer is in a transaction.
#[tokio::test]
async fn a_writer_that_is_held_up_by_one_cluster_delays_no_read_of_another() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let busy = live(&store, "busy").await.id;
    let other = live(&store, "other").await.id;
    let held = hold_writer(&tmp.path().join("store.sqlite")).await;
    let mut write = Box::pin(store.save_accounts(busy, long_book(RunEpoch(1), 1_000)));
    let reads = async {
        for _ in 0..50 {
            assert!(!store.book(other).await.unwrap().accounts.is_empty());
            assert_eq!(clusters(&store).await.len(), 2);
            // The writer gets its time to begin, and to take what it must not take.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        biased;
        written = &mut write => panic!("{written:?} before the reads"),
        () = reads => {}
    }
    held.close().await.unwrap();
    write.await.unwrap();
    assert_eq!(store.book(busy).await.unwrap().accounts.len(), 1_000);
}
