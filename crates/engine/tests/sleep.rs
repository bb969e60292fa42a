//! Sleep of a cluster: when its sessions are asked to end, what keeps it awake, and logins that
//! arrive meanwhile. Runs with real engines.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, eventually};
use std::time::{Duration, Instant};
use tidegate_model::{Activity, ClusterLimits, ClusterState, Event, Waker, YieldVerdict};

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cluster_sleeps_and_tells_its_sessions() {
    let fixture = EnginesFixture::open().await;
    let limits = ClusterLimits {
        sleep_after: Duration::from_millis(200),
        ..ClusterLimits::default()
    };
    let id = fixture.create_limited(1, limits).await;
    let mut lease = fixture.attach(id).await;
    let root = Client::root(&lease.address).await;
    lease.report(Activity::Idle);
    let request = lease.yield_request().await.unwrap();
    assert_eq!(request.yes().await, YieldVerdict::Evicted);
    drop((root, lease));
    eventually("asleep", async || {
        fixture.engines.state(id) == ClusterState::Asleep
    })
    .await;
    assert_eq!(
        fixture.memory.count(|e| matches!(
            e,
            Event::EngineSlept {
                sessions_evicted: 1,
                ..
            }
        )),
        1
    );
    assert!(!fixture.memory.row(id).awake);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_session_or_an_open_transaction_keeps_a_cluster_awake() {
    let fixture = EnginesFixture::open().await;
    let limits = ClusterLimits {
        sleep_after: Duration::from_millis(100),
        transaction_idle_max: Duration::from_millis(600),
        ..ClusterLimits::default()
    };
    let id = fixture.create_limited(1, limits).await;
    let mut lease = fixture.attach(id).await;
    // A new lease is busy: it is not asked to end, and an operator's command gets an error.
    assert!(
        tokio::time::timeout(Duration::from_millis(400), lease.yield_request())
            .await
            .is_err()
    );
    let engines = fixture.engines.clone();
    let operator = tokio::spawn(async move { engines.sleep(id).await });
    lease.yield_request().await.unwrap().no();
    let refused = operator.await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("busy"), "{refused}");
    assert_eq!(fixture.engines.state(id), ClusterState::Awake);
    // A transaction keeps it awake only until it has been idle for too long.
    let begun = Instant::now();
    lease.report(Activity::InTransaction);
    let request = lease.yield_request().await.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(600),
        "asked after {:?}",
        begun.elapsed()
    );
    assert!(request.past_idle_transaction);
    drop(request);
    drop(lease);
    eventually("asleep", async || {
        fixture.engines.state(id) == ClusterState::Asleep
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_busy_session_among_many_lets_all_go_on() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let mut willing = fixture.attach(id).await;
    let mut busy = fixture.attach(id).await;
    willing.report(Activity::Idle);
    let engines = fixture.engines.clone();
    let operator = tokio::spawn(async move { engines.sleep(id).await });
    let (yes, no) = tokio::join!(willing.yield_request(), busy.yield_request());
    let verdict = tokio::spawn(yes.unwrap().yes());
    no.unwrap().no();
    assert_eq!(verdict.await.unwrap(), YieldVerdict::Resume);
    assert!(operator.await.unwrap().is_err());
    let mut root = Client::root(&willing.address).await;
    assert_eq!(root.one("SELECT 1").await, "1", "the engine never noticed");
    assert_eq!(fixture.memory.starts(), 1);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_while_it_goes_to_sleep_is_served_by_the_next_run() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let mut lease = fixture.attach(id).await;
    lease.report(Activity::Idle);
    let engines = fixture.engines.clone();
    let operator = tokio::spawn(async move { engines.sleep(id).await });
    let request = lease.yield_request().await.unwrap();
    assert_eq!(fixture.engines.state(id), ClusterState::Draining);
    let engines = fixture.engines.clone();
    let login = tokio::spawn(async move {
        engines
            .attach(common::request(
                id,
                Instant::now() + Duration::from_secs(120),
            ))
            .await
    });
    assert_eq!(request.yes().await, YieldVerdict::Evicted);
    drop(lease);
    operator.await.unwrap().unwrap();
    let next = login.await.unwrap().unwrap();
    let mut root = Client::root(&next.address).await;
    assert_eq!(root.one("SELECT 1").await, "1");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_limits_reach_the_running_engine_and_the_next_one() {
    let fixture = EnginesFixture::open().await;
    let id = fixture
        .create_limited(
            1,
            ClusterLimits {
                connections_max: 15,
                ..ClusterLimits::default()
            },
        )
        .await;
    let (lease, mut root) = fixture.root(id).await;
    assert_eq!(root.one("SELECT @@max_connections").await, "15");
    let more = ClusterLimits {
        connections_max: 50,
        ..ClusterLimits::default()
    };
    fixture.engines.set_limits(id, more).await.unwrap();
    eventually("the running engine takes more", async || {
        root.one("SELECT @@max_connections").await == "50"
    })
    .await;
    lease.report(Activity::Idle);
    drop((root, lease));
    fixture.engines.sleep(id).await.unwrap();
    let (lease, mut root) = fixture.root(id).await;
    assert_eq!(
        root.one("SELECT @@max_connections").await,
        "50",
        "the next run begins with it"
    );
    lease.report(Activity::Idle);
    // With the current limits it would stay awake for five minutes.
    let soon = ClusterLimits {
        sleep_after: Duration::from_millis(200),
        ..more
    };
    fixture.engines.set_limits(id, soon).await.unwrap();
    drop((root, lease));
    eventually("it falls asleep", async || {
        fixture.engines.state(id) == ClusterState::Asleep
    })
    .await;
    fixture.engines.shutdown().await;
}
