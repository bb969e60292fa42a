//! Growth of one cluster's files over the last minute or two. It does no I/O; the caller passes the
//! time.

use super::level::DiskUse;
use crate::limits::GROWTH_WINDOW;
use std::time::Instant;

/// Two measurements to compare with: the older is at least a window old, unless the first
/// measurement is younger.
#[derive(Debug, Default)]
pub struct Growth {
    older: Option<(Instant, DiskUse)>,
    newer: Option<(Instant, DiskUse)>,
}

impl Growth {
    /// Takes a measurement.
    pub fn add(&mut self, now: Instant, used: DiskUse) {
        let is_new =
            |(at, _): &(Instant, DiskUse)| now.saturating_duration_since(*at) < GROWTH_WINDOW;
        if !self.newer.as_ref().is_some_and(is_new) {
            self.older = self.newer.or(Some((now, used)));
            self.newer = Some((now, used));
        }
    }

    /// Bytes and entries that were added until this measurement.
    pub fn until(&self, used: DiskUse) -> (u64, u64) {
        self.older.map_or((0, 0), |(_, before)| {
            (
                used.bytes.saturating_sub(before.bytes),
                used.entries.saturating_sub(before.entries),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(bytes: u64) -> DiskUse {
        DiskUse {
            bytes,
            entries: bytes,
            largest: 0,
            complete: true,
        }
    }

    #[test]
    fn growth_is_that_of_one_to_two_windows() {
        let mut growth = Growth::default();
        let now = Instant::now();
        assert_eq!(growth.until(at(9)), (0, 0));
        growth.add(now, at(10));
        growth.add(now + Duration::from_secs(1), at(15));
        assert_eq!(growth.until(at(15)), (5, 5));
        growth.add(now + GROWTH_WINDOW, at(20));
        assert_eq!(growth.until(at(20)), (10, 10), "one window");
        growth.add(now + GROWTH_WINDOW * 2, at(21));
        assert_eq!(growth.until(at(21)), (1, 1), "the first is forgotten");
        assert_eq!(growth.until(at(3)), (0, 0), "shrinking is no growth");
    }
}
