//! How many connections a source may hold before it has proved a password.
//!
//! Counted per IPv4 address and per IPv6 /64, since that is what one customer of a network has. Proven sessions do
//! not count: nobody's open work is limited by who else knocks from the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Source(u128);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(a) => Self(u128::from(u32::from(a))),
            // The low bit keeps the two families apart.
            IpAddr::V6(a) => Self((u128::from(a) >> 64 << 64) | 1),
        }
    }
}

#[derive(Debug)]
pub struct Sources {
    per_source_max: u32,
    total_max: u32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u32,
    by_source: HashMap<Source, u32>,
}

impl Sources {
    pub fn new(per_source_max: u32, total_max: u32) -> Arc<Self> {
        Arc::new(Self { per_source_max, total_max, counts: Mutex::default() })
    }

    /// A place for one unproven connection, or `None` where there are too many.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = Source::from(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.total_max {
            return None;
        }
        let count = counts.by_source.entry(source).or_insert(0);
        if *count >= self.per_source_max {
            return None;
        }
        *count += 1;
        counts.total += 1;
        Some(Place { sources: Arc::clone(self), source })
    }
}

/// Held until the credential is proved, or the connection ends.
#[derive(Debug)]
pub struct Place {
    sources: Arc<Sources>,
    source: Source,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.sources.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        if let Some(count) = counts.by_source.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_64() {
        let sources = Sources::new(1, 3);
        let a = |s: &str| s.parse::<IpAddr>().unwrap();
        let first = sources.admit(a("2001:db8::1"));
        assert!(first.is_some());
        assert!(sources.admit(a("2001:db8::2")).is_none(), "the same /64");
        let _other = sources.admit(a("2001:db8:0:1::1")).unwrap();
        let _v4 = sources.admit(a("203.0.113.9")).unwrap();
        assert!(sources.admit(a("203.0.113.10")).is_none(), "three in all");
        drop(first);
        assert!(sources.admit(a("203.0.113.10")).is_some());
    }
}
