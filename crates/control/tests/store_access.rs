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
use tidegate_control::limits::{ANSWER_BYTES_PER_CALLER_MAX, ANSWERS_PER_CALLER_MAX};
use tidegate_control::store::{
    AccessStore, AnswerStore, ChangeFeed, ClusterStore, KeyRow, LinkRow, NewRequest,
    OperationClaim, OperationKind, OperationRow, OperationStore, Phase, Store, StoreError,
    StoredRequest,
};
use tidegate_control::{OPERATOR, WebSessionLife};

crate::over_sqlite!(
    an_operation_that_was_taken_over_changes_nothing_more,
    a_change_of_access_brings_all_of_it,
    a_link_is_redeemed_once_and_the_oldest_above_the_bound_goes,
    a_web_session_is_seen_until_it_ends,
    a_key_has_a_name_of_its_own,
    a_request_is_recorded_once_until_it_expires_or_is_forgotten,
    the_oldest_requests_of_a_caller_above_the_bounds_go,
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

    fn request(key: &str, caller: &str) -> NewRequest {
        NewRequest {
            key: key.to_owned(),
            caller: caller.to_owned(),
            note: b"begun".to_vec(),
            expires_unix: 100,
        }
    }

    fn answered(bytes: usize) -> StoredRequest {
        StoredRequest {
            note: b"done".to_vec(),
            answer: Some(vec![7; bytes]),
        }
    }

    pub async fn a_request_is_recorded_once_until_it_expires_or_is_forgotten(
        factory: &impl StoreFactory,
    ) {
        let store = factory.open().await;
        let mine = request("k", "me");
        let begun = StoredRequest {
            note: b"begun".to_vec(),
            answer: None,
        };
        assert_eq!(store.begin_request(mine.clone(), 5).await.unwrap(), None);
        store.close().await;
        let store = factory.open().await;
        let again = store.begin_request(mine.clone(), 50).await.unwrap();
        assert_eq!(again, Some(begun), "it was interrupted");
        store
            .note_request("k".to_owned(), answered(3))
            .await
            .unwrap();
        let again = store.begin_request(mine.clone(), 99).await.unwrap();
        assert_eq!(again, Some(answered(3)));
        assert_eq!(store.begin_request(mine.clone(), 100).await.unwrap(), None);
        store.forget_request("k".to_owned()).await.unwrap();
        assert_eq!(store.begin_request(mine, 5).await.unwrap(), None);
        // A request that is gone can't be noted.
        store
            .note_request("gone".to_owned(), answered(3))
            .await
            .unwrap();
        let gone = request("gone", "me");
        assert_eq!(store.begin_request(gone, 5).await.unwrap(), None);
    }

    /// Whether the store still has the record of a request. One that it has not is recorded.
    async fn is_kept(store: &impl Store, key: &str, caller: &str) -> bool {
        let found = store.begin_request(request(key, caller), 5).await;
        found.unwrap().is_some()
    }

    pub async fn the_oldest_requests_of_a_caller_above_the_bounds_go(factory: &impl StoreFactory) {
        let store = factory.open().await;
        assert!(!is_kept(&store, "other", "another").await);
        for n in 0..=ANSWERS_PER_CALLER_MAX {
            assert!(!is_kept(&store, &format!("k{n}"), "me").await);
        }
        assert!(is_kept(&store, "k1", "me").await);
        assert!(!is_kept(&store, "k0", "me").await, "the oldest");
        assert!(!is_kept(&store, "k1", "me").await, "it made room for k0");
        // A large answer takes the place of many.
        let large = usize::try_from(ANSWER_BYTES_PER_CALLER_MAX).unwrap() - 200;
        let noted = store.note_request("k500".to_owned(), answered(large));
        noted.await.unwrap();
        assert!(is_kept(&store, "k500", "me").await);
        assert!(is_kept(&store, "k0", "me").await, "the newest but it");
        assert!(!is_kept(&store, "k499", "me").await);
        assert!(is_kept(&store, "other", "another").await);
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
    pub async fn a_web_session_is_seen_until_it_ends(factory: &impl StoreFactory) {
        let store = factory.open().await;
        store.ensure_operator(OPERATOR, 5).await.unwrap();
        for n in [1, 2, 3] {
            let link = LinkRow {
                hash: [n; 32],
                // The third one has expired when it is redeemed.
                expires_unix: if n == 3 { 20 } else { 1_000 },
            };
            store.add_link(link, OPERATOR, 10).await.unwrap();
        }
        assert_eq!(redeem(&store, 3, 103).await, None);
        for n in [1, 2] {
            let operator = redeem(&store, n, 100 + n).await;
            assert_eq!(operator.as_deref(), Some(OPERATOR));
        }
        store.saw_web_session([101; 32], 77).await.unwrap();
        store.end_web_session([102; 32]).await.unwrap();
        store.close().await;
        let access = factory.open().await.load_access().await.unwrap();
        let [session] = access.sessions.as_slice() else {
            panic!("{:?}", access.sessions)
        };
        assert_eq!(
            (session.hash, session.created_unix, session.seen_unix),
            ([101; 32], 20, 77)
        );
    }

    pub async fn a_key_has_a_name_of_its_own(factory: &impl StoreFactory) {
        let store = factory.open().await;
        store.add_key(key("backup")).await.unwrap();
        let same = KeyRow {
            id: "other".to_owned(),
            hash: [99; 32],
            ..key("backup")
        };
        let refused = store.add_key(same.clone()).await;
        assert!(matches!(refused, Err(StoreError::KeyNameTaken)));
        store.saw_key("backup".to_owned(), 9).await.unwrap();
        store.close().await;
        let store = factory.open().await;
        let keys = store.load_access().await.unwrap().keys;
        assert_eq!((keys.len(), keys[0].used_unix), (1, Some(9)));
        store.remove_key("backup".to_owned()).await.unwrap();
        store.add_key(same).await.unwrap();
    }
}
