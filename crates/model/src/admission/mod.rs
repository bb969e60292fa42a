//! Admission of connections that have not logged in yet: how many each network may have, and how
//! much memory all of them may use. Every public listener uses it. It does no I/O: the caller has
//! the sockets and clocks.

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

/// Delayed denials of closed connections that are remembered until their time: 200 KB.
const DEBTS_MAX: usize = 4096;
/// Share of all places and all memory, as a divisor, that is reserved for sources that proved a
/// password recently.
const RESERVE_PART: u32 = 8;

/// Bounds of one listener's unproven connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Connections of one source: an IPv4 address or an IPv6 /64.
    pub per_source: u32,
    /// Connections of all sources.
    pub total: u32,
    /// Bytes of memory that all of them may use.
    pub memory: u64,
    /// Places of one source in which a delayed denial may wait.
    pub late_max: u32,
}

/// Register of the unproven connections of a listener. Cheap to clone; all clones share the data.
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
    /// Places of sources that proved a password recently. Other sources can't evict them.
    reserve: Pool,
    proven: ProvenSources,
    /// Delayed denials whose connection is closed: the time until which they count, their source,
    /// and whether they are in the reserve.
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
    /// Returns the largest number of connections for this total, including evicted ones that are
    /// still closing.
    pub const fn most(total: u64) -> u64 {
        // Both pools round up, so both minimums are added.
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
                // One known source gets an eighth of the reserve, so that it can't fill it alone.
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

    /// Returns a place for a connection that uses this many bytes at first. If a share is used up,
    /// the oldest connection of the network that uses most of it is evicted. If that network is the
    /// newcomer's own source and none of its connections is old, the newcomer is refused instead.
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
            // A full reserve is no refusal: the source then takes its place among the strangers.
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

    /// Returns the number of open connections and the bytes they use, including evicted ones that
    /// are still closing.
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

/// Signal that tells a connection that it was evicted.
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

/// Place of an unproven connection, kept until its password is verified or it closes.
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

/// Receiver of the eviction of a place. It may outlive the place; it then never fires.
#[derive(Debug, Clone)]
pub struct Eviction(Arc<Signal>);

impl Eviction {
    /// Waits until the connection is evicted.
    pub async fn wait(&self) {
        std::future::poll_fn(|cx| {
            if self.0.is_raised() {
                return Poll::Ready(());
            }
            self.0.waker.register(cx.waker());
            // Again: a signal between the two lines above has woken nobody.
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
    /// Sets the bytes that the connection uses from now on. If the budget is exceeded, connections
    /// of the largest network are evicted; this one may be among them.
    pub fn charge(&mut self, bytes: u64) {
        let mut state = self.admission.inner.lock();
        state
            .pool(self.reserved)
            .charge(&self.path, self.id, self.bytes, bytes);
        self.bytes = bytes;
    }

    /// Whether the source proved a password recently.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Networks that contain the source.
    pub fn path(&self) -> &NetworkPath {
        &self.path
    }

    /// Returns a receiver of the eviction. It wakes one task at a time.
    pub fn eviction(&self) -> Eviction {
        Eviction(Arc::clone(&self.signal))
    }

    /// Whether the connection was evicted and must close.
    pub fn is_evicted(&self) -> bool {
        self.signal.is_raised()
    }

    /// Notes that a denial waits in this place until the given time. It counts against the source
    /// until the place is dropped; if the connection was evicted, until that time.
    pub fn wait_late(&mut self, until: Instant) {
        if self.late_until.replace(until).is_none() {
            self.admission
                .inner
                .lock()
                .pool(self.reserved)
                .wait_late(&self.path, self.id);
        }
    }

    /// Whether delayed denials wait in as many of the source's places as the limit allows.
    pub fn late_full(&self) -> bool {
        let mut state = self.admission.inner.lock();
        state.forget_debts(Instant::now());
        let source = self.path.source();
        // A source may have places in both: it can become known while its denials wait.
        let late = state.pool(false).late(source) + state.pool(true).late(source);
        late >= self.admission.inner.late_max
    }

    /// Gives the place back after the password was verified, and remembers the source.
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
        // The denial of an evicted connection counts until its time. Otherwise each eviction would
        // free a place for the next guess.
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
