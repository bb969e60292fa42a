//! Recent failed logins: the more there were, the later the next denial is sent.
//!
//! They are counted per source address, and per source address and login name, and both again for
//! the networks around the address, so that an attacker with a whole network does not start at zero
//! with each of its addresses. A right password is never delayed, and the counts don't depend on
//! whether a name exists.

use crate::limits::{
    FAILURES_FREE, FAILURES_FREE_OF_SOURCE, FAILURES_HALF_LIFE, FAILURES_SETS, LATE_TICKS_MAX,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::future::ready;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidegate_model::{BoxFuture, Throttle};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Entries in which a key may be stored. A new key replaces the entry with the lowest count.
const WAYS: usize = 4;

/// Counts of failed logins of all sources, in memory.
pub struct FailedLogins {
    /// Keyed hash, so that nobody outside can choose names that share a set. `None` only for a key
    /// that HMAC rejects, and it accepts all.
    keyed: Option<Hmac<Sha256>>,
    began: Instant,
    /// Two tables, so that a flood of names can't evict the count of a source.
    sources: Table,
    names: Table,
}

impl FailedLogins {
    /// Makes empty counts, hashed with this key.
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        Self {
            keyed: Hmac::new_from_slice(&**key).ok(),
            began: Instant::now(),
            sources: Table::new(),
            names: Table::new(),
        }
    }

    /// Returns the hash of a network, or of a network and a login name.
    fn tag(&self, (base, bits): Network, name: Option<&[u8]>) -> u64 {
        let Some(mut mac) = self.keyed.clone() else {
            return 0;
        };
        // Everything but the name has a fixed length, so two different inputs never give the same
        // bytes.
        mac.update(&base.to_be_bytes());
        mac.update(&[bits, u8::from(name.is_some())]);
        mac.update(name.unwrap_or_default());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Counts a wrong password under this name. Returns after how many ticks its denial is sent.
    pub fn count_failure(&self, client: IpAddr, name: &[u8]) -> u32 {
        let now = self.now();
        let free = FAILURES_FREE_OF_SOURCE.into_iter().zip(FAILURES_FREE);
        let late = networks(client)
            .zip(free)
            .map(|(network, (free_of_source, free))| {
                let of_source = self.sources.add(self.tag(network, None), now);
                let of_name = self.names.add(self.tag(network, Some(name)), now);
                delay_ticks(of_source, free_of_source).max(delay_ticks(of_name, free))
            });
        late.max().unwrap_or(1)
    }

    /// Takes back one failure that turned out to be none.
    pub fn take_back(&self, client: IpAddr, name: &[u8]) {
        let now = self.now();
        for network in networks(client) {
            self.sources.take_back(self.tag(network, None), now);
            self.names.take_back(self.tag(network, Some(name)), now);
        }
    }

    /// Forgets the failures of this source under a name whose password it knows. Its failures under
    /// other names stay counted.
    pub fn forgive(&self, client: IpAddr, name: &[u8]) {
        // Not the networks around it: others in them may be guessing.
        if let Some(source) = networks(client).next() {
            self.names.forget(self.tag(source, Some(name)));
        }
    }

    /// Whether this source has failed under this name more often than people mistype.
    pub fn is_suspected(&self, client: IpAddr, name: &[u8]) -> bool {
        let [free, ..] = FAILURES_FREE;
        networks(client).next().is_some_and(|source| {
            let key = self.tag(source, Some(name));
            self.names.count(key, self.now()) > free
        })
    }

    /// Returns the seconds since this value was made.
    fn now(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}

/// Each method has done its work before its future is polled: of guesses that arrive together, each
/// is delayed by the ones before it.
impl Throttle for FailedLogins {
    fn count_failure<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, u32> {
        Box::pin(ready(self.count_failure(client, name)))
    }

    fn take_back<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, ()> {
        self.take_back(client, name);
        Box::pin(ready(()))
    }

    fn forgive<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, ()> {
        self.forgive(client, name);
        Box::pin(ready(()))
    }

    fn is_suspected<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, bool> {
        Box::pin(ready(self.is_suspected(client, name)))
    }
}

/// Base address of a network, and its number of bits.
type Network = (u128, u8);

/// Returns the networks in which an address is counted, from the narrowest.
fn networks(client: IpAddr) -> impl Iterator<Item = Network> {
    let (address, width, bits): (u128, u8, &'static [u8]) = match client.to_canonical() {
        IpAddr::V4(address) => (u32::from(address).into(), 32, &[32, 24]),
        IpAddr::V6(address) => (address.into(), 128, &[64, 56, 48]),
    };
    bits.iter()
        .map(move |bits| (address >> (width - bits), *bits))
}

/// Returns the delay of a denial: one tick for the free failures, then twice as many for each more.
fn delay_ticks(failures: u32, free: u32) -> u32 {
    1_u32
        .checked_shl(failures.saturating_sub(free))
        .unwrap_or(LATE_TICKS_MAX)
        .min(LATE_TICKS_MAX)
}

/// Count of one key, and when it was last changed. Takes 16 bytes; [`FAILURES_SETS`] gives the size
/// of a table.
#[derive(Debug, Clone, Copy, Default)]
struct FailureEntry {
    tag: u64,
    count: u32,
    at: u32,
}

impl FailureEntry {
    /// Returns the count, halved once per half-life.
    fn current_count(self, now: u32) -> u32 {
        let halvings = now.saturating_sub(self.at) / FAILURES_HALF_LIFE;
        self.count.checked_shr(halvings).unwrap_or(0)
    }
}

type Set = [FailureEntry; WAYS];

/// Counts by hashed key. The size is fixed from the start. Each set has its own lock, and each
/// operation uses one set.
#[derive(Debug)]
struct Table(Vec<Mutex<Set>>);

impl Table {
    fn new() -> Self {
        Self((0..FAILURES_SETS).map(|_| Mutex::default()).collect())
    }

    fn set(&self, tag: u64) -> Option<MutexGuard<'_, Set>> {
        let at = tag % self.0.len().max(1) as u64;
        let set = self.0.get(usize::try_from(at).ok()?)?;
        Some(set.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, tag: u64, now: u32) -> u32 {
        let Some(mut set) = self.set(tag) else {
            return 1;
        };
        // An entry without failures is free. Its tag is that of a forgotten key, or 0.
        let known = set.iter().position(|e| e.tag == tag && e.count > 0);
        let at = known.or_else(|| {
            // The oldest of the lowest counts, so that the count of a guesser outlives a flood of
            // new keys.
            let least = set
                .iter()
                .enumerate()
                .min_by_key(|(_, e)| (e.current_count(now), e.at));
            least.map(|(at, _)| at)
        });
        let Some(entry) = at.and_then(|at| set.get_mut(at)) else {
            return 1;
        };
        let before = if entry.tag == tag {
            entry.current_count(now)
        } else {
            0
        };
        *entry = FailureEntry {
            tag,
            count: before.saturating_add(1),
            at: now,
        };
        entry.count
    }

    fn take_back(&self, tag: u64, now: u32) {
        let Some(mut set) = self.set(tag) else { return };
        if let Some(entry) = set.iter_mut().find(|e| e.tag == tag) {
            *entry = FailureEntry {
                tag,
                count: entry.current_count(now).saturating_sub(1),
                at: now,
            };
        }
    }

    fn count(&self, tag: u64, now: u32) -> u32 {
        let Some(set) = self.set(tag) else { return 0 };
        set.iter()
            .find(|e| e.tag == tag)
            .map_or(0, |e| e.current_count(now))
    }

    fn forget(&self, tag: u64) {
        let Some(mut set) = self.set(tag) else { return };
        if let Some(entry) = set.iter_mut().find(|e| e.tag == tag) {
            *entry = FailureEntry::default();
        }
    }
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
