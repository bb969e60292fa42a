//! The store's interface: what it keeps across reopening, what it never gives out twice, and what
//! it says of changes. The same tests run over each database that can be a store.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::{StoreFactory, book, clusters, end_run, host_of, live, wanted};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::store::{
    ChangeFeed, ClusterStore, HostRow, HostStore, OperationClaim, Phase, Reservation, Store,
    StoreError,
};
use tidegate_model::{
    AccountBook, Accounts, ClusterId, ClusterLimits, ClusterName, ClusterSettings, ReadingOrder,
    RunEpoch,
};

crate::over_sqlite!(
    a_cluster_comes_back_whole_after_reopening,
    an_incomplete_book_comes_back_incomplete_and_a_changed_flag_alone_is_kept,
    limits_come_back_as_they_were_set,
    only_the_run_that_ends_makes_the_sleep_clean,
    numbers_names_and_prefixes_are_not_given_out_twice,
    a_user_number_is_of_one_cluster_until_it_is_released,
    a_renamed_cluster_keeps_its_prefix_and_frees_its_name,
    every_change_of_a_cluster_can_be_asked_for_and_runs_change_none,
    a_reader_that_asks_for_changes_meanwhile_misses_none,
);

mod suite {
    use super::*;

    pub async fn a_cluster_comes_back_whole_after_reopening(factory: &impl StoreFactory) {
        let store = factory.open().await;
        let row = store.reserve(wanted("demo")).await.unwrap();
        assert_eq!(row.phase, Phase::Creating);
        store.take_cluster(row.id, Some(600_000)).await.unwrap();
        let host = HostRow {
            uid: Some(600_000),
            ..HostRow::new(row.id)
        };
        assert_eq!(host_of(&store, row.id).await, Some(host));
        let made = store
            .publish(OperationClaim::of_new(row.id), &book(0, "root"))
            .await
            .unwrap();
        assert!(host.is_settled(made.book));
        assert_eq!(store.begin_run(row.id).await.unwrap(), RunEpoch(1));
        store
            .save_accounts(row.id, Arc::new(book(1, "app")))
            .await
            .unwrap();
        store.close().await;

        let store = factory.open().await;
        let rows = clusters(&store).await;
        let [back] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert_eq!(
            (back.id, &back.name, &back.prefix, back.version),
            (made.id, &made.name, &made.prefix, made.version)
        );
        assert_eq!(
            (back.phase, back.created_unix),
            (Phase::Live, 1_700_000_000)
        );
        assert_eq!(back.limits, ClusterLimits::default());
        let host = host_of(&store, row.id).await.unwrap();
        assert_eq!(
            (host.uid, host.run, back.book.run),
            (Some(600_000), RunEpoch(1), RunEpoch(1))
        );
        assert!(
            host.awake && !host.is_settled(back.book),
            "a run that did not end is not a clean sleep"
        );
        let kept = store.book(made.id).await.unwrap();
        assert_eq!(
            (kept.run, &kept.accounts),
            (RunEpoch(1), &book(1, "app").accounts)
        );
    }

    pub async fn an_incomplete_book_comes_back_incomplete_and_a_changed_flag_alone_is_kept(
        factory: &impl StoreFactory,
    ) {
        let store = factory.open().await;
        let id = live(&store, "demo").await.id;
        for (run, complete) in [(1, true), (2, false), (3, true)] {
            let bytes = book(1, "app").accounts.as_bytes().to_vec();
            let book = AccountBook {
                accounts: Accounts::from_bytes(bytes, complete).unwrap(),
                ..book(run, "app")
            };
            store.save_accounts(id, Arc::new(book)).await.unwrap();
            let back = store.book(id).await.unwrap();
            assert_eq!(
                (back.run, back.accounts.is_complete(), back.accounts.len()),
                (RunEpoch(run), complete, 2)
            );
            assert_eq!(clusters(&store).await[0].book.complete, complete);
        }
        let nobody = store.book(ClusterId(99)).await.unwrap();
        assert!(nobody.accounts.is_empty() && !nobody.accounts.is_complete());
    }

    async fn users(store: &impl Store, id: ClusterId) -> Vec<String> {
        let book = store.book(id).await.unwrap();
        book.accounts.iter().map(|a| a.user).collect()
    }

    pub async fn limits_come_back_as_they_were_set(factory: &impl StoreFactory) {
        let store = factory.open().await;
        let small = ClusterLimits {
            connections_max: 3,
            sleep_after: Duration::from_millis(1_500),
            transaction_idle_max: Duration::from_secs(7),
            memory_max_bytes: 256 << 20,
            disk_max_bytes: 9 << 40,
            cpu_weight: 7,
            tasks_max: 65,
        };
        let wanted = Reservation {
            limits: small,
            ..wanted("demo")
        };
        let row = store.reserve(wanted).await.unwrap();
        store
            .publish(OperationClaim::of_new(row.id), &book(0, "root"))
            .await
            .unwrap();
        assert_eq!(clusters(&store).await[0].limits, small);
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
        let again = clusters(&factory.open().await).await;
        assert_eq!(again[0].settings, settings);
        assert_eq!(again[0].limits, other);
    }

    pub async fn only_the_run_that_ends_makes_the_sleep_clean(factory: &impl StoreFactory) {
        let store = factory.open().await;
        let id = live(&store, "demo").await.id;
        let first = store.begin_run(id).await.unwrap();
        let second = store.begin_run(id).await.unwrap();
        assert!(
            store.end_run(id, first).await.is_err(),
            "an older run is not the one that is on"
        );
        assert!(host_of(&store, id).await.unwrap().awake);
        end_run(&store, id, second, Arc::new(book(2, "new"))).await;
        // The end of the older run, which was slow.
        store
            .save_accounts(id, Arc::new(book(1, "old")))
            .await
            .unwrap();
        let row = clusters(&store).await.remove(0);
        let host = host_of(&store, id).await.unwrap();
        assert!(host.is_settled(row.book));
        assert_eq!(
            (row.book.run, users(&store, id).await[0].as_str()),
            (RunEpoch(2), "new"),
            "a later run's book stays"
        );
        // Two readings of one run, which ended in another order than they began.
        for (order, user) in [(2, "later"), (1, "late")] {
            let reading = AccountBook {
                order: ReadingOrder(order),
                ..book(2, user)
            };
            store.save_accounts(id, Arc::new(reading)).await.unwrap();
        }
        let kept = store.book(id).await.unwrap();
        assert_eq!((kept.run, kept.order), (RunEpoch(2), ReadingOrder(2)));
        assert_eq!(users(&store, id).await[0], "later");
        // As after a crash between the two records of an end.
        let third = store.begin_run(id).await.unwrap();
        store.end_run(id, third).await.unwrap();
        let host = host_of(&store, id).await.unwrap();
        assert!(
            !host.awake && !host.is_settled(row.book),
            "its accounts are those of the run before"
        );
    }

    pub async fn numbers_names_and_prefixes_are_not_given_out_twice(factory: &impl StoreFactory) {
        let store = factory.open().await;
        let a = store.reserve(wanted("a")).await.unwrap();
        let b = store.reserve(wanted("b")).await.unwrap();
        let same_name = store.reserve(wanted("a")).await;
        assert!(matches!(same_name, Err(StoreError::NameTaken(_))));
        let b_claim = store.begin_delete(b.id, 0).await.unwrap();
        let again = store.reserve(wanted("b")).await.unwrap();
        assert_eq!(again.name, b.name, "the name is free at once");
        for (gone, claim) in [(&a, OperationClaim::of_new(a.id)), (&b, b_claim)] {
            store.bury(claim).await.unwrap();
            let same_prefix = Reservation {
                prefix: gone.prefix.clone(),
                ..wanted("c")
            };
            let refused = store.reserve(same_prefix).await;
            assert!(matches!(refused, Err(StoreError::PrefixTaken)));
            let same_number = Reservation {
                id: gone.id,
                ..wanted("c")
            };
            let refused = store.reserve(same_number).await;
            assert!(matches!(refused, Err(StoreError::IdTaken)));
        }
    }

    /// Free user numbers of a small range, each with whether a cluster has had it.
    async fn free_users(store: &impl Store, skip: &[u32]) -> Vec<(u32, bool)> {
        let skip = BTreeSet::from_iter(skip.iter().copied());
        let found = store.uid_candidates(600_000..=600_002, 9, &skip);
        let found = found.await.unwrap().into_iter();
        found.map(|one| (one.uid, one.used_before)).collect()
    }

    /// Deletes the record of a cluster.
    async fn bury(store: &impl Store, id: ClusterId) {
        let claim = store.begin_delete(id, 0).await.unwrap();
        store.bury(claim).await.unwrap();
    }

    pub async fn a_user_number_is_of_one_cluster_until_it_is_released(factory: &impl StoreFactory) {
        let store = factory.open().await;
        let a = live(&store, "a").await.id;
        let b = live(&store, "b").await.id;
        store.take_cluster(a, Some(600_000)).await.unwrap();
        store.take_cluster(a, Some(600_000)).await.unwrap();
        let taken = store.take_cluster(b, Some(600_000)).await;
        assert!(matches!(taken, Err(StoreError::NoUidLeft)));
        store.set_uids(vec![(b, 600_001)]).await.unwrap();
        assert_eq!(free_users(&store, &[]).await, [(600_002, false)]);
        assert_eq!(free_users(&store, &[600_002]).await, []);
        // Gone from the shared records, but its files may be there.
        bury(&store, a).await;
        assert_eq!(free_users(&store, &[]).await, [(600_002, false)]);
        store.release_cluster(a).await.unwrap();
        store.release_cluster(a).await.unwrap();
        assert_eq!(
            free_users(&store, &[]).await,
            [(600_002, false), (600_000, true)]
        );
        assert!(matches!(
            store.begin_run(a).await,
            Err(StoreError::Unknown(_))
        ));
        store.release_cluster(b).await.unwrap();
        let all = [(600_002, false), (600_000, true), (600_001, true)];
        assert_eq!(
            free_users(&store, &[]).await,
            all,
            "the one freed longest ago is first"
        );
    }

    pub async fn a_renamed_cluster_keeps_its_prefix_and_frees_its_name(
        factory: &impl StoreFactory,
    ) {
        let store = factory.open().await;
        let first = live(&store, "first").await;
        live(&store, "second").await;
        let second = ClusterName::parse("second").unwrap();
        let taken = store.rename(first.id, second).await.unwrap_err();
        assert!(matches!(taken, StoreError::NameTaken(_)), "{taken}");
        let third = ClusterName::parse("third").unwrap();
        store.rename(first.id, third).await.unwrap();
        live(&store, "first").await;
        store.close().await;
        let rows = clusters(&factory.open().await).await;
        let names: Vec<_> = rows.iter().map(|row| row.name.to_string()).collect();
        assert_eq!(names, ["first", "second", "third"]);
        assert_eq!(rows[2].prefix, first.prefix);
    }

    /// Clusters that have changed since the version, which moves on.
    async fn changed(store: &impl Store, version: &mut u64) -> Vec<(ClusterId, u64)> {
        let changes = store.changes(*version).await.unwrap();
        assert!(!changes.more && changes.version >= *version);
        *version = changes.version;
        let rows = changes.clusters.iter();
        rows.map(|row| (row.id, row.version)).collect()
    }

    pub async fn every_change_of_a_cluster_can_be_asked_for_and_runs_change_none(
        factory: &impl StoreFactory,
    ) {
        let store = factory.open().await;
        let other = live(&store, "other").await;
        let mut seen = store.load().await.unwrap().version;
        assert_eq!(changed(&store, &mut seen).await, []);
        let row = store.reserve(wanted("demo")).await.unwrap();
        assert_eq!(changed(&store, &mut seen).await, [(row.id, row.version)]);
        store.take_cluster(row.id, None).await.unwrap();
        assert_eq!(changed(&store, &mut seen).await, []);
        let made = store
            .publish(OperationClaim::of_new(row.id), &book(0, "root"))
            .await
            .unwrap();
        assert!(made.version > row.version);
        assert_eq!(changed(&store, &mut seen).await, [(row.id, made.version)]);

        let run = store.begin_run(row.id).await.unwrap();
        assert_eq!(changed(&store, &mut seen).await, []);
        end_run(&store, row.id, run, Arc::new(book(1, "app"))).await;
        assert_eq!(
            changed(&store, &mut seen).await,
            [(row.id, made.version)],
            "its book has changed, and its record has the same version"
        );

        let name = ClusterName::parse("new-name").unwrap();
        let renamed = store.rename(row.id, name).await.unwrap();
        assert_eq!(changed(&store, &mut seen).await, [(row.id, renamed)]);
        let set = store.set_cluster(row.id, made.limits, made.settings);
        let set = set.await.unwrap();
        assert!(set > renamed);
        assert_eq!(changed(&store, &mut seen).await, [(row.id, set)]);
        let claim = store.begin_delete(row.id, 0).await.unwrap();
        let hidden = store.changes(seen).await.unwrap().clusters;
        assert_eq!(hidden[0].phase, Phase::Deleting);
        changed(&store, &mut seen).await;
        store.bury(claim).await.unwrap();
        let gone = store.changes(seen).await.unwrap().clusters;
        assert_eq!((gone[0].id, gone[0].phase), (row.id, Phase::Gone));
        let all = clusters(&store).await;
        assert_eq!((all.len(), all[0].id), (1, other.id));
        store.close().await;
        let store = factory.open().await;
        assert!(store.changes(seen).await.unwrap().version > seen);
    }

    pub async fn a_reader_that_asks_for_changes_meanwhile_misses_none(factory: &impl StoreFactory) {
        const WRITERS: usize = 4;
        const EACH: usize = 25;
        let store = factory.open().await;
        let write = async |writer: usize| {
            for n in 0..EACH {
                live(&store, &format!("w{writer}-{n}")).await;
            }
        };
        let writers = futures_util::future::join_all((0..WRITERS).map(write));
        let mut seen = 0;
        let mut phases = std::collections::HashMap::new();
        let read = async {
            let live = |(_, phase): (&ClusterId, &Phase)| *phase == Phase::Live;
            while phases.iter().filter(|one| live(*one)).count() < WRITERS * EACH {
                let changes = store.changes(seen).await.unwrap();
                seen = changes.version;
                phases.extend(changes.clusters.iter().map(|row| (row.id, row.phase)));
                tokio::task::yield_now().await;
            }
        };
        let both = async { tokio::join!(writers, read) };
        tokio::time::timeout(Duration::from_secs(60), both)
            .await
            .unwrap();
        assert_eq!(phases.len(), WRITERS * EACH);
    }
}
