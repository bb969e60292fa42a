//! Tests of the register.

use super::*;
use crate::store::{ClusterStore, HostStore, SqliteStore};
use crate::test_rows::{live_cluster, unclean_cluster};
use futures_util::future::join_all;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tidegate_model::{Account, ReadingOrder, Requirement};

fn book(run: u64, user: &str) -> Arc<AccountBook> {
    let account = Account {
        user: user.to_owned(),
        host: "%".to_owned(),
        verifiers: vec![],
        locked: false,
        requires: Requirement::None,
    };
    let accounts = [account].into_iter().collect();
    Arc::new(AccountBook {
        accounts,
        run: RunEpoch(run),
        order: ReadingOrder(1),
    })
}

async fn one() -> (tempfile::TempDir, Register, Arc<ClusterEntry>) {
    let tmp = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&tmp.path().join("store.sqlite"))
        .await
        .unwrap();
    let row = live_cluster(&store, "demo", &book(0, "root")).await;
    let register = Register::new(Arc::new(store));
    let entry = register.insert(row);
    (tmp, register, entry)
}

fn claim() -> Claim {
    let names = ["root", "seen", "last"].map(str::to_owned).to_vec();
    Claim {
        names,
        client: "203.0.113.9".parse().unwrap(),
    }
}

async fn tenant(register: &Register, entry: &ClusterEntry, asleep: bool) -> Tenant {
    register.tenant(entry, asleep, &claim()).await.unwrap()
}

/// Reads the tenant, and returns how many books have been read from the store so far.
async fn reads_after_a_lookup(register: &Register, entry: &ClusterEntry) -> u64 {
    tenant(register, entry, true).await;
    register.books().reads_made()
}

/// Accounts of the cluster at this position, for the end of its run.
fn accounts_read(n: usize) -> Arc<AccountBook> {
    if n == 7 {
        let account = book(1, "app").accounts.iter().next().unwrap();
        return Arc::new(AccountBook {
            accounts: vec![account; 20_000].into_iter().collect(),
            run: RunEpoch(1),
            order: ReadingOrder::default(),
        });
    }
    book(1, if n.is_multiple_of(10) { "app" } else { "root" })
}

async fn first_user(store: &SqliteStore, id: ClusterId) -> String {
    let book = store.book(id).await.unwrap();
    book.accounts.iter().next().unwrap().user
}

#[tokio::test]
async fn a_mismatch_is_a_verdict_only_between_runs() {
    let (_tmp, register, entry) = one().await;
    assert!(tenant(&register, &entry, true).await.accounts_current);
    assert!(!tenant(&register, &entry, false).await.accounts_current);
    let run = register.begin_run(entry.id).await.unwrap();
    assert!(
        !tenant(&register, &entry, true).await.accounts_current,
        "the engine's state was read before the run began"
    );
    register
        .save_accounts(entry.id, book(run.0, "seen"))
        .await
        .unwrap();
    assert!(!tenant(&register, &entry, true).await.accounts_current);
    assert_eq!(
        tenant(&register, &entry, true).await.accounts[0].user,
        "seen"
    );
    register
        .end_run(entry.id, run, book(run.0, "last"))
        .await
        .unwrap();
    let tenant = tenant(&register, &entry, true).await;
    assert!(tenant.accounts_current);
    assert_eq!(tenant.accounts[0].user, "last");
}

#[tokio::test]
async fn a_run_that_could_not_be_noted_has_not_begun() {
    let (_tmp, register, entry) = one().await;
    assert!(tenant(&register, &entry, true).await.accounts_current);
    register.store.close().await;
    assert!(register.begin_run(entry.id).await.is_err());
    assert!(tenant(&register, &entry, true).await.accounts_current);
}

/// Simulates the stop of a large server: all awake clusters end their runs at once.
#[tokio::test]
async fn two_thousand_runs_end_together_in_a_few_transactions() {
    const CLUSTERS: usize = 2_000;
    let tmp = tempfile::tempdir().unwrap();
    let file = tmp.path().join("store.sqlite");
    let store = Arc::new(SqliteStore::open(&file).await.unwrap());
    let book_of_root = book(0, "root");
    let names: Vec<_> = (0..CLUSTERS).map(|n| format!("c{n}")).collect();
    let made = names
        .iter()
        .map(|name| live_cluster(&store, name, &book_of_root));
    let rows = join_all(made).await;
    let register = Register::new(Arc::clone(&store) as _);
    let ids: Vec<_> = rows
        .into_iter()
        .map(|row| register.insert(row).id)
        .collect();
    let runs = join_all(ids.iter().map(|id| register.begin_run(*id))).await;
    let before = store.commits();
    // Every tenth has new accounts, and one has very many.
    let ends = ids.iter().zip(&runs).enumerate();
    let ends =
        ends.map(|(n, (id, run))| register.end_run(*id, run.clone().unwrap(), accounts_read(n)));
    assert!(join_all(ends).await.iter().all(Result::is_ok));
    let commits = store.commits() - before;
    assert!(commits <= 20, "{commits} transactions for {CLUSTERS} runs");
    for id in &ids {
        let entry = register.by_id(*id).unwrap();
        assert!(
            register
                .tenant(&entry, true, &claim())
                .await
                .unwrap()
                .accounts_current,
            "{id}"
        );
    }
    store.close().await;
    let store = SqliteStore::open(&file).await.unwrap();
    let hosts = store.host_rows().await.unwrap();
    assert_eq!(
        (hosts.len(), hosts.iter().filter(|host| host.awake).count()),
        (CLUSTERS, 0)
    );
    assert_eq!(store.book(ids[7]).await.unwrap().accounts.len(), 20_000);
    assert_eq!(
        (
            first_user(&store, ids[10]).await.as_str(),
            first_user(&store, ids[11]).await.as_str()
        ),
        ("app", "root")
    );
}

#[tokio::test]
async fn a_book_is_read_from_the_store_once_and_again_when_a_later_run_has_replaced_it() {
    let (_tmp, register, entry) = one().await;
    for _ in 0..2 {
        assert_eq!(reads_after_a_lookup(&register, &entry).await, 1);
    }
    register.books().forget(entry.id);
    for _ in 0..2 {
        assert_eq!(reads_after_a_lookup(&register, &entry).await, 2);
    }
    // Makes the store newer than the memory.
    let run = register.begin_run(entry.id).await.unwrap();
    let last = book(run.0, "last");
    register.store.save_accounts(entry.id, last).await.unwrap();
    register.store.end_run(entry.id, run).await.unwrap();
    entry.accounts().book_run = run;
    assert_eq!(reads_after_a_lookup(&register, &entry).await, 3);
    assert_eq!(
        register
            .tenant(&entry, true, &claim())
            .await
            .unwrap()
            .accounts[0]
            .user,
        "last"
    );
}

/// Work on the register that a thread repeats.
type Work = Box<dyn Fn(&Register) + Send>;

/// Logins to one cluster, lists of clusters, and its creation and deletion, repeated as fast as
/// four threads can. A stuck reading of its accounts delays its own logins only.
#[tokio::test(flavor = "multi_thread")]
async fn the_map_full_of_one_clusters_lookups_delays_no_login_to_another() {
    const LOGINS: usize = 60;
    // Half of the logins: the system may give the processor to another thread in the middle of a
    // few, on a busy machine.
    const LATEST: Duration = Duration::from_millis(16);
    let (_tmp, register, other) = one().await;
    for n in 0..3_000 {
        register.insert(unclean_cluster(1_000 + n));
    }
    let busy_row = unclean_cluster(900);
    let busy = register.insert(busy_row.clone());
    let prefix = busy.prefix.clone();
    let name = busy.name();
    let register = Arc::new(register);
    let done = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU64::new(0));
    let removals = Arc::new(AtomicU64::new(0));
    let removed = Arc::clone(&removals);
    let floods: [Work; 4] = [
        Box::new(move |register| drop(register.look_up(&prefix, PrefixTag(7)))),
        Box::new(move |register| drop(register.by_name(&name))),
        Box::new(|register| drop(register.all())),
        Box::new(move |register| {
            let entry = register.insert(busy_row.clone());
            removed.fetch_add(1, Ordering::Relaxed);
            register.remove(&entry);
        }),
    ];
    let floods = floods.map(|work| {
        let register = Arc::clone(&register);
        let done = Arc::clone(&done);
        let rounds = Arc::clone(&rounds);
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                work(&register);
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let stuck = busy.book_read.lock().await;
    let mut took = Vec::new();
    for _ in 0..LOGINS {
        // Each login meets a deletion that has just begun.
        let seen = removals.load(Ordering::Relaxed);
        while removals.load(Ordering::Relaxed) == seen {
            std::thread::yield_now();
        }
        let began = Instant::now();
        let PrefixLookup::Cluster(found) = register.look_up(&other.prefix, PrefixTag(7)) else {
            panic!("it is there");
        };
        took.push(began.elapsed());
        assert_eq!(found.id, other.id);
    }
    for _ in 0..10 {
        // Its book is read from the store each time.
        register.books().forget(other.id);
        assert!(register.tenant(&other, true, &claim()).await.is_ok());
    }
    done.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|thread| thread.join().unwrap());
    drop(stuck);
    assert!(rounds.load(Ordering::Relaxed) > LOGINS as u64, "a flood");
    took.sort();
    assert!(took[LOGINS / 2] < LATEST, "they took {took:?}");
}
