//! Failed logins of late: the more there were, the later the next refusal is sent.
//!
//! Counted per source and per source with the login name as it was written, and in the same way for
//! the networks that the source lies in: whoever has a whole network must not begin anew with each
//! of its addresses. Never delays a right password, and never knows whether a name exists.

use crate::limits::{
    FAILURES_FREE, FAILURES_FREE_OF_SOURCE, FAILURES_HALF_LIFE, FAILURES_SETS, LATE_TICKS_MAX,
};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Entries that a key may lie in. A new one takes the place of the one that counts least.
const WAYS: usize = 4;

#[derive(Debug)]
pub(crate) struct Failures {
    /// Random per start: nobody outside can choose names that meet in one set.
    keys: RandomState,
    began: Instant,
    /// Apart from one another, so that a flood of names can't make a source forgotten.
    sources: Table,
    names: Table,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            keys: RandomState::new(),
            began: Instant::now(),
            sources: Table::new(),
            names: Table::new(),
        }
    }
}

impl Failures {
    /// Counts a mismatch under this name. Returns after how many ticks its refusal is sent.
    pub fn add(&self, client: IpAddr, name: &[u8]) -> u32 {
        let now = self.now();
        let free = FAILURES_FREE_OF_SOURCE.into_iter().zip(FAILURES_FREE);
        let late = networks(client)
            .zip(free)
            .map(|(network, (free_of_source, free))| {
                let of_source = self.sources.add(self.keys.hash_one(network), now);
                let of_name = self.names.add(self.keys.hash_one((network, name)), now);
                ticks(of_source, free_of_source).max(ticks(of_name, free))
            });
        late.max().unwrap_or(1)
    }

    /// Takes one mismatch back: it was none.
    pub fn take_back(&self, client: IpAddr, name: &[u8]) {
        let now = self.now();
        for network in networks(client) {
            self.sources.take_back(self.keys.hash_one(network), now);
            self.names
                .take_back(self.keys.hash_one((network, name)), now);
        }
    }

    /// Forgets what this source mistyped under a name whose password it has, and nothing that it
    /// tried under others.
    pub fn forgive(&self, client: IpAddr, name: &[u8]) {
        if let Some(source) = networks(client).next() {
            self.names.forget(self.keys.hash_one((source, name)));
        }
    }

    /// Whether this source has failed under this name more often than people mistype.
    pub fn suspected(&self, client: IpAddr, name: &[u8]) -> bool {
        let [free, ..] = FAILURES_FREE;
        let count = |source| {
            self.names
                .count(self.keys.hash_one((source, name)), self.now())
        };
        networks(client)
            .next()
            .is_some_and(|source| count(source) > free)
    }

    /// Seconds of our life.
    fn now(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}

/// The networks that an address is counted in, from the narrowest: base, and number of bits.
fn networks(client: IpAddr) -> impl Iterator<Item = (u128, u8)> {
    let (address, width, bits): (u128, u8, &'static [u8]) = match client.to_canonical() {
        IpAddr::V4(address) => (u32::from(address).into(), 32, &[32, 24]),
        IpAddr::V6(address) => (address.into(), 128, &[64, 56, 48]),
    };
    bits.iter()
        .map(move |bits| (address >> (width - bits), *bits))
}

/// One for the free ones, then doubling.
fn ticks(failures: u32, free: u32) -> u32 {
    1_u32
        .checked_shl(failures.saturating_sub(free))
        .unwrap_or(LATE_TICKS_MAX)
        .min(LATE_TICKS_MAX)
}

/// 16 bytes; the size of a whole table is in the comment of `FAILURES_SETS`.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    tag: u64,
    count: u32,
    at: u32,
}

impl Entry {
    /// What is left of the count.
    fn left(self, now: u32) -> u32 {
        let halvings = now.saturating_sub(self.at) / FAILURES_HALF_LIFE;
        self.count.checked_shr(halvings).unwrap_or(0)
    }
}

type Set = [Entry; WAYS];

/// Of a fixed size from the start, whatever comes. Each set has its own lock, and no operation
/// reads more than one set.
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
        let known = set.iter().position(|e| e.tag == tag && e.count > 0);
        let at = known.or_else(|| {
            let least = set
                .iter()
                .enumerate()
                .min_by_key(|(_, e)| (e.left(now), e.at));
            least.map(|(at, _)| at)
        });
        let Some(entry) = at.and_then(|at| set.get_mut(at)) else {
            return 1;
        };
        let before = if entry.tag == tag { entry.left(now) } else { 0 };
        *entry = Entry {
            tag,
            count: before.saturating_add(1),
            at: now,
        };
        entry.count
    }

    fn take_back(&self, tag: u64, now: u32) {
        let Some(mut set) = self.set(tag) else { return };
        if let Some(entry) = set.iter_mut().find(|e| e.tag == tag) {
            *entry = Entry {
                tag,
                count: entry.left(now).saturating_sub(1),
                at: now,
            };
        }
    }

    fn count(&self, tag: u64, now: u32) -> u32 {
        let Some(set) = self.set(tag) else { return 0 };
        set.iter().find(|e| e.tag == tag).map_or(0, |e| e.left(now))
    }

    fn forget(&self, tag: u64) {
        let Some(mut set) = self.set(tag) else { return };
        if let Some(entry) = set.iter_mut().find(|e| e.tag == tag) {
            *entry = Entry::default();
        }
    }
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
