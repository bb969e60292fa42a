//! The store alone: what it keeps across reopening, and what it never gives out twice.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::{book, hold_writer, live, long_book, open, wanted};
use sqlx::Connection;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidegate_control::limits::BATCH_MAX;
use tidegate_control::store::{Phase, Reservation, SqliteStore, Store, StoreError, UnknownFolders};
use tidegate_model::{
    AccountBook, Accounts, ClusterId, ClusterLimits, ClusterName, ClusterSettings, RunEpoch,
};

#[tokio::test]
async fn a_cluster_comes_back_whole_after_reopening() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let row = store
        .reserve(
            &wanted("demo"),
            Some(600_000..=600_010),
            &UnknownFolders::default(),
        )
        .await
        .unwrap();
    assert_eq!(
        (row.phase, row.uid, row.run),
        (Phase::Creating, Some(600_000), RunEpoch(0))
    );
    let made = store.publish(row.id, &book(0, "root")).await.unwrap();
    let run = store.begin_run(row.id).await.unwrap();
    assert_eq!(run, RunEpoch(1));
    store
        .save_accounts(row.id, Arc::new(book(1, "app")))
        .await
        .unwrap();
    store.close().await;

    let rows = open(tmp.path()).await.load().await.unwrap();
    let [back] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(
        (back.id, &back.name, &back.prefix),
        (made.id, &made.name, &made.prefix)
    );
    assert_eq!(
        (back.phase, back.uid, back.created_unix),
        (Phase::Live, Some(600_000), 1_700_000_000)
    );
    assert_eq!(back.limits, ClusterLimits::default());
    assert!(back.awake, "a run that did not end is not a clean sleep");
    assert_eq!((back.run, back.accounts_run), (RunEpoch(1), RunEpoch(1)));
    let kept = open(tmp.path()).await.book(made.id).await.unwrap();
    assert_eq!(
        (kept.run, &kept.accounts),
        (RunEpoch(1), &book(1, "app").accounts)
    );
}

#[tokio::test]
async fn an_incomplete_book_comes_back_incomplete_and_a_changed_flag_alone_is_kept() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let id = live(&store, "demo").await.id;
    for (run, complete) in [(1, true), (2, false), (3, true)] {
        let accounts =
            Accounts::from_bytes(book(1, "app").accounts.as_bytes().to_vec(), complete).unwrap();
        store
            .save_accounts(
                id,
                Arc::new(AccountBook {
                    accounts,
                    run: RunEpoch(run),
                    read_began: None,
                }),
            )
            .await
            .unwrap();
        let back = store.book(id).await.unwrap();
        assert_eq!(
            (back.run, back.accounts.is_complete(), back.accounts.len()),
            (RunEpoch(run), complete, 2)
        );
        assert_eq!(store.load().await.unwrap()[0].accounts_complete, complete);
    }
    let nobody = store.book(ClusterId(99)).await.unwrap();
    assert!(nobody.accounts.is_empty() && !nobody.accounts.is_complete());
}

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
    let book = "UPDATE books SET accounts = x'FFFFFF' WHERE cluster = ?";
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
    let loaded: Vec<_> = store
        .load()
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
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

async fn users(store: &SqliteStore, id: ClusterId) -> Vec<String> {
    store
        .book(id)
        .await
        .unwrap()
        .accounts
        .iter()
        .map(|a| a.user)
        .collect()
}

#[tokio::test]
async fn limits_come_back_as_they_were_set() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let small = ClusterLimits {
        connections_max: 3,
        sleep_after: Duration::from_millis(1_500),
        transaction_idle_max: Duration::from_secs(7),
        memory_max_bytes: 256 << 20,
        disk_max_bytes: 9 << 40,
        cpu_weight: 7,
        tasks_max: 65,
    };
    let row = store
        .reserve(
            &Reservation {
                limits: small,
                ..wanted("demo")
            },
            None,
            &UnknownFolders::default(),
        )
        .await
        .unwrap();
    store.publish(row.id, &book(0, "root")).await.unwrap();
    assert_eq!(store.load().await.unwrap()[0].limits, small);
    let other = ClusterLimits {
        memory_max_bytes: 3 << 30,
        disk_max_bytes: 1 << 30,
        cpu_weight: 9,
        tasks_max: 99,
        ..small
    };
    let settings = ClusterSettings {
        deletion_protection: true,
        ping_holds: true,
        events: true,
        ip_allow: vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
        variables: [("time_zone".to_owned(), "+02:00".to_owned())].into(),
    };
    store
        .set_cluster(row.id, other, settings.clone())
        .await
        .unwrap();
    store.close().await;
    let again = open(tmp.path()).await.load().await.unwrap();
    assert_eq!(again[0].settings, settings);
    assert_eq!(again[0].limits, other);
}

#[tokio::test]
async fn only_the_run_that_ends_makes_the_sleep_clean() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let id = live(&store, "demo").await.id;
    let first = store.begin_run(id).await.unwrap();
    let second = store.begin_run(id).await.unwrap();
    assert!(
        store
            .end_run(id, first, Arc::new(book(1, "old")))
            .await
            .is_err(),
        "an older run is not the one that is on"
    );
    assert!(store.load().await.unwrap()[0].awake);
    assert_eq!(users(&store, id).await[0], "root", "both or neither");
    store
        .end_run(id, second, Arc::new(book(2, "new")))
        .await
        .unwrap();
    let row = store.load().await.unwrap().remove(0);
    assert!(!row.awake);
    assert_eq!(
        (row.accounts_run, users(&store, id).await[0].as_str()),
        (RunEpoch(2), "new")
    );
}

#[tokio::test]
async fn numbers_prefixes_and_users_are_not_given_out_twice() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let range = 600_000..=600_001;
    let none = UnknownFolders::default();
    let a = store
        .reserve(&wanted("a"), Some(range.clone()), &none)
        .await
        .unwrap();
    let b = store
        .reserve(&wanted("b"), Some(range.clone()), &none)
        .await
        .unwrap();
    assert_eq!((a.uid, b.uid), (Some(600_000), Some(600_001)));
    assert!(matches!(
        store
            .reserve(&wanted("c"), Some(range.clone()), &none)
            .await,
        Err(StoreError::NoUidLeft)
    ));
    assert!(matches!(
        store.reserve(&wanted("a"), None, &none).await,
        Err(StoreError::NameTaken(_))
    ));
    let same_prefix = Reservation {
        prefix: a.prefix.clone(),
        ..wanted("c")
    };
    assert!(matches!(
        store.reserve(&same_prefix, None, &none).await,
        Err(StoreError::PrefixTaken)
    ));

    // While its directory may exist, the name is free but the user is not.
    store.begin_delete(b.id).await.unwrap();
    assert!(matches!(
        store
            .reserve(&wanted("b"), Some(range.clone()), &none)
            .await,
        Err(StoreError::NoUidLeft)
    ));
    store.bury(b.id).await.unwrap();
    let c = store
        .reserve(&wanted("b"), Some(range.clone()), &none)
        .await
        .unwrap();
    assert_eq!(
        (c.id, c.uid),
        (ClusterId(3), Some(600_001)),
        "the number is new, the user is free again"
    );
    store.bury(c.id).await.unwrap();

    let again = Reservation {
        prefix: b.prefix.clone(),
        ..wanted("d")
    };
    assert!(matches!(
        store.reserve(&again, None, &none).await,
        Err(StoreError::PrefixTaken)
    ));
    // A directory of an older store keeps its number and its owner.
    let strays = UnknownFolders {
        id_max: 40,
        uids: BTreeSet::from([600_001]),
    };
    assert_eq!(
        store.reserve(&wanted("e"), None, &strays).await.unwrap().id,
        ClusterId(41)
    );
    assert!(matches!(
        store
            .reserve(&wanted("f"), Some(range.clone()), &strays)
            .await,
        Err(StoreError::NoUidLeft)
    ));
}

#[tokio::test]
async fn a_buried_cluster_leaves_no_hash_in_the_file() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let id = live(&store, "demo").await.id;
    store.bury(id).await.unwrap();
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

#[tokio::test]
async fn a_renamed_cluster_keeps_its_prefix_and_frees_its_name() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let first = live(&store, "first").await;
    live(&store, "second").await;
    let second = ClusterName::parse("second").unwrap();
    let taken = store.rename(first.id, second).await.unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken(_)), "{taken}");
    let third = ClusterName::parse("third").unwrap();
    store.rename(first.id, third).await.unwrap();
    live(&store, "first").await;
    store.close().await;
    let rows = open(tmp.path()).await.load().await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["third", "second", "first"]);
    assert_eq!(rows[0].prefix, first.prefix);
}

/// Parts of books that the store wrote since the last call.
async fn parts_written(store: &sqlx::SqlitePool) -> Vec<i64> {
    let rows = sqlx::query_scalar("DELETE FROM written RETURNING part");
    let mut parts: Vec<i64> = rows.fetch_all(store).await.unwrap();
    parts.sort_unstable();
    parts
}

/// Ends a run with so many accounts, and returns the parts of books that the store wrote.
async fn sleep_with(store: &SqliteStore, beside: &sqlx::SqlitePool, accounts: usize) -> Vec<i64> {
    let id = ClusterId(1);
    let run = store.begin_run(id).await.unwrap();
    let book = long_book(run, accounts);
    store.end_run(id, run, book).await.unwrap();
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
             CREATE TRIGGER written_by_{change} AFTER {change} ON books
             BEGIN INSERT INTO written VALUES ({row}.part); END"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&beside)
            .await
            .unwrap();
    }
    let all = sleep_with(&store, &beside, 10_000).await;
    assert!(all.len() >= 4 && all[0] == 0, "{all:?}");
    assert_eq!(
        sleep_with(&store, &beside, 10_000).await,
        Vec::<i64>::new(),
        "nothing has changed"
    );
    assert_eq!(
        sleep_with(&store, &beside, 10_001).await,
        all[all.len() - 1..],
        "one more account"
    );
    assert_eq!(store.book(id).await.unwrap().accounts.len(), 10_001);
    let left = sleep_with(&store, &beside, 1).await;
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
            assert_eq!(store.load().await.unwrap().len(), 2);
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
