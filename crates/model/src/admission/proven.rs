//! Sources that proved a password recently, in a table of fixed size.

use super::network::{NetworkPath, SourceNetwork};
use std::hash::{BuildHasher, RandomState};

/// Seconds for which a source is remembered: long enough for a connection pool that reconnects
/// after an hour of inactivity.
const REMEMBERED_SECONDS: u32 = 3600;
/// Sets of the table. A set is chosen by the widest network, so one network can displace no more
/// than one set. The table has 200 KB.
const SETS: usize = 512;
/// Sources remembered per set.
const WAYS: usize = 16;

#[derive(Debug)]
pub(super) struct ProvenSources {
    /// Random per start, so that nobody can choose networks that collide in one set.
    keys: RandomState,
    sets: Vec<[Option<(SourceNetwork, u32)>; WAYS]>,
}

impl ProvenSources {
    pub fn new() -> Self {
        Self {
            keys: RandomState::new(),
            sets: vec![[None; WAYS]; SETS],
        }
    }

    fn set(&mut self, path: &NetworkPath) -> &mut [Option<(SourceNetwork, u32)>] {
        let at = self.keys.hash_one(path.widest()) % SETS as u64;
        let at = usize::try_from(at).unwrap_or(0);
        self.sets
            .get_mut(at)
            .map_or(&mut [], |set| set.as_mut_slice())
    }

    /// Remembers a source, in place of the source of its set that proved a password longest ago.
    pub fn insert(&mut self, path: &NetworkPath, now: u32) {
        let source = path.source();
        let set = self.set(path);
        let at = set.iter().position(|e| e.is_some_and(|(s, _)| s == source));
        let oldest = || {
            set.iter()
                .enumerate()
                // Free entries come first.
                .min_by_key(|(_, e)| e.map(|(_, at)| at))
                .map(|(at, _)| at)
        };
        if let Some(entry) = at.or_else(oldest).and_then(|at| set.get_mut(at)) {
            *entry = Some((source, now));
        }
    }

    pub fn contains(&mut self, path: &NetworkPath, now: u32) -> bool {
        let source = path.source();
        let lately = |at: u32| now.saturating_sub(at) < REMEMBERED_SECONDS;
        self.set(path)
            .iter()
            .flatten()
            .any(|(s, at)| *s == source && lately(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> NetworkPath {
        NetworkPath::of(text.parse().unwrap())
    }

    #[test]
    fn a_proof_is_remembered_for_an_hour_and_for_its_source_only() {
        let mut proven = ProvenSources::new();
        proven.insert(&path("203.0.113.9"), 10);
        assert!(proven.contains(&path("203.0.113.9"), 10 + REMEMBERED_SECONDS - 1));
        assert!(!proven.contains(&path("203.0.113.9"), 10 + REMEMBERED_SECONDS));
        assert!(!proven.contains(&path("203.0.113.10"), 11));
    }

    #[test]
    fn one_network_displaces_its_own_set_and_no_other() {
        let mut proven = ProvenSources::new();
        let others: Vec<NetworkPath> = (0..200).map(|n| path(&format!("198.51.{n}.1"))).collect();
        others.iter().for_each(|other| proven.insert(other, 1));
        // A tenant with a /48 proves its password from every /64 in reach.
        for n in 0..10_000_u32 {
            proven.insert(&path(&format!("2001:db8:1:{n:x}::1")), 2);
        }
        let left = others
            .iter()
            .filter(|other| proven.contains(other, 3))
            .count();
        assert!(left >= 190, "{left} of 200");
        assert!(
            proven.contains(&path("2001:db8:1:270f::9"), 3),
            "its own latest"
        );
    }
}
