//! Budget for the bytes that a cluster's sessions keep in the gateway: packets that wait for their
//! engine, and sealed answers that their clients do not read. Each cluster has its own pool, so
//! that the clients of one can't use up the memory of another.
//!
//! While a pool is full, none of its sessions reads more. If it stays full, the sessions that hold
//! the most bytes are ended until a quarter of the pool is free.

use crate::limits::HELD_FULL_MAX;
use futures_util::task::AtomicWaker;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use tidegate_model::ClusterId;
use tokio::time::Sleep;

/// Pools of all clusters that have sessions.
#[derive(Debug)]
pub(crate) struct HeldBudgets {
    max: usize,
    pools: Arc<Mutex<HashMap<ClusterId, Arc<Pool>>>>,
}

/// Bytes of one cluster's sessions.
#[derive(Debug, Default)]
struct Pool {
    used: AtomicUsize,
    sessions: Mutex<HashMap<usize, Arc<HeldEntry>>>,
}

/// Bytes of one session, as its pool sees them.
#[derive(Debug, Default)]
struct HeldEntry {
    bytes: AtomicUsize,
    /// Set when the session must end to make room.
    chosen: AtomicBool,
    waker: AtomicWaker,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one call of a map, which a panic can't leave half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HeldBudgets {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            pools: Arc::default(),
        }
    }

    /// Returns the share of a new session, with no bytes yet.
    pub fn session(&self, cluster: ClusterId) -> HeldShare {
        let mut pools = lock(&self.pools);
        let pool = Arc::clone(pools.entry(cluster).or_default());
        let entry = Arc::new(HeldEntry::default());
        // The map keeps the entry alive, so no other one has its address.
        lock(&pool.sessions).insert(Arc::as_ptr(&entry).addr(), Arc::clone(&entry));
        let pools = Arc::clone(&self.pools);
        HeldShare {
            cluster,
            max: self.max,
            pools,
            pool,
            entry,
            bytes: 0,
            full: None,
        }
    }
}

impl Pool {
    fn wake_all(&self) {
        lock(&self.sessions)
            .values()
            .for_each(|entry| entry.waker.wake());
    }

    /// Tells the sessions with the most bytes to end, until the others have at most three quarters
    /// of `max`.
    fn end_largest(&self, max: usize) {
        let sessions = lock(&self.sessions);
        let mut all: Vec<_> = sessions
            .values()
            .map(|entry| (entry.bytes.load(Ordering::Relaxed), entry))
            .collect();
        all.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        let mut left: usize = all.iter().map(|(bytes, _)| bytes).sum();
        for (bytes, entry) in all {
            if left <= max / 4 * 3 {
                break;
            }
            // Counted as freed now, although the session ends a little later: otherwise all would
            // be chosen.
            left = left.saturating_sub(bytes);
            entry.chosen.store(true, Ordering::Release);
            entry.waker.wake();
        }
    }
}

/// Share of one session in its cluster's pool. Its bytes are given back when it is dropped.
#[derive(Debug)]
pub(crate) struct HeldShare {
    cluster: ClusterId,
    max: usize,
    pools: Arc<Mutex<HashMap<ClusterId, Arc<Pool>>>>,
    pool: Arc<Pool>,
    entry: Arc<HeldEntry>,
    bytes: usize,
    /// Timer that runs while this session sees the pool full.
    full: Option<Pin<Box<Sleep>>>,
}

impl HeldShare {
    /// Whether the pool is full: the session must not read more for now. It is woken when there is
    /// room.
    pub fn is_full(&mut self, cx: &mut Context<'_>) -> bool {
        if self.pool.used.load(Ordering::Acquire) < self.max {
            self.full = None;
            return false;
        }
        self.entry.waker.register(cx.waker());
        let full = self
            .full
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(HELD_FULL_MAX)));
        while full.as_mut().poll(cx).is_ready() {
            self.pool.end_largest(self.max);
            full.set(tokio::time::sleep(HELD_FULL_MAX));
        }
        // Read again: bytes given back before the waker was registered have woken nobody.
        self.pool.used.load(Ordering::Acquire) >= self.max
    }

    /// Sets how many bytes the session keeps now.
    pub fn set_bytes(&mut self, bytes: usize, cx: &mut Context<'_>) {
        // A session that keeps no bytes is never chosen, so it needs no wake-up.
        if bytes > 0 {
            self.entry.waker.register(cx.waker());
        }
        self.update_pool(bytes);
    }

    fn update_pool(&mut self, bytes: usize) {
        if bytes == self.bytes {
            return;
        }
        self.entry.bytes.store(bytes, Ordering::Relaxed);
        let before = if bytes > self.bytes {
            self.pool
                .used
                .fetch_add(bytes - self.bytes, Ordering::AcqRel)
        } else {
            self.pool
                .used
                .fetch_sub(self.bytes - bytes, Ordering::AcqRel)
        };
        let now = before.wrapping_add(bytes).wrapping_sub(self.bytes);
        self.bytes = bytes;
        // Only when the limit is crossed. Otherwise each packet would wake all sessions of the
        // cluster.
        if before >= self.max && now < self.max {
            self.pool.wake_all();
        }
    }

    /// Whether this session must end to make room in the pool.
    pub fn is_chosen(&self) -> bool {
        self.entry.chosen.load(Ordering::Acquire)
    }
}

impl Drop for HeldShare {
    fn drop(&mut self) {
        self.update_pool(0);
        // Locked in the order of `session`, which must not add an entry to a pool that is being
        // removed.
        let mut pools = lock(&self.pools);
        let mut sessions = lock(&self.pool.sessions);
        sessions.remove(&Arc::as_ptr(&self.entry).addr());
        if sessions.is_empty() {
            pools.remove(&self.cluster);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_pool_stops_reading_first_and_then_ends_the_largest_sessions() {
        let budgets = HeldBudgets::new(1000);
        let mut shares: Vec<_> = (0..10).map(|_| budgets.session(ClusterId(1))).collect();
        for (share, bytes) in shares
            .iter_mut()
            .zip([300, 50, 200, 50, 100, 100, 50, 50, 50, 50])
        {
            share.set_bytes(bytes, &mut cx());
        }
        let mut idle = budgets.session(ClusterId(1));
        let mut other = budgets.session(ClusterId(2));
        assert!(
            idle.is_full(&mut cx()) && !other.is_full(&mut cx()),
            "the other cluster has its own pool"
        );
        assert!(
            shares.iter().all(|share| !share.is_chosen()),
            "no session ends at once"
        );
        tokio::time::sleep(HELD_FULL_MAX).await;
        assert!(idle.is_full(&mut cx()));
        let chosen = shares.iter().filter(|share| share.is_chosen()).count();
        assert_eq!(chosen, 1, "one is enough");
        assert!(shares[0].is_chosen() && !other.is_chosen());
        shares.remove(0);
        assert!(!idle.is_full(&mut cx()), "there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_read_in_time_keep_their_sessions() {
        let budgets = HeldBudgets::new(100);
        let mut slow = budgets.session(ClusterId(1));
        let mut idle = budgets.session(ClusterId(1));
        slow.set_bytes(120, &mut cx());
        assert!(idle.is_full(&mut cx()));
        slow.set_bytes(80, &mut cx());
        assert!(!idle.is_full(&mut cx()));
        tokio::time::sleep(HELD_FULL_MAX * 2).await;
        assert!(!idle.is_full(&mut cx()) && !slow.is_chosen());
    }

    #[test]
    fn a_pool_is_removed_with_its_last_session() {
        let budgets = HeldBudgets::new(100);
        let mut one = budgets.session(ClusterId(1));
        one.set_bytes(70, &mut cx());
        let two = budgets.session(ClusterId(1));
        drop(one);
        assert_eq!(
            lock(&budgets.pools)[&ClusterId(1)]
                .used
                .load(Ordering::Relaxed),
            0
        );
        drop(two);
        assert!(lock(&budgets.pools).is_empty());
    }
}
