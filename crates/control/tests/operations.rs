//! Operations over real engines.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::{Server, find, find_bytes, named, root_claim, seen};
use std::time::{Duration, Instant};
use tidegate_control::store::{ChangeFeed, Phase, SqliteStore, Store};
use tidegate_control::{ControlError, ErrorCode, LimitsChange, NewCluster, SessionsWanted};
use tidegate_model::{ClusterLimits, ClusterName, ClusterState, Directory, SessionId, Verifier};

fn main() {
    common::run(vec![
        common::test(
            "a_new_cluster_is_asleep_and_known_by_its_hash_only",
            a_new_cluster,
        ),
        common::test("names_and_limits_that_will_not_do_are_refused", refused),
        common::test(
            "limits_change_for_lookups_and_for_the_next_start",
            new_limits,
        ),
        common::test("a_new_password_is_read_back_and_the_old_one_ends", password),
        common::test("no_password_ever_lies_on_the_disk", no_clear_password),
        common::test("a_deleted_cluster_leaves_nothing", deleted),
        common::test("an_operation_ends_although_its_caller_left", left),
    ]);
}

async fn a_new_cluster() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    assert_eq!(
        (made.cluster.state, made.cluster.sessions),
        (ClusterState::Asleep, 0)
    );
    assert_eq!(made.password.len(), 16);
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.accounts_current);
    assert_eq!(tenant.accounts.len(), 1);
    assert_eq!(
        tenant.accounts[0].verifiers,
        [Verifier::Native(common::stage2(&made.password))]
    );

    let other = server
        .control
        .create_cluster(NewCluster::default())
        .await
        .unwrap();
    assert_ne!(other.cluster.prefix, made.cluster.prefix);
    assert_ne!(*other.password, *made.password);
    let clusters = server.control.clusters().await.unwrap();
    let names: Vec<_> = clusters.into_iter().map(|c| c.name).collect();
    assert!(names.is_sorted() && names.len() == 2, "{names:?}");
    server.stop().await;
}

fn code(result: Result<(), ControlError>) -> ErrorCode {
    result.unwrap_err().code
}

async fn refused() {
    let server = Server::start().await;
    let control = &server.control;
    control.create_cluster(named("demo")).await.unwrap();
    assert_eq!(
        code(control.create_cluster(named("demo")).await.map(drop)),
        ErrorCode::Exists
    );
    assert_eq!(
        code(control.create_cluster(named("../demo")).await.map(drop)),
        ErrorCode::BadName
    );
    let none = ClusterLimits {
        connections_max: 0,
        ..ClusterLimits::default()
    };
    assert_eq!(
        code(
            control
                .create_cluster(NewCluster {
                    limits: Some(none),
                    ..NewCluster::default()
                })
                .await
                .map(drop)
        ),
        ErrorCode::BadLimits
    );
    for missing in ["nobody", "../demo", ""] {
        assert_eq!(
            code(control.cluster(missing).await.map(drop)),
            ErrorCode::NotFound
        );
        assert_eq!(
            code(control.wake_cluster(missing).await.map(drop)),
            ErrorCode::NotFound
        );
        assert_eq!(
            code(control.delete_cluster(missing).await),
            ErrorCode::NotFound
        );
    }
    assert_eq!(code(control.kill_session(7, |_| true)), ErrorCode::NotFound);
    assert_eq!(
        code(control.kill_session(u64::from(SessionId::new(7).0), |_| true)),
        ErrorCode::NotFound
    );
    assert_eq!(control.clusters().await.unwrap().len(), 1);
    server.stop().await;
}

async fn new_limits() {
    let server = Server::start().await;
    let control = &server.control;
    let made = control.create_cluster(named("demo")).await.unwrap().cluster;
    let minute = Duration::from_secs(60);
    let change = LimitsChange {
        sleep_after: Some(minute),
        ..LimitsChange::default()
    };
    let shown = control.change_limits("demo", change).await.unwrap();
    let want = ClusterLimits {
        sleep_after: minute,
        ..made.limits
    };
    assert_eq!(shown.limits, want, "what is not named stays");
    assert_eq!(find(control, &made.prefix).await.unwrap().limits, want);
    let none = LimitsChange {
        connections_max: Some(0),
        sleep_after: Some(minute * 2),
        ..LimitsChange::default()
    };
    let refused = control.change_limits("demo", none).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.hint.as_str()),
        (ErrorCode::BadLimits, "give a number from 1 to 10000")
    );
    assert_eq!(
        control.cluster("demo").await.unwrap().limits,
        want,
        "all or nothing"
    );
    assert_eq!(
        control
            .change_limits("nobody", change)
            .await
            .unwrap_err()
            .code,
        ErrorCode::NotFound
    );
    let server = Server::open(server.stop_and_keep().await).await;
    assert_eq!(server.control.cluster("demo").await.unwrap().limits, want);
    server.stop().await;
}

async fn password() {
    let server = Server::start().await;
    let control = &server.control;
    let made = control.create_cluster(named("demo")).await.unwrap();
    let fresh = control.new_password("demo").await.unwrap();
    assert_ne!(*fresh.password, *made.password);
    let tenant = find(control, &made.cluster.prefix).await.unwrap();
    assert!(!tenant.accounts_current, "awake: a mismatch is no verdict");
    let book = control
        .refresh(tenant.cluster, &root_claim(), Instant::now())
        .await
        .unwrap();
    assert!(seen(&book, &fresh.password) && !seen(&book, &made.password));

    let slept = control.sleep_cluster("demo").await.unwrap();
    assert_eq!(slept.state, ClusterState::Asleep);
    let tenant = find(control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.accounts_current && seen(&tenant.accounts, &fresh.password));
    assert_eq!(
        control.wake_cluster("demo").await.unwrap().state,
        ClusterState::Awake
    );
    // And again after a restart, which stops the engine in order.
    let server = server.restart().await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(
        tenant.accounts_current
            && seen(&tenant.accounts, &fresh.password)
            && !seen(&tenant.accounts, &made.password)
    );
    server.stop().await;
}

async fn no_clear_password() {
    let server = Server::start().await;
    let first = server.control.create_cluster(named("demo")).await.unwrap();
    let second = server.control.new_password("demo").await.unwrap();
    for password in [&first.password, &second.password] {
        assert_eq!(
            find_bytes(server.root(), password.as_bytes()),
            Vec::<String>::new(),
            "while awake"
        );
    }
    let root = server.stop_and_keep().await;
    for password in [&first.password, &second.password] {
        assert_eq!(
            find_bytes(root.path(), password.as_bytes()),
            Vec::<String>::new(),
            "after the stop"
        );
    }
    // The search itself can find something.
    assert!(!find_bytes(root.path(), first.cluster.prefix.as_str().as_bytes()).is_empty());
}

async fn deleted() {
    let server = Server::start().await;
    let control = &server.control;
    let made = control.create_cluster(named("demo")).await.unwrap();
    let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
    session
        .admit(made.cluster.id, "root", "TLS 1.3", 10)
        .unwrap();
    assert_eq!(control.cluster("demo").await.unwrap().sessions, 1);
    let wanted = SessionsWanted {
        cluster: Some("demo".to_owned()),
        most: 9,
        ..SessionsWanted::default()
    };
    let listed = control.session_page(&wanted, |_| true).await.unwrap();
    assert_eq!(
        listed.rows[0].cluster.as_ref().map(ClusterName::as_str),
        Some("demo")
    );

    let folder = control.data().engines().join(made.cluster.id.to_string());
    assert!(folder.exists());
    control.delete_cluster("demo").await.unwrap();
    session.killed().await;
    assert!(!folder.exists());
    assert!(find(control, &made.cluster.prefix).await.is_none());
    assert_eq!(
        control.cluster("demo").await.unwrap_err().code,
        ErrorCode::NotFound
    );
    let again = control.create_cluster(named("demo")).await.unwrap();
    assert!(again.cluster.id != made.cluster.id && again.cluster.prefix != made.cluster.prefix);
    drop(session);
    let root = server.stop_and_keep().await;
    let store = SqliteStore::open(&root.path().join("store.sqlite"))
        .await
        .unwrap();
    assert!(
        store
            .load()
            .await
            .unwrap()
            .clusters
            .iter()
            .all(|row| row.phase == Phase::Live)
    );
    store.close().await;
}

async fn left() {
    let server = Server::start().await;
    let control = &server.control;
    {
        let mut creating = Box::pin(control.create_cluster(named("demo")));
        // The operation has started; then its caller is dropped.
        let first = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(creating.as_mut().poll(cx).is_ready())
        })
        .await;
        assert!(!first, "too quick to be left in the middle");
    }
    while control.cluster("demo").await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        control.new_password("demo").await.unwrap().password.len(),
        16
    );
    server.stop().await;
}
