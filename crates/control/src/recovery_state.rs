//! State of one cluster's recovery: its logins wait for it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tidegate_model::ClusterId;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// State of one cluster's recovery since the server's start.
#[derive(Debug)]
pub struct RecoveryState {
    done: AtomicBool,
    told: Notify,
    waiting: AtomicUsize,
    /// Whether the queue of recoveries has been told of a waiting login and has not read it yet.
    announced: AtomicBool,
    queue: OnceLock<RecoveryRequests>,
}

/// Way to tell the queue of recoveries that a login waits for this cluster. Not bounded by itself:
/// each cluster has at most one request in it.
#[derive(Debug)]
struct RecoveryRequests {
    cluster: ClusterId,
    requests: UnboundedSender<ClusterId>,
}

/// Counts a waiting login until it is dropped.
struct WaiterPlace<'a>(&'a AtomicUsize);

impl Drop for WaiterPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl RecoveryState {
    pub fn new(done: bool) -> Self {
        Self {
            done: done.into(),
            told: Notify::new(),
            waiting: AtomicUsize::new(0),
            announced: AtomicBool::new(false),
            queue: OnceLock::new(),
        }
    }

    /// Tells this queue of logins that wait for the cluster. Called before the first login can
    /// come.
    pub fn announce_to(&self, cluster: ClusterId, requests: UnboundedSender<ClusterId>) {
        // A cluster is queued once.
        let _ = self.queue.set(RecoveryRequests { cluster, requests });
    }

    /// Reads the cluster's request: whether a login still waits. A login that comes from now on
    /// makes a new request.
    pub fn read_request(&self) -> bool {
        // This order, and the opposite one in `wait`: a login that is missed here finds the flag
        // cleared.
        self.announced.store(false, Ordering::SeqCst);
        self.waiting.load(Ordering::SeqCst) > 0
    }

    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    pub fn finish(&self) {
        // Before the waiters are notified: one that comes in between reads the flag.
        self.done.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Waits until the recovery has ended.
    pub async fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _place = WaiterPlace(&self.waiting);
        if let Some(queue) = self.queue.get()
            && !self.announced.swap(true, Ordering::SeqCst)
        {
            // The queue is gone when all recoveries have begun.
            let _ = queue.requests.send(queue.cluster);
        }
        // Registered before the flag is read, so that a recovery that ends between the two isn't
        // missed.
        let told = self.told.notified();
        if !self.is_done() {
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn every_waiter_goes_on_when_the_recovery_ends() {
        let recovery = Arc::new(RecoveryState::new(false));
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
