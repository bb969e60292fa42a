//! Recovery of the clusters that a start finds without a clean sleep. Each cluster's logins wait
//! for their own recovery and for no other one.

use crate::limits;
use crate::register::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidegate_engine::Engines;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Whether one cluster has been recovered since this server started.
#[derive(Debug)]
pub struct Recovery {
    done: AtomicBool,
    told: Notify,
}

impl Recovery {
    pub fn new(done: bool) -> Self {
        Self {
            done: done.into(),
            told: Notify::new(),
        }
    }

    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    fn finish(&self) {
        self.done.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    pub async fn wait(&self) {
        // Enlisted before the flag is read: a recovery that ends between the two is not missed.
        let told = self.told.notified();
        if !self.is_done() {
            told.await;
        }
    }
}

/// Ends the wait of a cluster's logins however its recovery ends, by a panic too.
struct Finish(Arc<Entry>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.recovery.finish();
    }
}

/// Recovers these clusters, a bounded number at a time, and says when all are through.
pub async fn recover_all(engines: Engines, unclean: Vec<Arc<Entry>>, done: watch::Sender<bool>) {
    let turns = Arc::new(Semaphore::new(limits::RECOVERIES_AT_ONCE));
    let mut running = JoinSet::new();
    for entry in unclean {
        let finish = Finish(entry);
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
            break;
        };
        let engines = engines.clone();
        running.spawn(async move {
            let id = finish.0.id;
            let mut recovery = std::pin::pin!(engines.recover(id));
            let recovered = match timeout(limits::RECOVERY_TURN, &mut recovery).await {
                Ok(recovered) => recovered,
                Err(_) => {
                    tracing::warn!(cluster = %id, "this recovery takes long; others begin beside it");
                    drop(turn);
                    recovery.await
                }
            };
            // The engine's journal has told how it went; a failure shows in the cluster's state.
            if let Err(error) = recovered {
                tracing::warn!(cluster = %id, %error, "a cluster that was not cleanly asleep could not be recovered");
            }
        });
    }
    while running.join_next().await.is_some() {}
    done.send_replace(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_waiter_goes_on_when_the_recovery_ends() {
        let recovery = Arc::new(Recovery::new(false));
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let recovery = Arc::clone(&recovery);
                tokio::spawn(async move { recovery.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        recovery.finish();
        for waiter in waiters {
            waiter.await.unwrap();
        }
        recovery.wait().await;
    }
}
