//! Recovery of the clusters that a start finds without a clean sleep. A login waits for the
//! recovery of its cluster only, and a cluster with waiting logins is recovered before the others.

use crate::cluster_entry::ClusterEntry;
use crate::limits;
use std::collections::VecDeque;
use std::sync::Arc;
use tidegate_engine::Engines;
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

/// Takes the next cluster to recover: the first with waiting logins, else the first.
fn take_next(unclean: &mut VecDeque<RecoveryEnd>) -> Option<RecoveryEnd> {
    let waited_for = unclean
        .iter()
        .position(|finish| finish.0.recovery.is_waited_for());
    unclean.remove(waited_for.unwrap_or(0))
}

/// Recovers these clusters, a bounded number at a time, and sets `done` after the last.
pub async fn recover_all(
    engines: Engines,
    unclean: Vec<Arc<ClusterEntry>>,
    done: watch::Sender<bool>,
) {
    let turns = Arc::new(Semaphore::new(limits::RECOVERIES_AT_ONCE));
    let mut running = JoinSet::new();
    let mut unclean: VecDeque<RecoveryEnd> = unclean.into_iter().map(RecoveryEnd).collect();
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        let Some(finish) = take_next(&mut unclean) else {
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
    use crate::test_rows::unclean_row;
    use futures_util::FutureExt;

    fn unclean(id: u64) -> RecoveryEnd {
        RecoveryEnd(Arc::new(ClusterEntry::new(unclean_row(id))))
    }

    #[test]
    fn a_cluster_that_somebody_waits_for_is_recovered_next() {
        let mut queue: VecDeque<_> = (0..1000).map(unclean).collect();
        let seventh = Arc::clone(&queue[7].0);
        let last = Arc::clone(&queue[999].0);
        let left = Arc::clone(&queue[3].0);
        let mut waits = [
            Box::pin(last.recovery.wait()),
            Box::pin(seventh.recovery.wait()),
        ];
        let mut gave_up = Box::pin(left.recovery.wait());
        assert!(
            waits
                .iter_mut()
                .chain([&mut gave_up])
                .all(|wait| wait.now_or_never().is_none())
        );
        drop(gave_up);
        let order: Vec<_> = std::iter::from_fn(|| take_next(&mut queue))
            .map(|finish| finish.0.id.0)
            .collect();
        assert_eq!(order[..5], [7, 999, 0, 1, 2]);
        assert_eq!(order.len(), 1000);
        assert!(
            waits.iter_mut().all(|wait| wait.now_or_never().is_some()),
            "each was told"
        );
    }
}
