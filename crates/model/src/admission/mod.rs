//! Admission of connections that have not proved who they are: how many each network may hold, and
//! how much memory all of them may take. Used by every public listener. Pure bookkeeping: the
//! caller reads sockets and clocks.

mod fair_queue;
mod network;
mod pool;
mod proven;

pub use fair_queue::FairQueue;
pub use network::{Network, NetworkPath, SourceNetwork};
pub use pool::{PoolFull, Shares};

use futures_util::task::AtomicWaker;
use pool::Pool;
use proven::ProvenSources;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;

/// Delayed denials of ended connections that are remembered until their time: 200 KB.
const DEBTS_MAX: usize = 4096;
/// One part in so many of all places and of all memory is kept for sources that proved a password
/// lately.
const RESERVE_PART: u32 = 8;

/// Bounds of one listener's unproven connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Connections of one source: an IPv4 address or an IPv6 /64.
    pub per_source: u32,
    /// Connections of all sources.
    pub total: u32,
    /// Bytes that all of them may cost.
    pub memory: u64,
    /// Places of one source that may hold a delayed denial.
    pub late_max: u32,
}

/// Register of the unproven connections of a listener. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Admission {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    late_max: u32,
    began: Instant,
    state: Mutex<AdmissionState>,
}

#[derive(Debug)]
struct AdmissionState {
    strangers: Pool,
    /// Places of sources that proved a password lately: no stranger ends them.
    reserve: Pool,
    proven: ProvenSources,
    /// Delayed denials whose connection has ended: when they no longer count, whose they are, and
    /// in which pool.
    debts: BinaryHeap<Reverse<(Instant, NetworkPath, bool)>>,
}

impl AdmissionState {
    fn forget_debts(&mut self, now: Instant) {
        while let Some(Reverse((until, path, reserved))) = self.debts.peek().copied() {
            if until > now {
                return;
            }
            self.debts.pop();
            self.pool(reserved).forget_late(&path);
        }
    }

    fn pool(&mut self, reserved: bool) -> &mut Pool {
        if reserved {
            &mut self.reserve
        } else {
            &mut self.strangers
        }
    }
}

impl Admission {
    /// Returns the most connections at once for this total, with those that were told to end and
    /// have not yet.
    pub const fn most(total: u64) -> u64 {
        // Both pools round.
        pool::with_leaving(total).saturating_add(2 * pool::LEAVING_MIN as u64)
    }

    pub fn new(limits: AdmissionLimits) -> Self {
        let AdmissionLimits {
            per_source,
            total,
            memory,
            late_max,
        } = limits;
        let reserved = total / RESERVE_PART;
        let reserved_memory = memory / u64::from(RESERVE_PART);
        let state = AdmissionState {
            strangers: Pool::new(
                Shares::new(per_source, total - reserved),
                memory - reserved_memory,
            ),
            reserve: Pool::new(
                Shares::new(per_source.min(reserved / RESERVE_PART).max(1), reserved),
                reserved_memory,
            ),
            proven: ProvenSources::new(),
            debts: BinaryHeap::new(),
        };
        Self {
            inner: Arc::new(Inner {
                late_max,
                began: Instant::now(),
                state: Mutex::new(state),
            }),
        }
    }

    /// Returns a place for one connection that costs this many bytes for now. Where a share is used
    /// up, the oldest connection of its largest holder is told to end; the newcomer is refused if
    /// that holder is its own source and has nothing that waits for long.
    pub fn admit(&self, address: IpAddr, bytes: u64) -> Result<AdmissionPlace, PoolFull> {
        self.admit_at(address, bytes, Instant::now())
    }

    fn admit_at(
        &self,
        address: IpAddr,
        bytes: u64,
        now: Instant,
    ) -> Result<AdmissionPlace, PoolFull> {
        let path = NetworkPath::of(address);
        let signal = Arc::new(Signal::default());
        let seconds = self.inner.seconds(now);
        let mut state = self.inner.lock();
        state.forget_debts(now);
        let known = state.proven.contains(&path, seconds);
        let reserved = match known {
            true => state.reserve.admit(&path, bytes, now, &signal).ok(),
            false => None,
        };
        let id = match reserved {
            Some(id) => id,
            None => state.strangers.admit(&path, bytes, now, &signal)?,
        };
        drop(state);
        let reserved = reserved.is_some();
        Ok(AdmissionPlace {
            admission: self.clone(),
            path,
            id,
            bytes,
            reserved,
            known,
            late_until: None,
            signal,
        })
    }

    /// Returns how many connections are open and what they cost: those that were told to end are
    /// counted until they have.
    pub fn used(&self) -> (u32, u64) {
        let state = self.inner.lock();
        let strangers = state.strangers.used();
        let reserve = state.reserve.used();
        (strangers.0 + reserve.0, strangers.1 + reserve.1)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, AdmissionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.began).as_secs()).unwrap_or(u32::MAX)
    }
}

/// Tells a connection that its place is given to another.
#[derive(Debug, Default)]
struct Signal {
    raised: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

/// Place of one unproven connection: held until its credential is proved or it ends.
#[derive(Debug)]
pub struct AdmissionPlace {
    admission: Admission,
    path: NetworkPath,
    id: u64,
    bytes: u64,
    reserved: bool,
    known: bool,
    late_until: Option<Instant>,
    signal: Arc<Signal>,
}

/// Tells when a place is given to another. Outlives the place, whose connection then has nothing to
/// fear.
#[derive(Debug, Clone)]
pub struct Eviction(Arc<Signal>);

impl Eviction {
    /// Ends once the connection has to end.
    pub async fn wait(&self) {
        std::future::poll_fn(|cx| {
            if self.0.is_raised() {
                return Poll::Ready(());
            }
            self.0.waker.register(cx.waker());
            if self.0.is_raised() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl AdmissionPlace {
    /// Sets what the connection costs from now on. Over the budget, connections of the largest
    /// network are told to end; this one may be among them.
    pub fn charge(&mut self, bytes: u64) {
        let mut state = self.admission.inner.lock();
        state
            .pool(self.reserved)
            .charge(&self.path, self.id, self.bytes, bytes);
        self.bytes = bytes;
    }

    /// Whether the source proved a password lately.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Networks that the source lies in.
    pub fn path(&self) -> &NetworkPath {
        &self.path
    }

    /// Returns what tells when the connection has to end. One task at a time is woken by it.
    pub fn eviction(&self) -> Eviction {
        Eviction(Arc::clone(&self.signal))
    }

    /// Whether the connection has to end.
    pub fn is_evicted(&self) -> bool {
        self.signal.is_raised()
    }

    /// Marks that a denial waits here until this time: it counts against the source until the place
    /// is dropped and, if the connection was told to end, until then in any case.
    pub fn wait_late(&mut self, until: Instant) {
        if self.late_until.replace(until).is_none() {
            self.admission
                .inner
                .lock()
                .pool(self.reserved)
                .wait_late(&self.path, self.id);
        }
    }

    /// Whether so many of the source's places hold a delayed denial that no more may.
    pub fn late_full(&self) -> bool {
        let mut state = self.admission.inner.lock();
        state.forget_debts(Instant::now());
        let source = self.path.source();
        let late = state.pool(false).late(source) + state.pool(true).late(source);
        late >= self.admission.inner.late_max
    }

    /// Gives the place back: the connection has proved who it is, and its source is remembered for
    /// that.
    pub fn prove(self) {
        let seconds = self.admission.inner.seconds(Instant::now());
        self.admission
            .inner
            .lock()
            .proven
            .insert(&self.path, seconds);
    }
}

impl Drop for AdmissionPlace {
    fn drop(&mut self) {
        let mut state = self.admission.inner.lock();
        state
            .pool(self.reserved)
            .remove(&self.path, self.id, self.bytes);
        let Some(until) = self.late_until else { return };
        if self.signal.is_raised() && state.debts.len() < DEBTS_MAX {
            state.debts.push(Reverse((until, self.path, self.reserved)));
        } else {
            state.pool(self.reserved).forget_late(&self.path);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
