//! The awake budget with real engines: which cluster is put to sleep for another one, and what a
//! login gets if none can be.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, eventually};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use tidegate_model::{
    Activity, AttachError, ClusterId, ClusterLimits, ClusterState, Lease, RefusalKind, Waker,
};

/// Room for two engines of about 33 MB, and not for three.
const TWO: u64 = 80 << 20;

/// Limits of a cluster that never sleeps.
fn always_on() -> ClusterLimits {
    ClusterLimits {
        sleep_after: Duration::from_secs(30 * 86_400),
        ..ClusterLimits::default()
    }
}

async fn attach(fixture: &EnginesFixture, id: ClusterId) -> Result<Lease, AttachError> {
    fixture
        .engines
        .attach(common::request(
            id,
            Instant::now() + Duration::from_secs(120),
        ))
        .await
}

fn is_refused(result: &Result<Lease, AttachError>) -> bool {
    matches!(
        result,
        Err(AttachError::Refused {
            kind: RefusalKind::AwakeBudget,
            ..
        })
    )
}

/// A session that does nothing and agrees to end.
fn idle_session(mut lease: Lease) -> tokio::task::JoinHandle<()> {
    lease.report(Activity::Idle);
    tokio::spawn(async move {
        while let Some(request) = lease.yield_request().await {
            if request.yes().await == tidegate_model::YieldVerdict::Evicted {
                return;
            }
        }
    })
}

/// Asserts the states of the clusters. A lease is given a moment before the state changes, so it
/// waits until no start is under way.
async fn expect_states(fixture: &EnginesFixture, ids: [ClusterId; 3], wanted: [ClusterState; 3]) {
    eventually("no start is under way", async || {
        !states(fixture, ids).contains(&ClusterState::Waking)
    })
    .await;
    assert_eq!(states(fixture, ids), wanted);
}

fn states(fixture: &EnginesFixture, ids: [ClusterId; 3]) -> [ClusterState; 3] {
    ids.map(|id| fixture.engines.state(id))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_sessions_sleeps_before_one_with_idle_sessions() {
    use ClusterState::{Asleep, Awake};
    let (fixture, ids) = EnginesFixture::with_three(TWO, ClusterLimits::default()).await;
    let session = idle_session(attach(&fixture, ids[0]).await.unwrap());
    drop(attach(&fixture, ids[1]).await.unwrap());
    // The second was used last, but it has no session.
    let mut third = None;
    eventually("room for the third", async || {
        third = attach(&fixture, ids[2]).await.ok();
        third.is_some()
    })
    .await;
    expect_states(&fixture, ids, [Awake, Asleep, Awake]).await;
    assert!(!session.is_finished());
    // The second can wake only if the idle session of the first is evicted.
    eventually("room for the second", async || {
        attach(&fixture, ids[1]).await.is_ok()
    })
    .await;
    session.await.unwrap();
    expect_states(&fixture, ids, [Asleep, Awake, Awake]).await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_clusters_and_those_in_a_transaction_stay_and_the_login_is_refused_for_now() {
    use ClusterState::{Asleep, Awake};
    let (fixture, ids) = EnginesFixture::with_three(TWO, ClusterLimits::default()).await;
    let busy = attach(&fixture, ids[0]).await.unwrap();
    let transaction = attach(&fixture, ids[1]).await.unwrap();
    transaction.report(Activity::InTransaction);
    // Longer than an idle session would be safe from eviction.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for _ in 0..3 {
        let refused = attach(&fixture, ids[2]).await;
        assert!(is_refused(&refused), "{refused:?}");
        let Err(AttachError::Refused { reason, .. }) = refused else {
            panic!()
        };
        assert!(reason.contains("80 MB"), "{reason}");
    }
    expect_states(&fixture, ids, [Awake, Awake, Asleep]).await;
    assert_eq!(fixture.memory.starts(), 2);
    drop(transaction);
    eventually("the transaction is over", async || {
        attach(&fixture, ids[2]).await.is_ok()
    })
    .await;
    expect_states(&fixture, ids, [Awake, Asleep, Awake]).await;
    drop(busy);
    fixture.engines.shutdown().await;
}

/// Room for four engines, and not for five.
const FOUR: u64 = 150 << 20;

/// Clusters 1 to 4 with room for no more of them, and others that sleep.
async fn with_four(first: ClusterLimits) -> EnginesFixture {
    let fixture = EnginesFixture::open_with(|s| s.awake_memory_max_bytes = FOUR).await;
    fixture.create_limited(1, first).await;
    for id in 2..=8 {
        fixture.create(id).await;
    }
    fixture
}

/// Which of these clusters sleep.
fn asleep(fixture: &EnginesFixture, ids: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    ids.filter(|id| fixture.engines.state(ClusterId(*id)) == ClusterState::Asleep)
        .collect()
}

/// Wakes these clusters, each for a session that works until the end of the test. Returns the order
/// in which clusters 1 to 4 went to sleep for them, and the sessions.
async fn sleepers_for(fixture: &EnginesFixture, woken: &[u64]) -> (Vec<u64>, Vec<Lease>) {
    let mut order = Vec::new();
    let mut work = Vec::new();
    for id in woken {
        // Longer than a cluster that was just used is safe from sleep.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        work.push(attach(fixture, ClusterId(*id)).await.unwrap());
        let now = asleep(fixture, 1..=4);
        let next: Vec<_> = now.iter().filter(|id| !order.contains(*id)).collect();
        assert_eq!(
            next.len(),
            1,
            "one makes room for one: {order:?}, then {now:?}"
        );
        order.extend(next.into_iter().copied());
    }
    (order, work)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_that_is_idle_longest_sleeps_first() {
    let fixture = with_four(ClusterLimits::default()).await;
    // Used last in another order than that of their starts and numbers.
    for id in [4, 2, 1, 3, 3, 1, 4, 2] {
        drop(attach(&fixture, ClusterId(id)).await.unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (order, _work) = sleepers_for(&fixture, &[5, 6, 7, 8]).await;
    assert_eq!(order, [3, 1, 4, 2]);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn then_sleeps_the_one_whose_sessions_are_idle_longest_and_never_one_that_is_held_awake() {
    let fixture = with_four(always_on()).await;
    for id in [3, 4, 1, 2] {
        drop(attach(&fixture, ClusterId(id)).await.unwrap());
    }
    // Idle longest of all are an always-on cluster and one in a transaction.
    let transaction = attach(&fixture, ClusterId(2)).await.unwrap();
    transaction.report(Activity::InTransaction);
    let mut sessions = Vec::new();
    for id in [4, 3] {
        tokio::time::sleep(Duration::from_millis(20)).await;
        sessions.push(idle_session(attach(&fixture, ClusterId(id)).await.unwrap()));
    }
    let (order, _work) = sleepers_for(&fixture, &[5, 6]).await;
    assert_eq!(order, [4, 3]);
    for session in sessions {
        session.await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let refused = attach(&fixture, ClusterId(7)).await;
    assert!(is_refused(&refused), "{refused:?}");
    assert_eq!(asleep(&fixture, 1..=8), [3, 4, 7, 8]);
    drop(transaction);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_always_on_cluster_is_never_put_to_sleep_for_another() {
    use ClusterState::{Asleep, Awake};
    let (fixture, ids) = EnginesFixture::with_three(TWO, always_on()).await;
    drop(attach(&fixture, ids[0]).await.unwrap());
    drop(attach(&fixture, ids[1]).await.unwrap());
    eventually("room for the third", async || {
        attach(&fixture, ids[2]).await.is_ok()
    })
    .await;
    expect_states(&fixture, ids, [Awake, Asleep, Awake]).await;
    fixture.engines.shutdown().await;
}

/// Three clusters that can't fall asleep must not delay a login to another one beyond its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn clusters_that_are_slow_to_sleep_delay_no_start_past_a_login_s_deadline() {
    let (fixture, stuck) = EnginesFixture::with_three(FOUR, ClusterLimits::default()).await;
    let idle = fixture.create(4).await;
    let next = fixture.create(5).await;
    for id in stuck.iter().chain([&idle]) {
        drop(attach(&fixture, *id).await.unwrap());
        // So that the clusters are idle for different times: the longest is put to sleep first.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for id in stuck {
        fixture.signal(id, Signal::STOP);
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // It is refused if it has to wait for longer than the limit of the budget's own waits, which is
    // below a login's deadline.
    fixture.attach(next).await;
    assert_ne!(fixture.engines.state(idle), ClusterState::Awake);
    for id in stuck {
        assert_ne!(
            fixture.engines.state(id),
            ClusterState::Asleep,
            "still in the way"
        );
    }
    for id in stuck {
        if fixture.pid(id).is_some() {
            fixture.signal(id, Signal::KILL);
        }
    }
    fixture.engines.shutdown().await;
}

/// Room for a large cluster and one fresh engine, and not for two.
const LARGE: u64 = 300 << 20;

/// Keeps 210 MB in user variables, 1 MB each: the engine's allocator keeps what a statement used
/// besides, once per thread that ran one, which with 15 MB each was 30 MB on a busy machine.
async fn fill_memory(client: &mut Client) {
    for n in 0..210 {
        let fill = format!("SET @v{n} = REPEAT('x', 1024 * 1024)");
        client.run(&fill).await;
    }
}

/// A session of cluster 1 that uses about 200 MB and never agrees to end. The task ends with the
/// lease, and returns whether the session was told to yield its memory.
async fn large_and_busy(
    fixture: &EnginesFixture,
    id: ClusterId,
) -> (Client, tokio::task::JoinHandle<bool>) {
    let mut lease = attach(fixture, id).await.unwrap();
    let mut client = Client::root(&lease.address).await;
    fill_memory(&mut client).await;
    client.run("BEGIN").await;
    let session = tokio::spawn(async move {
        while let Some(request) = lease.yield_request().await {
            request.no();
        }
        lease.yields_memory()
    });
    (client, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_cluster_far_above_its_share_yields_to_a_start_and_small_ones_keep_their_sessions() {
    use ClusterState::{Asleep, Awake};
    let (fixture, ids) = EnginesFixture::with_three(LARGE, ClusterLimits::default()).await;
    let (client, large) = large_and_busy(&fixture, ids[0]).await;
    // There is always room for a fresh engine beside a single other one.
    let good = idle_session(attach(&fixture, ids[1]).await.unwrap());
    assert!(!large.is_finished());
    // Longer than an idle session would be safe from eviction.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // It is refused if it has to wait for longer than the limit of the budget's own waits.
    let third = fixture.attach(ids[2]).await;
    assert!(
        large.await.unwrap(),
        "the session was told that it yields memory"
    );
    assert!(!good.is_finished(), "the small one keeps its session");
    expect_states(&fixture, ids, [Asleep, Awake, Awake]).await;
    // The large cluster may wake again like any other.
    drop(client);
    drop(attach(&fixture, ids[0]).await.unwrap());
    expect_states(&fixture, ids, [Awake, Awake, Awake]).await;
    drop(third);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_cluster_without_work_sleeps_before_small_ones_with_sessions() {
    use ClusterState::{Asleep, Awake};
    let (fixture, ids) = EnginesFixture::with_three(LARGE, ClusterLimits::default()).await;
    // The small one is idle for longer.
    let good = idle_session(attach(&fixture, ids[1]).await.unwrap());
    let lease = attach(&fixture, ids[0]).await.unwrap();
    let mut client = Client::root(&lease.address).await;
    fill_memory(&mut client).await;
    let large = idle_session(lease);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    drop(attach(&fixture, ids[2]).await.unwrap());
    large.await.unwrap();
    assert!(!good.is_finished());
    expect_states(&fixture, ids, [Asleep, Awake, Awake]).await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_always_on_cluster_yields_to_nobody_however_large() {
    use ClusterState::{Asleep, Awake};
    let (fixture, ids) = EnginesFixture::with_three(LARGE, always_on()).await;
    let (client, large) = large_and_busy(&fixture, ids[0]).await;
    let busy = attach(&fixture, ids[1]).await.unwrap();
    let refused = attach(&fixture, ids[2]).await;
    assert!(is_refused(&refused), "{refused:?}");
    assert!(!large.is_finished());
    expect_states(&fixture, ids, [Awake, Awake, Asleep]).await;
    drop((client, busy));
    large.abort();
    fixture.engines.shutdown().await;
}
