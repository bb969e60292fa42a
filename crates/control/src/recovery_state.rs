//! State of one cluster's recovery: its logins wait for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// State of one cluster's recovery since the server's start.
#[derive(Debug)]
pub struct RecoveryState {
    done: AtomicBool,
    told: Notify,
    waiting: AtomicUsize,
}

/// Counts a waiting login until it is dropped.
struct WaiterPlace<'a>(&'a AtomicUsize);

impl Drop for WaiterPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl RecoveryState {
    pub fn new(done: bool) -> Self {
        Self {
            done: done.into(),
            told: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    pub fn finish(&self) {
        // Before the waiters are notified: one that comes in between reads the flag.
        self.done.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    pub fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Waits until the recovery has ended.
    pub async fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _place = WaiterPlace(&self.waiting);
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
