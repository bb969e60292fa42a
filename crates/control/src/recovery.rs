//! Recovery of the clusters that a start finds without a clean sleep. A login waits for the
//! recovery of its cluster only, and a cluster with waiting logins is recovered before the others.

use crate::cluster_entry::ClusterEntry;
use crate::limits;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tidegate_engine::Engines;
use tidegate_model::ClusterId;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Ends the wait of a cluster's logins when its recovery ends in any way, also by a panic.
struct RecoveryEnd(Arc<ClusterEntry>);

impl Drop for RecoveryEnd {
    fn drop(&mut self) {
        self.0.recovery.finish();
    }
}

/// Clusters that wait for their recovery. Each is taken in constant time, however many there are.
struct RecoveryQueue {
    waiting: HashMap<ClusterId, RecoveryEnd>,
    in_order: VecDeque<ClusterId>,
    /// Clusters that logins wait for.
    requests: UnboundedReceiver<ClusterId>,
}

impl RecoveryQueue {
    fn new(unclean: Vec<Arc<ClusterEntry>>) -> Self {
        let (sender, requests) = unbounded_channel();
        for entry in &unclean {
            entry.recovery.announce_to(entry.id, sender.clone());
        }
        Self {
            in_order: unclean.iter().map(|entry| entry.id).collect(),
            waiting: unclean
                .into_iter()
                .map(|entry| (entry.id, RecoveryEnd(entry)))
                .collect(),
            requests,
        }
    }

    /// Takes the next cluster to recover: the first that a login waits for, else the first.
    fn take_next(&mut self) -> Option<RecoveryEnd> {
        while let Ok(id) = self.requests.try_recv() {
            if let Entry::Occupied(found) = self.waiting.entry(id)
                && found.get().0.recovery.read_request()
            {
                return Some(found.remove());
            }
        }
        while let Some(id) = self.in_order.pop_front() {
            if let Some(end) = self.waiting.remove(&id) {
                return Some(end);
            }
        }
        None
    }
}

/// Recovers these clusters, a bounded number at a time, and sets `done` after the last. Logins that
/// come from now on are known to the returned future, also before it runs.
pub fn recover_all(
    engines: Engines,
    unclean: Vec<Arc<ClusterEntry>>,
    done: watch::Sender<bool>,
) -> impl Future<Output = ()> {
    recover_queue(engines, RecoveryQueue::new(unclean), done)
}

async fn recover_queue(engines: Engines, mut queue: RecoveryQueue, done: watch::Sender<bool>) {
    let turns = Arc::new(Semaphore::new(limits::RECOVERIES_AT_ONCE));
    let mut running = JoinSet::new();
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        let Some(finish) = queue.take_next() else {
            break;
        };
        let engines = engines.clone();
        running.spawn(async move {
            let id = finish.0.id;
            let mut recovery = std::pin::pin!(engines.recover(id));
            let recovered = match timeout(limits::RECOVERY_TURN, &mut recovery).await {
                Ok(recovered) => recovered,
                Err(_) => {
                    tracing::warn!(cluster = %id, "this recovery takes long; others start \
                         meanwhile");
                    drop(turn);
                    recovery.await
                }
            };
            // The engine has recorded the result as an event; a failure is in the cluster's state.
            if let Err(error) = recovered {
                let error = error.report();
                tracing::warn!(cluster = %id, error, "a cluster that was not cleanly asleep could \
                     not be recovered");
            }
        });
    }
    // `/readyz` answers 503 until the last one has ended.
    while running.join_next().await.is_some() {}
    done.send_replace(true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_rows::unclean_cluster;
    use futures_util::FutureExt;
    use std::time::Duration;
    use tidegate_model::BoxFuture;

    fn unclean(clusters: u64) -> Vec<Arc<ClusterEntry>> {
        let entry = |id| Arc::new(ClusterEntry::new(unclean_cluster(id)));
        (0..clusters).map(entry).collect()
    }

    /// Login that waits for the recovery of a cluster.
    fn wait_for(entry: &ClusterEntry) -> BoxFuture<'_, ()> {
        Box::pin(entry.recovery.wait())
    }

    #[test]
    fn a_cluster_that_somebody_waits_for_is_recovered_next() {
        let entries = unclean(1000);
        let mut queue = RecoveryQueue::new(entries.clone());
        let mut waits = [wait_for(&entries[999]), wait_for(&entries[7])];
        let mut gave_up = wait_for(&entries[3]);
        assert!(
            waits
                .iter_mut()
                .chain([&mut gave_up])
                .all(|wait| wait.now_or_never().is_none())
        );
        drop(gave_up);
        let mut taken = || queue.take_next().map(|end| end.0.id.0);
        assert_eq!([(); 3].map(|()| taken()), [999, 7, 0].map(Some));
        // The first one left; this one came after its request was read.
        let mut late = wait_for(&entries[3]);
        assert!((&mut late).now_or_never().is_none());
        let rest: Vec<_> = std::iter::from_fn(taken).collect();
        assert_eq!((rest[..3].to_vec(), rest.len()), (vec![3, 1, 2], 997));
        assert!(
            waits.iter_mut().all(|wait| wait.now_or_never().is_some()),
            "each was told"
        );
    }

    fn thread_cpu_time() -> Duration {
        rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)
            .try_into()
            .unwrap()
    }

    /// Compared with making the clusters, since machines differ. With a search through all clusters
    /// for each one, taking them costs 30 times as much as making them.
    #[test]
    fn taking_each_of_very_many_clusters_costs_less_than_making_them() {
        const CLUSTERS: u64 = 50_000;
        let began = thread_cpu_time();
        let entries = unclean(CLUSTERS);
        let making = thread_cpu_time() - began;
        let mut queue = RecoveryQueue::new(entries);
        let began = thread_cpu_time();
        let taken = std::iter::from_fn(|| queue.take_next()).count();
        let taking = thread_cpu_time() - began;
        assert_eq!(taken as u64, CLUSTERS);
        assert!(taking < making, "{taking:?} to take, {making:?} to make");
    }

    #[test]
    fn logins_that_come_and_leave_make_one_request_for_a_cluster() {
        let entries = unclean(2);
        let queue = RecoveryQueue::new(entries.clone());
        for _ in 0..1000 {
            assert!(entries[0].recovery.wait().now_or_never().is_none());
        }
        assert_eq!(queue.requests.len(), 1);
    }
}
