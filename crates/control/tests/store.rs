//! The store alone: what it keeps across reopening, and what it never gives out twice.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidegate_control::store::{
    AccessStore, ClusterRow, KeyRow, Phase, Reservation, SqliteStore, Store, StoreError, Strays,
};
use tidegate_model::{
    Account, AccountBook, Accounts, ClusterEngine, ClusterId, ClusterLimits, ClusterName,
    EngineParameters, Prefix, Requirement, RunEpoch, Unsupported, Verifier,
};

fn wanted(name: &str) -> Reservation {
    Reservation {
        name: ClusterName::parse(name).unwrap(),
        prefix: Prefix::random().unwrap(),
        created_unix: 1_700_000_000,
        engine: ClusterEngine::default(),
        limits: ClusterLimits::default(),
    }
}

fn book(run: u64, user: &str) -> AccountBook {
    let accounts = vec![
        Account {
            user: user.to_owned(),
            host: "%".to_owned(),
            verifiers: vec![
                Verifier::Native([9; 20]),
                Verifier::Unsupported(Unsupported::Ed25519),
            ],
            locked: false,
            requires: Requirement::None,
        },
        Account {
            user: user.to_owned(),
            host: "10.%".to_owned(),
            verifiers: vec![Verifier::Empty],
            locked: true,
            requires: Requirement::None,
        },
    ];
    AccountBook {
        accounts: accounts.into_iter().collect(),
        run: RunEpoch(run),
        read_began: None,
    }
}

async fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(&dir.join("store.sqlite")).await.unwrap()
}

async fn live(store: &SqliteStore, name: &str) -> ClusterRow {
    let row = store
        .reserve(&wanted(name), None, &Strays::default())
        .await
        .unwrap();
    store.publish(row.id, &book(0, "root")).await.unwrap()
}

#[tokio::test]
async fn a_cluster_comes_back_whole_after_reopening() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let row = store
        .reserve(&wanted("demo"), Some(600_000..=600_010), &Strays::default())
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
    let (bad_book, bad_row, good) = (
        live(&store, "bad-book").await,
        live(&store, "bad-row").await,
        live(&store, "good").await,
    );
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
            &Strays::default(),
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
    store.set_limits(row.id, other).await.unwrap();
    store.close().await;
    assert_eq!(
        open(tmp.path()).await.load().await.unwrap()[0].limits,
        other
    );
}

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
        "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES (1), (2)",
        "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, connections_max, sleep_after_ms, \
         transaction_idle_max_ms, phase) VALUES (1, 'demo', 'demo', 'k7m2q9x4w3tz', 0, 5, 1000, 2000, 'live')",
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
        "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES (6)",
        "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, connections_max, sleep_after_ms, \
         transaction_idle_max_ms, phase) VALUES (1, 'demo', 'demo', 'k7m2q9x4w3tz', 0, 5, 1000, 2000, 'live')",
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
        .reserve(&wanted, None, &Strays::default())
        .await
        .unwrap();
    store.close().await;
    let rows = open(tmp.path()).await.load().await.unwrap();
    assert_eq!(rows[0].engine, ClusterEngine::default());
    assert_eq!(rows[1].engine, engine);
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
    let uids = || Some(600_000..=600_001);
    let none = Strays::default();
    let a = store.reserve(&wanted("a"), uids(), &none).await.unwrap();
    let b = store.reserve(&wanted("b"), uids(), &none).await.unwrap();
    assert_eq!((a.uid, b.uid), (Some(600_000), Some(600_001)));
    assert!(matches!(
        store.reserve(&wanted("c"), uids(), &none).await,
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
        store.reserve(&wanted("b"), uids(), &none).await,
        Err(StoreError::NoUidLeft)
    ));
    store.bury(b.id).await.unwrap();
    let c = store.reserve(&wanted("b"), uids(), &none).await.unwrap();
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
    let strays = Strays {
        id_max: 40,
        uids: BTreeSet::from([600_001]),
    };
    assert_eq!(
        store.reserve(&wanted("e"), None, &strays).await.unwrap().id,
        ClusterId(41)
    );
    assert!(matches!(
        store.reserve(&wanted("f"), uids(), &strays).await,
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
        "the journal stands beside the file: {files:?}"
    );
    for file in files {
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{file:?}");
    }
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

/// A book of so many accounts.
fn long_book(run: RunEpoch, accounts: usize) -> Arc<AccountBook> {
    let account = |n| Account {
        user: format!("user{n}"),
        host: "%".to_owned(),
        verifiers: vec![Verifier::Native([9; 20])],
        locked: false,
        requires: Requirement::None,
    };
    Arc::new(AccountBook {
        accounts: (0..accounts).map(account).collect(),
        run,
        read_began: None,
    })
}

#[tokio::test]
async fn a_login_that_wakes_passes_a_thousand_books() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path()).await;
    let id = live(&store, "demo").await.id;
    let saved = AtomicUsize::new(0);
    let book = long_book(RunEpoch(0), 1_000);
    // Each differs from the one before, or it would cost nothing.
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

/// A file system of its own and of few megabytes, mounted while this value lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u64) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let size = format!("size={megabytes}m");
        let mut mount = std::process::Command::new("mount");
        let mounted = mount
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(disk.0.path())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            not_run("no file system can be mounted here");
            return None;
        }
        Some(disk)
    }

    /// Takes all the room there is. The file that [`SmallDisk::free`] removes.
    fn fill(&self) {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.0.path().join("filler"))
            .unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }

    fn reserve(&self) -> bool {
        self.0.path().join("store.reserve").exists()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come about");
}

#[tokio::test]
async fn a_sleep_on_a_full_disk_is_recorded_from_the_reserve_or_waits_for_room() {
    let Some(disk) = SmallDisk::mount(48) else {
        return;
    };
    let store = Arc::new(open(disk.0.path()).await);
    until("the reserve", || disk.reserve()).await;
    let id = live(&store, "demo").await.id;
    let row = async || store.load().await.unwrap().remove(0);
    let mut run = store.begin_run(id).await.unwrap();
    disk.fill();
    // Accounts that were not there before: they need room in the journal.
    store.end_run(id, run, long_book(run, 5_000)).await.unwrap();
    assert!(
        !row().await.awake && !disk.reserve(),
        "the reserve was used"
    );
    assert!(!store.is_disk_full(), "nothing waits");

    // The reserve is gone, and this book needs more than what it left.
    let accounts = 40_000;
    run = store.begin_run(id).await.unwrap();
    disk.fill();
    let (ending, book) = (Arc::clone(&store), long_book(run, accounts));
    let waiting = tokio::spawn(async move { ending.end_run(id, run, book).await });
    until("a full disk", || store.is_disk_full()).await;
    assert!(
        row().await.awake,
        "what could not be written has not happened"
    );
    let key = KeyRow {
        id: "k".to_owned(),
        name: "n".repeat(64),
        hash: [1; 32],
        scopes: "all".to_owned(),
        created_unix: 0,
        expires_unix: None,
        used_unix: None,
    };
    let add = store.add_key(key.clone());
    assert!(!waiting.is_finished());
    disk.free();
    waiting.await.unwrap().unwrap();
    add.await.unwrap();
    let row = row().await;
    assert_eq!((row.awake, row.run, row.accounts_run), (false, run, run));
    until("the end of it", || !store.is_disk_full() && disk.reserve()).await;
    store.close().await;
    assert_eq!(
        open(disk.0.path())
            .await
            .book(id)
            .await
            .unwrap()
            .accounts
            .len(),
        accounts
    );
}

#[tokio::test]
async fn a_full_disk_is_told_to_operators_and_spoils_no_connection() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    let store = open(disk.0.path()).await;
    until("the reserve", || disk.reserve()).await;
    disk.fill();
    let name = |n: usize| format!("{n:064}");
    let key = |n: usize| KeyRow {
        id: name(n),
        name: name(n),
        hash: [u8::try_from(n % 251).unwrap(); 32].map(|b| b ^ u8::try_from(n / 251).unwrap()),
        scopes: "all".to_owned(),
        created_unix: 0,
        expires_unix: None,
        used_unix: None,
    };
    let mut made = 0;
    let refused = loop {
        match store.add_key(key(made)).await {
            Ok(()) => made += 1,
            Err(refused) => break refused,
        }
        disk.fill();
    };
    assert!(
        matches!(refused, StoreError::DiskFull),
        "{refused:?} after {made}"
    );
    assert!(disk.reserve(), "it is kept for sleeps");
    assert!(
        matches!(store.add_key(key(made)).await, Err(StoreError::DiskFull)),
        "again"
    );
    disk.free();
    store.add_key(key(made)).await.unwrap();
    assert_eq!(
        store.load_access().await.unwrap().keys.len(),
        made + 1,
        "none by halves"
    );
}

/// Says why a test does not run here, past its captured output: `script/test` counts it as skipped.
fn not_run(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
