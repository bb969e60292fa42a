//! The store's interface: operations under way, links, sessions, keys, and answers to requests. The
//! same tests run over each database that can be a store.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::{StoreFactory, book, clusters, live, wanted};
use tidegate_control::limits::ANSWERS_MAX;
use tidegate_control::store::{
    AccessStore, AnswerStore, ChangeFeed, ClusterStore, KeyRow, LinkRow, OperationClaim,
    OperationKind, OperationRow, OperationStore, Phase, Store, StoreError, StoredAnswer,
};
use tidegate_control::{OPERATOR, WebSessionLife};

crate::over_sqlite!(
    an_operation_that_was_taken_over_changes_nothing_more,
    a_change_of_access_brings_all_of_it,
    a_link_is_redeemed_once_and_the_oldest_above_the_bound_goes,
    an_answer_comes_back_until_it_expires_and_the_oldest_above_the_bound_goes,
);

mod suite {
    use super::*;

    fn operation(kind: OperationKind, claim: OperationClaim) -> OperationRow {
        OperationRow { kind, claim }
    }

    pub async fn an_operation_that_was_taken_over_changes_nothing_more(
        factory: &impl StoreFactory,
    ) {
        let store = factory.open().await;
        let id = store.reserve(wanted("demo")).await.unwrap().id;
        let first = OperationClaim::of_new(id);
        assert_eq!(
            store.operations().await.unwrap(),
            [operation(OperationKind::Create, first)]
        );
        let second = store.begin_delete(id, 5).await.unwrap();
        assert_ne!(first, second);
        let late = store.publish(first, &book(0, "root")).await;
        assert!(matches!(late, Err(StoreError::TakenOver(_))), "{late:?}");
        let late = store.bury(first).await;
        assert!(matches!(late, Err(StoreError::TakenOver(_))), "{late:?}");
        assert_eq!(clusters(&store).await[0].phase, Phase::Deleting);
        store.close().await;
        let store = factory.open().await;
        assert_eq!(
            store.operations().await.unwrap(),
            [operation(OperationKind::Delete, second)]
        );
        store.bury(second).await.unwrap();
        assert_eq!(store.operations().await.unwrap(), []);
        assert!(store.bury(second).await.is_err(), "once");

        let id = live(&store, "other").await.id;
        assert_eq!(store.operations().await.unwrap(), []);
        let password = OperationKind::Password;
        let first = store.begin_operation(id, password, 5).await.unwrap();
        let second = store.begin_operation(id, password, 6).await.unwrap();
        assert!(store.end_operation(first).await.is_err());
        assert_eq!(
            store.operations().await.unwrap(),
            [operation(password, second)]
        );
        store.end_operation(second).await.unwrap();
        assert_eq!(store.operations().await.unwrap(), []);
    }

    fn key(name: &str) -> KeyRow {
        KeyRow {
            id: name.to_owned(),
            name: name.to_owned(),
            hash: [name.as_bytes()[0]; 32],
            scopes: "all".to_owned(),
            created_unix: 5,
            expires_unix: None,
            used_unix: None,
        }
    }

    pub async fn a_change_of_access_brings_all_of_it(factory: &impl StoreFactory) {
        let store = factory.open().await;
        store.ensure_operator(OPERATOR, 5).await.unwrap();
        store.add_key(key("backup")).await.unwrap();
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded.access.unwrap().keys.len(), 1);
        live(&store, "demo").await;
        let other = store.changes(loaded.version).await.unwrap();
        assert!(other.access.is_none(), "a cluster is no change of access");
        store.saw_key("backup".to_owned(), 9).await.unwrap();
        let used = store.changes(other.version).await.unwrap();
        assert!(used.access.is_none(), "nor is a use");
        store.add_key(key("deploy")).await.unwrap();
        store.remove_key("backup".to_owned()).await.unwrap();
        let changes = store.changes(used.version).await.unwrap();
        assert!(changes.clusters.is_empty());
        let keys = changes.access.unwrap().keys;
        assert_eq!((keys.len(), keys[0].name.as_str()), (1, "deploy"));
    }

    fn answer(n: usize) -> StoredAnswer {
        StoredAnswer {
            request_hash: [7; 32],
            answer: n.to_string().into_bytes(),
            expires_unix: 100,
        }
    }

    pub async fn an_answer_comes_back_until_it_expires_and_the_oldest_above_the_bound_goes(
        factory: &impl StoreFactory,
    ) {
        let store = factory.open().await;
        let saves = (0..=ANSWERS_MAX).map(|n| store.save_answer(format!("k{n}"), answer(n), 5));
        for save in saves {
            save.await.unwrap();
        }
        store
            .save_answer("k9".to_owned(), answer(77), 5)
            .await
            .unwrap();
        store.close().await;
        let store = factory.open().await;
        assert_eq!(store.answer("k0", 50).await.unwrap(), None, "the oldest");
        assert_eq!(store.answer("k1", 50).await.unwrap(), Some(answer(1)));
        assert_eq!(store.answer("k9", 50).await.unwrap(), Some(answer(77)));
        assert_eq!(store.answer("k1", 100).await.unwrap(), None, "expired");
    }

    async fn redeem(store: &impl Store, link: u8, session: u8) -> Option<String> {
        let life = WebSessionLife::default();
        let done = store.redeem([link; 32], [session; 32], 20, life);
        done.await.unwrap()
    }

    pub async fn a_link_is_redeemed_once_and_the_oldest_above_the_bound_goes(
        factory: &impl StoreFactory,
    ) {
        const MOST: u8 = 16;
        let store = factory.open().await;
        store.ensure_operator(OPERATOR, 5).await.unwrap();
        // Made in one second, so that only the order of their making tells them apart.
        for n in 0..=MOST {
            let link = LinkRow {
                hash: [n; 32],
                expires_unix: 1_000,
            };
            store.add_link(link, OPERATOR, 10).await.unwrap();
        }
        assert_eq!(redeem(&store, 0, 100).await, None, "the oldest");
        assert_eq!(redeem(&store, 1, 101).await.as_deref(), Some(OPERATOR));
        assert_eq!(redeem(&store, 1, 102).await, None, "once");
        let access = store.load_access().await.unwrap();
        assert_eq!(
            (access.links.len(), access.sessions.len()),
            (usize::from(MOST) - 1, 1)
        );
    }
}
