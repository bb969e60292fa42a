//! Budget of the bytes that a cluster's sessions keep in the gateway: packets that wait for their
//! engine, and sealed answers that their clients do not read. One pool per cluster, so nobody pays
//! for another's clients.
//!
//! Back-pressure first: in a full pool nobody reads more. If it stays full, the sessions that hold
//! most end until a quarter of the pool is free.

use crate::limits::HELD_FULL_MAX;
use futures_util::task::AtomicWaker;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use tidegate_model::ClusterId;
use tokio::time::Sleep;

/// The pools of all clusters that have sessions.
#[derive(Debug)]
pub(crate) struct HeldBudgets {
    max: usize,
    pools: Arc<Mutex<HashMap<ClusterId, Arc<Pool>>>>,
}

#[derive(Debug, Default)]
struct Pool {
    used: AtomicUsize,
    sessions: Mutex<HashMap<usize, Arc<Entry>>>,
}

#[derive(Debug, Default)]
struct Entry {
    bytes: AtomicUsize,
    /// To end: it held most when the pool was full.
    chosen: AtomicBool,
    waker: AtomicWaker,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one call of a map.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HeldBudgets {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            pools: Arc::default(),
        }
    }

    /// Returns the share of a new session, which holds nothing.
    pub fn session(&self, cluster: ClusterId) -> HeldShare {
        let mut pools = lock(&self.pools);
        let pool = Arc::clone(pools.entry(cluster).or_default());
        let entry = Arc::new(Entry::default());
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

    /// Tells the sessions that hold most to end, until what the others hold is three quarters of
    /// `max`.
    fn choose(&self, max: usize) {
        let sessions = lock(&self.sessions);
        let held = |entry: &&Arc<Entry>| entry.bytes.load(Ordering::Relaxed);
        let mut all: Vec<_> = sessions.values().collect();
        all.sort_unstable_by_key(|entry| std::cmp::Reverse(held(entry)));
        let mut left: usize = all.iter().map(held).sum();
        for entry in all {
            if left <= max / 4 * 3 {
                break;
            }
            left = left.saturating_sub(held(&entry));
            entry.chosen.store(true, Ordering::Release);
            entry.waker.wake();
        }
    }
}

/// One session's share of its cluster's pool. Dropped, it gives back what it holds.
#[derive(Debug)]
pub(crate) struct HeldShare {
    cluster: ClusterId,
    max: usize,
    pools: Arc<Mutex<HashMap<ClusterId, Arc<Pool>>>>,
    pool: Arc<Pool>,
    entry: Arc<Entry>,
    bytes: usize,
    /// Since this session found the pool full.
    full: Option<Pin<Box<Sleep>>>,
}

impl HeldShare {
    /// Whether the pool has no room: the session must read nothing more for now. It is woken when
    /// there is room.
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
            self.pool.choose(self.max);
            full.set(tokio::time::sleep(HELD_FULL_MAX));
        }
        // Given back meanwhile: whoever did woke the waker that was there before.
        self.pool.used.load(Ordering::Acquire) >= self.max
    }

    /// Sets what the session holds now.
    pub fn set(&mut self, bytes: usize, cx: &mut Context<'_>) {
        if bytes > 0 {
            self.entry.waker.register(cx.waker());
        }
        self.account(bytes);
    }

    fn account(&mut self, bytes: usize) {
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
        if before >= self.max && now < self.max {
            self.pool.wake_all();
        }
    }

    /// Whether this session must end so that the pool has room again.
    pub fn is_chosen(&self) -> bool {
        self.entry.chosen.load(Ordering::Acquire)
    }
}

impl Drop for HeldShare {
    fn drop(&mut self) {
        self.account(0);
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
    async fn a_full_pool_stops_reading_first_and_then_ends_those_that_hold_most() {
        let budgets = HeldBudgets::new(1000);
        let mut shares: Vec<_> = (0..10).map(|_| budgets.session(ClusterId(1))).collect();
        for (share, bytes) in shares
            .iter_mut()
            .zip([300, 50, 200, 50, 100, 100, 50, 50, 50, 50])
        {
            share.set(bytes, &mut cx());
        }
        let mut idle = budgets.session(ClusterId(1));
        let mut other = budgets.session(ClusterId(2));
        assert!(
            idle.is_full(&mut cx()) && !other.is_full(&mut cx()),
            "the other cluster has a pool of its own"
        );
        assert!(
            shares.iter().all(|share| !share.is_chosen()),
            "nobody ends at once"
        );
        tokio::time::sleep(HELD_FULL_MAX).await;
        assert!(idle.is_full(&mut cx()));
        let chosen =
            |shares: &[HeldShare]| shares.iter().map(HeldShare::is_chosen).collect::<Vec<_>>();
        assert_eq!(
            chosen(&shares).iter().filter(|chosen| **chosen).count(),
            1,
            "one is enough"
        );
        assert!(shares[0].is_chosen() && !other.is_chosen());
        shares.remove(0);
        assert!(!idle.is_full(&mut cx()), "there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_in_time_keeps_all_sessions() {
        let budgets = HeldBudgets::new(100);
        let (mut slow, mut idle) = (budgets.session(ClusterId(1)), budgets.session(ClusterId(1)));
        slow.set(120, &mut cx());
        assert!(idle.is_full(&mut cx()));
        slow.set(80, &mut cx());
        assert!(!idle.is_full(&mut cx()));
        tokio::time::sleep(HELD_FULL_MAX * 2).await;
        assert!(!idle.is_full(&mut cx()) && !slow.is_chosen());
    }

    #[test]
    fn a_pool_goes_with_its_last_session() {
        let budgets = HeldBudgets::new(100);
        let mut one = budgets.session(ClusterId(1));
        one.set(70, &mut cx());
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
