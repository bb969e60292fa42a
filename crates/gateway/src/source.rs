//! How many connections a source may hold before it has proved a password.
//!
//! Counted per IPv4 address and per IPv6 /64, since that is what one customer of a network has. Proven sessions do
//! not count: nobody's open work is limited by who else knocks from the same address.

use crate::limits::LATE_SHARE;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(u128);

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
    by_source: HashMap<Source, Held>,
}

/// What one source holds: never empty, so the map is no larger than the total.
#[derive(Debug, Default)]
struct Held {
    places: u32,
    /// Of these, those in which a no waits for its time.
    late: u32,
}

impl Sources {
    pub fn new(per_source_max: u32, total_max: u32) -> Arc<Self> {
        Arc::new(Self { per_source_max, total_max, counts: Mutex::default() })
    }

    /// A place for one unproven connection, or who has too many.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let source = Source::from(address);
        let mut counts = self.lock();
        if counts.total >= self.total_max {
            return Err(Full::All);
        }
        if counts.by_source.get(&source).is_some_and(|held| held.places >= self.per_source_max) {
            return Err(Full::Source);
        }
        counts.by_source.entry(source).or_default().places += 1;
        counts.total += 1;
        Ok(Place { sources: Arc::clone(self), source, late: false })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose places are all taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("unproven_per_source")]
    Source,
    #[error("unproven_total")]
    All,
}

/// Held until the credential is proved, or the connection ends.
#[derive(Debug)]
pub struct Place {
    sources: Arc<Sources>,
    source: Source,
    late: bool,
}

impl Place {
    /// A no waits here from now on: the place stays taken, even if the client is gone.
    pub fn wait_late(&mut self) {
        if !std::mem::replace(&mut self.late, true)
            && let Some(held) = self.sources.lock().by_source.get_mut(&self.source)
        {
            held.late += 1;
        }
    }

    /// Whether so many of this source's places are taken by waiting noes that no more may be.
    pub fn late_full(&self) -> bool {
        let most = (self.sources.per_source_max / LATE_SHARE).max(1);
        self.sources.lock().by_source.get(&self.source).is_some_and(|held| held.late >= most)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.sources.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(held) = counts.by_source.get_mut(&self.source) {
            held.places = held.places.saturating_sub(1);
            held.late = held.late.saturating_sub(u32::from(self.late));
            if held.places == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_64() {
        let sources = Sources::new(1, 3);
        let first = sources.admit(a("2001:db8::1"));
        assert!(first.is_ok());
        assert_eq!(sources.admit(a("2001:db8::2")).unwrap_err(), Full::Source, "the same /64");
        let _other = sources.admit(a("2001:db8:0:1::1")).unwrap();
        let _v4 = sources.admit(a("203.0.113.9")).unwrap();
        assert_eq!(sources.admit(a("203.0.113.10")).unwrap_err(), Full::All, "three in all");
        drop(first);
        assert!(sources.admit(a("203.0.113.10")).is_ok());
    }

    #[test]
    fn an_ipv4_address_written_as_ipv6_is_the_same_source() {
        let sources = Sources::new(1, 9);
        let _one = sources.admit(a("::ffff:203.0.113.9")).unwrap();
        assert_eq!(sources.admit(a("203.0.113.9")).unwrap_err(), Full::Source);
        assert!(sources.admit(a("::ffff:203.0.113.10")).is_ok());
    }

    #[test]
    fn what_was_held_is_forgotten_with_its_last_place() {
        let sources = Sources::new(4, 8);
        for n in 0..200_u8 {
            let mut place = sources.admit(a(&format!("203.0.113.{n}"))).unwrap();
            place.wait_late();
        }
        let counts = sources.lock();
        assert!(counts.by_source.is_empty() && counts.total == 0);
    }

    #[test]
    fn case_49_noes_that_wait_take_half_of_the_places_of_a_source() {
        let sources = Sources::new(4, 100);
        let mut places: Vec<Place> = (0..3).map(|_| sources.admit(a("203.0.113.9")).unwrap()).collect();
        assert!(!places[0].late_full());
        places[0].wait_late();
        places[0].wait_late();
        assert!(!places[2].late_full(), "one place counts once");
        places[1].wait_late();
        assert!(places[2].late_full());
        assert!(!sources.admit(a("203.0.113.10")).unwrap().late_full(), "others are not touched");
        places.remove(0);
        assert!(!places[1].late_full());
    }
}
