//! Supervisors that exist only while their cluster needs one.

use super::tests::{FaultyDriver, Nowhere, RunFacts, services, session_request};
use super::*;
use crate::supervised_cluster::SupervisedCluster;
use std::sync::atomic::Ordering;
use tidegate_model::{AttachError, ClusterId, SessionId};

/// Time until a supervisor must have left.
const LEFT_WITHIN: Duration = Duration::from_secs(60);

fn cluster_of(facts: &Arc<RunFacts>) -> SupervisedCluster {
    let driver = Arc::new(FaultyDriver(Arc::clone(facts)));
    let limits = ClusterLimits::default();
    SupervisedCluster::new(ClusterId(1), true, driver, limits, services())
}

async fn sleep(cluster: &SupervisedCluster) {
    let (reply, answer) = oneshot::channel();
    let command = SupervisorCommand::Sleep(reply);
    cluster.send(command).await.unwrap();
    answer.await.unwrap().unwrap();
}

async fn wait_until_left(cluster: &SupervisedCluster) {
    let left = async {
        while cluster.is_supervised() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LEFT_WITHIN, left).await.unwrap();
}

#[tokio::test]
async fn a_supervisor_comes_with_the_first_attach_and_leaves_when_its_cluster_sleeps() {
    let facts = Arc::new(RunFacts::default());
    let cluster = cluster_of(&facts);
    let limits = ClusterLimits {
        connections_max: 1,
        ..ClusterLimits::default()
    };
    cluster.set_limits(limits).await.unwrap();
    assert!(!cluster.is_supervised(), "it sleeps");
    for run in 1..=2 {
        let lease = cluster.attach(&session_request(run)).await.unwrap();
        assert!(cluster.is_supervised());
        let second = cluster.attach(&session_request(9)).await;
        assert_eq!(second.unwrap_err(), AttachError::Full, "its own limit");
        drop(lease);
        sleep(&cluster).await;
        wait_until_left(&cluster).await;
        assert_eq!(facts.starts.load(Ordering::SeqCst), run as usize);
    }
}

#[tokio::test]
async fn the_gate_gives_out_as_many_leases_as_the_limit_on_connections() {
    let facts = Arc::new(RunFacts::default());
    let cluster = Arc::new(cluster_of(&facts));
    let limits = ClusterLimits {
        connections_max: 2,
        ..ClusterLimits::default()
    };
    cluster.set_limits(limits).await.unwrap();
    // They wait for the same start.
    facts.hold.store(true, Ordering::SeqCst);
    let first_two = [0, 1].map(|n| {
        let cluster = Arc::clone(&cluster);
        tokio::spawn(async move { cluster.attach(&session_request(n)).await })
    });
    while cluster.shared.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    let third = cluster.attach(&session_request(2)).await;
    assert_eq!(
        third.unwrap_err(),
        AttachError::Full,
        "those that wait for the engine have their places"
    );
    while facts.starts.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    facts.go_on.notify_one();
    let [first, second] = first_two;
    let _first = first.await.unwrap().unwrap();
    let second = second.await.unwrap().unwrap();
    let third = cluster.attach(&session_request(3)).await;
    assert_eq!(third.unwrap_err(), AttachError::Full);
    let _operator = cluster.attach_operator().await.unwrap();
    drop(second);
    let third = cluster.attach(&session_request(4)).await.unwrap();
    let handles = cluster.shared.gate().close();
    let sessions: Vec<_> = handles.iter().map(|handle| handle.session).collect();
    let expected = [Some(0), None, Some(4)].map(|n| n.map(SessionId::new));
    assert_eq!(sessions, expected, "`None` is the operator's");
    drop(third);
}

#[tokio::test]
async fn many_sessions_that_come_while_a_supervisor_leaves_all_get_the_engine() {
    let facts = Arc::new(RunFacts::default());
    let cluster = Arc::new(cluster_of(&facts));
    drop(cluster.attach(&session_request(0)).await.unwrap());
    sleep(&cluster).await;
    // They spread over the moment at which it leaves.
    let sessions = (0..100).map(|n| {
        let cluster = Arc::clone(&cluster);
        tokio::spawn(async move {
            tokio::time::sleep(SUPERVISOR_STAY / 100 * (n / 2 + 75)).await;
            drop(cluster.attach(&session_request(n)).await.unwrap());
            if n % 7 == 0 {
                let (reply, answer) = oneshot::channel();
                let command = SupervisorCommand::Sleep(reply);
                cluster.send(command).await.unwrap();
                // Refused while another session has a lease.
                let _ = answer.await.unwrap();
            }
        })
    });
    let sessions: Vec<_> = sessions.collect();
    for session in sessions {
        session.await.unwrap();
    }
    sleep(&cluster).await;
    wait_until_left(&cluster).await;
}

#[tokio::test]
async fn a_cluster_that_cannot_be_prepared_keeps_its_supervisor() {
    let facts = Arc::new(RunFacts::unprepared());
    let cluster = cluster_of(&facts);
    assert!(cluster.is_supervised());
    let mut status = cluster.shared.status.subscribe();
    let failed = status.wait_for(|s| s.state == ClusterState::Failed);
    failed.await.unwrap();
    tokio::time::sleep(SUPERVISOR_STAY * 2).await;
    assert!(cluster.is_supervised(), "its backoff is remembered");
}

#[tokio::test]
async fn no_supervisor_comes_after_the_end() {
    let facts = Arc::new(RunFacts::default());
    let stopped = cluster_of(&facts);
    stopped.stop().await;
    let refused = stopped.attach(&session_request(1)).await;
    assert_eq!(refused.unwrap_err(), AttachError::Stopping);
    let removed = cluster_of(&facts);
    removed.remove().await.unwrap();
    let refused = removed.attach(&session_request(1)).await;
    assert_eq!(refused.unwrap_err(), AttachError::Gone);
    assert!(!stopped.is_supervised() && !removed.is_supervised());
    assert_eq!(facts.starts.load(Ordering::SeqCst), 0);
}

#[test]
fn a_place_is_vacated_only_if_nobody_has_a_sender_and_no_command_waits() {
    let place = SupervisorPlace::default();
    let (first, mut inbox) = mpsc::channel(1);
    let sender = place.occupy(|| first).unwrap();
    let never = || panic!("it may not leave");
    assert!(!place.vacate(&inbox, never), "somebody has a sender");
    let (reply, _answer) = oneshot::channel();
    assert!(sender.try_send(SupervisorCommand::Sleep(reply)).is_ok());
    drop(sender);
    assert!(!place.vacate(&inbox, never), "a command waits");
    assert!(inbox.try_recv().is_ok());
    let mut left = false;
    assert!(place.vacate(&inbox, || left = true) && left);
    // The next one has the place; the first can't take it away.
    let (next, _inbox) = mpsc::channel(1);
    place.occupy(|| next).unwrap();
    assert!(place.end().is_some());
    assert!(!place.vacate(&inbox, never));
    assert!(place.occupy(|| panic!("none is made")).is_none());
}

/// Starts an engine while the record of its run is held back, and returns whether it started before
/// the record was made. Sessions wait for both.
async fn starts_before_its_record(durable_start: bool) -> bool {
    let facts = Arc::new(RunFacts::default());
    facts.durable_start.store(durable_start, Ordering::SeqCst);
    let ledger = Arc::new(Nowhere::default());
    ledger.hold.store(true, Ordering::SeqCst);
    let driver = Arc::new(FaultyDriver(Arc::clone(&facts)));
    let common = SharedServices {
        ledger: Arc::clone(&ledger) as Arc<dyn crate::ledger::Ledger>,
        ..services()
    };
    let limits = ClusterLimits::default();
    let cluster = Arc::new(SupervisedCluster::new(
        ClusterId(1),
        true,
        driver,
        limits,
        common,
    ));
    let waiter = {
        let cluster = Arc::clone(&cluster);
        tokio::spawn(async move { cluster.attach(&session_request(1)).await })
    };
    // All tasks have run as far as they can: this runtime has one thread.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let started = facts.starts.load(Ordering::SeqCst) == 1;
    assert!(!waiter.is_finished());
    ledger.go_on.notify_one();
    drop(waiter.await.unwrap().unwrap());
    assert!(!cluster.shared.clean());
    started
}

#[tokio::test]
async fn only_a_durable_start_waits_for_the_record_of_its_run() {
    assert!(!starts_before_its_record(true).await);
    assert!(starts_before_its_record(false).await);
}

/// Starts an engine whose disk does not answer, for its start or for the record of its run. Then
/// starts another one, of which only one may start at once.
async fn start_beside_a_slow_disk(record_is_slow: bool) {
    let facts = Arc::new(RunFacts::default());
    facts.hold.store(!record_is_slow, Ordering::SeqCst);
    let slow = Arc::new(Nowhere::default());
    slow.hold.store(record_is_slow, Ordering::SeqCst);
    let common = services();
    let slow_common = SharedServices {
        ledger: Arc::clone(&slow) as Arc<dyn crate::ledger::Ledger>,
        ..common.clone()
    };
    let driver = Arc::new(FaultyDriver(Arc::clone(&facts)));
    let limits = ClusterLimits::default();
    let first = SupervisedCluster::new(ClusterId(1), true, driver, limits, slow_common);
    let first = Arc::new(first);
    let waiter = {
        let first = Arc::clone(&first);
        tokio::spawn(async move { first.attach(&session_request(1)).await })
    };
    while common.wakes.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let driver = Arc::new(FaultyDriver(Arc::default()));
    let second = SupervisedCluster::new(ClusterId(2), true, driver, limits, common);
    let request = session_request(2);
    let attached = tokio::time::timeout(LEFT_WITHIN, second.attach(&request)).await;
    drop(attached.expect("it has its turn").unwrap());
    assert!(!waiter.is_finished());
    facts.go_on.notify_one();
    slow.go_on.notify_one();
    drop(waiter.await.unwrap().unwrap());
}

#[tokio::test]
async fn an_engine_that_waits_for_a_slow_disk_keeps_no_other_from_starting() {
    start_beside_a_slow_disk(true).await;
    start_beside_a_slow_disk(false).await;
}

/// Resident memory of this process, in bytes. Shown, not compared: other tests use memory too.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn ten_thousand_sleeping_clusters_have_no_task() {
    const CLUSTERS: usize = 10_000;
    let tasks = tokio::runtime::Handle::current().metrics();
    let facts = Arc::new(RunFacts::default());
    let before = resident_bytes();
    let clusters: Vec<_> = (0..CLUSTERS).map(|_| cluster_of(&facts)).collect();
    let asleep = resident_bytes().saturating_sub(before) / CLUSTERS;
    assert_eq!(tasks.num_alive_tasks(), 0);
    let senders: Vec<_> = clusters.iter().map(SupervisedCluster::supervise).collect();
    assert_eq!(tasks.num_alive_tasks(), CLUSTERS);
    // Each has begun to run when the last one answers.
    sleep(&clusters[CLUSTERS - 1]).await;
    let supervised = resident_bytes().saturating_sub(before) / CLUSTERS;
    println!("{asleep} bytes a sleeping cluster, {supervised} with its supervisor");
    drop(senders);
    for cluster in &clusters {
        wait_until_left(cluster).await;
    }
    // A task ends a moment after it has left its place.
    while tasks.num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}
