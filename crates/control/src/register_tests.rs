//! Tests of the register.

use super::*;
use crate::limits;
use crate::store::{ClusterStore, HostStore, SqliteStore};
use crate::test_rows::{live_cluster, settled_cluster, unclean_cluster};
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
    let register = Register::open(Arc::new(store)).await.unwrap();
    let entry = register.insert(row).await;
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
    let register = Register::open(Arc::clone(&store) as _).await.unwrap();
    let ids: Vec<_> = rows.into_iter().map(|found| found.row.id).collect();
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
        let entry = register.by_id(*id, EntryUse::LookUp).await;
        let entry = entry.unwrap().unwrap();
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
    assert!(store.unsettled().await.unwrap().is_empty());
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

/// Lookups of one cluster, and creations and deletions of another, for four threads.
fn floods(busy: &Arc<ClusterEntry>, removals: &Arc<AtomicU64>) -> [Work; 4] {
    let prefix = busy.prefix.clone();
    let name = busy.name();
    let id = busy.id;
    let removed = Arc::clone(removals);
    let passing = Prefix::random().unwrap();
    [
        Box::new(move |register| {
            register.index().look_up(&prefix, PrefixTag(7));
        }),
        Box::new(move |register| drop(register.cache().by_name(&name))),
        Box::new(move |register| drop(register.in_memory(id))),
        Box::new(move |register| {
            register.index_mut().insert(&passing, ClusterId(900));
            removed.fetch_add(1, Ordering::Relaxed);
            register.index_mut().remove(ClusterId(900));
            register.cache_mut().remove(ClusterId(900));
        }),
    ]
}

/// A stuck reading of the accounts of one cluster delays its own logins only.
#[tokio::test(flavor = "multi_thread")]
async fn the_map_full_of_one_clusters_lookups_delays_no_login_to_another() {
    const LOGINS: usize = 60;
    // Half of the logins: the system may give the processor to another thread in the middle of a
    // few, on a busy machine.
    const LATEST: Duration = Duration::from_millis(16);
    let (_tmp, register, other) = one().await;
    for n in 0..3_000 {
        register.insert(settled_cluster(1_000 + n)).await;
    }
    let busy = register.insert(unclean_cluster(901)).await;
    let register = Arc::new(register);
    let done = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU64::new(0));
    let removals = Arc::new(AtomicU64::new(0));
    let floods = floods(&busy, &removals).map(|work| {
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
        let found = register.look_up(&other.prefix, PrefixTag(7)).await;
        let PrefixLookup::Cluster(found) = found.unwrap() else {
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

/// A store with so many clusters, and their prefixes.
async fn store_with(clusters: usize) -> (tempfile::TempDir, Register, Vec<Prefix>) {
    let tmp = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&tmp.path().join("store.sqlite"))
        .await
        .unwrap();
    let root = book(0, "root");
    let names: Vec<_> = (0..clusters).map(|n| format!("c{n}")).collect();
    let made = names.iter().map(|name| live_cluster(&store, name, &root));
    let made = join_all(made).await;
    let prefixes = made.into_iter().map(|found| found.row.prefix).collect();
    let register = Register::open(Arc::new(store)).await.unwrap();
    (tmp, register, prefixes)
}

async fn look_up(register: &Register, prefix: &Prefix) -> bool {
    // Spreads the twins over all clusters.
    let tag = prefix.as_str().bytes().fold(7, |tag: u64, byte| {
        tag.wrapping_mul(31).wrapping_add(byte.into())
    });
    match register.look_up(prefix, PrefixTag(tag)).await.unwrap() {
        PrefixLookup::Cluster(entry) => entry.prefix == *prefix,
        PrefixLookup::Twin(_) => false,
        PrefixLookup::Empty => panic!("there are clusters"),
    }
}

#[tokio::test]
async fn an_unknown_prefix_costs_the_reads_of_a_known_one_and_drops_no_used_cluster() {
    const CLUSTERS: usize = 1_300;
    let (_tmp, register, prefixes) = store_with(CLUSTERS).await;
    assert_eq!((register.count(), register.loads_made()), (CLUSTERS, 0));
    let used = &prefixes[..50];
    for prefix in used {
        let id = register.index().find(prefix).unwrap();
        let run = register.begin_run(id).await.unwrap();
        register
            .end_run(id, run, book(run.0, "root"))
            .await
            .unwrap();
    }
    let before = register.loads_made();
    assert_eq!(before, 50);
    // The first try of a prefix reads a cluster, real or not, and the second one reads nothing.
    let unknown: Vec<_> = (0..50).map(|_| Prefix::random().unwrap()).collect();
    for prefixes in [&prefixes[1_000..1_050], &unknown] {
        for prefix in prefixes {
            look_up(&register, prefix).await;
            let read = register.loads_made();
            look_up(&register, prefix).await;
            assert_eq!(register.loads_made(), read);
        }
    }
    // A storm of them.
    for _ in 0..3 * limits::ENTRIES_LOOKED_UP_MAX {
        assert!(!look_up(&register, &Prefix::random().unwrap()).await);
        let most = 50 + limits::ENTRIES_LOOKED_UP_MAX + limits::DROP_TRIES;
        assert!(register.entries() <= most);
    }
    let before = register.loads_made();
    for prefix in used {
        assert!(look_up(&register, prefix).await);
    }
    assert_eq!(register.loads_made(), before, "the used ones are in memory");
}

#[tokio::test]
async fn what_is_read_again_is_what_was_changed_last() {
    let (_tmp, register, prefixes) = store_with(limits::ENTRIES_LOOKED_UP_MAX + 50).await;
    let id = register.index().find(&prefixes[0]).unwrap();
    let entry = register.by_id(id, EntryUse::LookUp).await.unwrap().unwrap();
    let limits = tidegate_model::ClusterLimits {
        connections_max: 7,
        ..entry.limits()
    };
    let settings = entry.settings();
    let stored = register.store.set_cluster(id, limits, settings);
    entry.set_version(stored.await.unwrap());
    entry.set_limits(limits);
    let version = entry.version();
    let name = ClusterName::parse("other-name").unwrap();
    register.store.rename(id, name.clone()).await.unwrap();
    register.rename(&entry, name.clone());
    drop(entry);
    for prefix in &prefixes[1..] {
        assert!(look_up(&register, prefix).await);
    }
    assert!(register.in_memory(id).is_none(), "it was dropped");
    let again = register.by_name(&name).await.unwrap().unwrap();
    assert_eq!((again.id, again.limits().connections_max), (id, 7));
    assert!(again.version() > version);
    let former = ClusterName::parse("c0").unwrap();
    assert!(register.by_name(&former).await.unwrap().is_none());
    // A crowd reads it once, and gets the same entry.
    let before = register.loads_made();
    let id = register.index().find(&prefixes[1]).unwrap();
    register.cache_mut().remove(id);
    let crowd = join_all((0..100).map(|_| register.by_id(id, EntryUse::LookUp))).await;
    let crowd: Vec<_> = crowd.into_iter().map(|one| one.unwrap().unwrap()).collect();
    assert!(crowd.iter().all(|one| Arc::ptr_eq(one, &crowd[0])));
    assert_eq!(register.loads_made(), before + 1);
}

#[tokio::test]
async fn a_deleted_or_damaged_cluster_is_found_no_more() {
    let (_tmp, register, prefixes) = store_with(3).await;
    let id = register.index().find(&prefixes[0]).unwrap();
    // Another server deletes it.
    register.store.begin_delete(id, 0).await.unwrap();
    assert!(!look_up(&register, &prefixes[0]).await);
    assert_eq!(register.count(), 2);
    assert!(register.by_id(id, EntryUse::Work).await.unwrap().is_none());
}
