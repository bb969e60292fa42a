//! Failed logins of late: the more there were, the later the next no is said.
//!
//! Counted per source and per source with the login name as it was written. Never delays a yes, and never knows whether
//! a name exists.

use crate::limits::{FAILURES_FREE, FAILURES_FREE_OF_SOURCE, FAILURES_HALF_LIFE, FAILURES_SETS, LATE_TICKS_MAX};
use crate::source::Source;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Entries that a key may lie in. A new one takes the place of the one that counts least.
const WAYS: usize = 4;

#[derive(Debug)]
pub(crate) struct Failures {
    /// Random per start: nobody outside can choose names that meet in one set.
    keys: RandomState,
    began: Instant,
    /// Apart from one another, so that a flood of names can't make a source forgotten.
    sources: Mutex<Table>,
    names: Mutex<Table>,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            keys: RandomState::new(),
            began: Instant::now(),
            sources: Mutex::new(Table::new()),
            names: Mutex::new(Table::new()),
        }
    }
}

impl Failures {
    /// A no under this name: after how many ticks it is said.
    pub fn no(&self, source: Source, name: &[u8]) -> u32 {
        let now = self.now();
        let of_source = self.add(&self.sources, self.keys.hash_one(source), now);
        let of_name = self.add(&self.names, self.keys.hash_one((source, name)), now);
        ticks(of_source, FAILURES_FREE_OF_SOURCE).max(ticks(of_name, FAILURES_FREE))
    }

    /// A yes: what this source mistyped under this name is forgotten, what it tried under others is not.
    pub fn yes(&self, source: Source, name: &[u8]) {
        let tag = self.keys.hash_one((source, name));
        self.names.lock().unwrap_or_else(PoisonError::into_inner).forget(tag);
    }

    /// Whether this source has failed under this name more often than people mistype.
    pub fn suspected(&self, source: Source, name: &[u8]) -> bool {
        let tag = self.keys.hash_one((source, name));
        let count = self.names.lock().unwrap_or_else(PoisonError::into_inner).count(tag, self.now());
        count > FAILURES_FREE
    }

    fn add(&self, table: &Mutex<Table>, tag: u64, now: u32) -> u32 {
        table.lock().unwrap_or_else(PoisonError::into_inner).add(tag, now)
    }

    /// Seconds of our life.
    fn now(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}

/// One for the free ones, then doubling.
fn ticks(failures: u32, free: u32) -> u32 {
    1_u32.checked_shl(failures.saturating_sub(free)).unwrap_or(LATE_TICKS_MAX).min(LATE_TICKS_MAX)
}

/// 16 bytes: that of a whole table is what `FAILURES_SETS` says.
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

/// Of a fixed size from the start, whatever comes.
#[derive(Debug)]
struct Table(Vec<[Entry; WAYS]>);

impl Table {
    fn new() -> Self {
        Self(vec![[Entry::default(); WAYS]; FAILURES_SETS])
    }

    fn set(&mut self, tag: u64) -> &mut [Entry] {
        let sets = self.0.len().max(1) as u64;
        let at = usize::try_from(tag % sets).unwrap_or(0);
        self.0.get_mut(at).map_or(&mut [], |set| set.as_mut_slice())
    }

    fn add(&mut self, tag: u64, now: u32) -> u32 {
        let set = self.set(tag);
        let at = set.iter().position(|e| e.tag == tag && e.count > 0).or_else(|| {
            let least = set.iter().enumerate().min_by_key(|(_, e)| (e.left(now), e.at));
            least.map(|(at, _)| at)
        });
        let Some(entry) = at.and_then(|at| set.get_mut(at)) else { return 1 };
        let before = if entry.tag == tag { entry.left(now) } else { 0 };
        *entry = Entry { tag, count: before.saturating_add(1), at: now };
        entry.count
    }

    fn count(&mut self, tag: u64, now: u32) -> u32 {
        self.set(tag).iter().find(|e| e.tag == tag).map_or(0, |e| e.left(now))
    }

    fn forget(&mut self, tag: u64) {
        if let Some(entry) = self.set(tag).iter_mut().find(|e| e.tag == tag) {
            *entry = Entry::default();
        }
    }
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
