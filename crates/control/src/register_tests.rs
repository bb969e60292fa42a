//! Tests of the register.

use super::*;
use crate::store::{Reservation, SqliteStore, Strays};
use futures_util::future::join_all;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tidegate_model::{Account, ClusterEngine, ClusterLimits, Requirement};

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
        read_began: Some(Instant::now()),
    })
}

async fn one() -> (tempfile::TempDir, Register, Arc<ClusterEntry>) {
    let tmp = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&tmp.path().join("store.sqlite"))
        .await
        .unwrap();
    let wanted = Reservation {
        name: ClusterName::parse("demo").unwrap(),
        prefix: Prefix::random().unwrap(),
        created_unix: 0,
        engine: ClusterEngine::default(),
        limits: ClusterLimits::default(),
    };
    let row = store
        .reserve(&wanted, None, &Strays::default())
        .await
        .unwrap();
    let row = store.publish(row.id, &book(0, "root")).await.unwrap();
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

#[tokio::test]
async fn a_mismatch_is_a_verdict_only_between_runs() {
    let (_tmp, register, entry) = one().await;
    let tenant = async |asleep| register.tenant(&entry, asleep, &claim()).await.unwrap();
    assert!(tenant(true).await.settled && !tenant(false).await.settled);
    let run = register.begin_run(entry.id).await.unwrap();
    assert!(
        !tenant(true).await.settled,
        "whoever asked the engine before the run began learns it here"
    );
    register
        .save_accounts(entry.id, book(run.0, "seen"))
        .await
        .unwrap();
    assert!(!tenant(true).await.settled);
    assert_eq!(tenant(true).await.accounts[0].user, "seen");
    register
        .end_run(entry.id, run, book(run.0, "last"))
        .await
        .unwrap();
    let tenant = tenant(true).await;
    assert!(tenant.settled);
    assert_eq!(tenant.accounts[0].user, "last");
}

#[tokio::test]
async fn a_run_that_could_not_be_noted_has_not_begun() {
    let (_tmp, register, entry) = one().await;
    assert!(
        register
            .tenant(&entry, true, &claim())
            .await
            .unwrap()
            .settled
    );
    register.store.close().await;
    assert!(register.begin_run(entry.id).await.is_err());
    assert!(
        register
            .tenant(&entry, true, &claim())
            .await
            .unwrap()
            .settled
    );
}

/// The stop of a large server: all awake clusters end their runs at once.
#[tokio::test]
async fn two_thousand_runs_end_together_in_a_few_transactions() {
    const CLUSTERS: usize = 2_000;
    let tmp = tempfile::tempdir().unwrap();
    let file = tmp.path().join("store.sqlite");
    let store = Arc::new(SqliteStore::open(&file).await.unwrap());
    let make = async |n: usize| {
        let wanted = Reservation {
            name: ClusterName::parse(&format!("c{n}")).unwrap(),
            prefix: Prefix::random().unwrap(),
            created_unix: 0,
            engine: ClusterEngine::default(),
            limits: ClusterLimits::default(),
        };
        let row = store
            .reserve(&wanted, None, &Strays::default())
            .await
            .unwrap();
        store.publish(row.id, &book(0, "root")).await.unwrap()
    };
    let rows = join_all((0..CLUSTERS).map(make)).await;
    let register = Register::new(Arc::clone(&store) as _);
    let ids: Vec<_> = rows
        .into_iter()
        .map(|row| register.insert(row).id)
        .collect();
    let runs = join_all(ids.iter().map(|id| register.begin_run(*id))).await;
    let before = store.commits();
    // Every tenth has new accounts, and one has as many as may be.
    let read = |n: usize| match n {
        7 => {
            let one = book(1, "app").accounts.iter().next().unwrap();
            let accounts = vec![one; 20_000].into_iter().collect();
            Arc::new(AccountBook {
                accounts,
                run: RunEpoch(1),
                read_began: None,
            })
        }
        n if n % 10 == 0 => book(1, "app"),
        _ => book(1, "root"),
    };
    let ends = ids.iter().zip(&runs).enumerate();
    let ends = ends.map(|(n, (id, run))| register.end_run(*id, run.clone().unwrap(), read(n)));
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
                .settled,
            "{id}"
        );
    }
    store.close().await;
    let store = SqliteStore::open(&file).await.unwrap();
    let rows = store.load().await.unwrap();
    assert_eq!(
        (rows.len(), rows.iter().filter(|row| row.awake).count()),
        (CLUSTERS, 0)
    );
    let first = async |n: usize| {
        store
            .book(ids[n])
            .await
            .unwrap()
            .accounts
            .iter()
            .next()
            .unwrap()
            .user
    };
    assert_eq!(store.book(ids[7]).await.unwrap().accounts.len(), 20_000);
    assert_eq!(
        (first(10).await.as_str(), first(11).await.as_str()),
        ("app", "root")
    );
}

#[tokio::test]
async fn a_book_is_read_from_the_store_once_and_again_when_a_later_run_has_replaced_it() {
    let (_tmp, register, entry) = one().await;
    let reads = async || {
        register.tenant(&entry, true, &claim()).await.unwrap();
        register.books().reads_made()
    };
    assert_eq!((reads().await, reads().await), (1, 1));
    register.books().forget(entry.id);
    assert_eq!((reads().await, reads().await), (2, 2));
    // As if the store were ahead of the memory.
    let run = register.begin_run(entry.id).await.unwrap();
    register
        .store
        .end_run(entry.id, run, book(run.0, "last"))
        .await
        .unwrap();
    entry.accounts().book_run = run;
    assert_eq!(reads().await, 3);
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

/// Logins to one cluster, lists with its key, and its creation and deletion again and again, as fast
/// as four threads can. A stuck reading of its accounts keeps its own logins only.
#[tokio::test(flavor = "multi_thread")]
async fn the_map_full_of_one_clusters_lookups_delays_no_login_to_another() {
    const LOGINS: usize = 300;
    const LATEST: Duration = Duration::from_secs(1);
    let (_tmp, register, other) = one().await;
    let row = register.store.load().await.unwrap().remove(0);
    let named = |n: u64, name: String| ClusterRow {
        id: ClusterId(n),
        name: ClusterName::parse(&name).unwrap(),
        prefix: Prefix::random().unwrap(),
        ..row.clone()
    };
    for n in 0..3_000 {
        register.insert(named(1_000 + n, format!("c{n}")));
    }
    let busy_row = named(900, "busy".to_owned());
    let busy = register.insert(busy_row.clone());
    let (prefix, name) = (busy.prefix.clone(), busy.name.clone());
    let register = Arc::new(register);
    let done = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU64::new(0));
    let flood = |work: Box<dyn Fn(&Register) + Send>| {
        let (register, done, rounds) = (
            Arc::clone(&register),
            Arc::clone(&done),
            Arc::clone(&rounds),
        );
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                work(&register);
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let floods = [
        flood(Box::new(move |register| {
            drop(register.look_up(&prefix, PrefixTag(7)));
        })),
        flood(Box::new(move |register| drop(register.by_name(&name)))),
        flood(Box::new(|register| drop(register.all()))),
        flood(Box::new(move |register| {
            let entry = register.insert(busy_row.clone());
            register.remove(&entry);
        })),
    ];
    let stuck = busy.book_read.lock().await;
    let began = Instant::now();
    for _ in 0..LOGINS {
        let PrefixLookup::Cluster(found) = register.look_up(&other.prefix, PrefixTag(7)) else {
            panic!("it is there");
        };
        assert_eq!(found.id, other.id);
    }
    for _ in 0..10 {
        // Its book is read from the store each time.
        register.books().forget(other.id);
        assert!(register.tenant(&other, true, &claim()).await.is_ok());
    }
    let took = began.elapsed();
    done.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|thread| thread.join().unwrap());
    drop(stuck);
    assert!(rounds.load(Ordering::Relaxed) > LOGINS as u64, "a flood");
    assert!(took < LATEST, "{LOGINS} logins took {took:?}");
}
