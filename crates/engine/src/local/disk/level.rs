//! Which level of its disk limit a cluster is at. Pure; the clock is the caller's.

use crate::limits::{
    DISK_FALL_BACK_DIVISOR, DISK_HARD_DIVISOR, DISK_HARD_MIN, DISK_PAUSE_MAX, DISK_PAUSE_MIN,
    DISK_QUOTA_DIVISOR, DISK_RATE_MAX,
};
use std::time::{Duration, Instant};

/// Measured use of a cluster's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskUse {
    pub bytes: u64,
    pub entries: u64,
    /// False if a bound ended the measurement: then it uses more than is counted.
    pub complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskLevel {
    /// Below the soft limit.
    Free,
    /// Above it: the engine is read-only.
    ReadOnly,
    /// Above the hard limit, or beyond measuring: no engine runs.
    Closed,
}

/// Permission to delete although the limit is reached.
#[derive(Debug, Clone, Copy)]
struct Shrink {
    until: Instant,
    /// Growing further than this is not deleting.
    ceiling: u64,
}

#[derive(Debug)]
pub struct DiskState {
    soft: u64,
    used: Option<DiskUse>,
    level: DiskLevel,
    /// The level that the running engine was started at.
    started: DiskLevel,
    shrink: Option<Shrink>,
}

impl DiskState {
    pub fn new(soft: u64) -> Self {
        Self {
            soft,
            used: None,
            level: DiskLevel::Free,
            started: DiskLevel::Free,
            shrink: None,
        }
    }

    pub fn used(&self) -> Option<DiskUse> {
        self.used
    }

    pub fn started(&self) -> DiskLevel {
        self.started
    }

    pub fn set_started(&mut self, level: DiskLevel) {
        self.started = level;
    }

    pub fn set_limit(&mut self, soft: u64) {
        self.soft = soft;
    }

    pub fn set_used(&mut self, used: DiskUse) {
        self.used = Some(used);
    }

    /// Allows writes until then, so that rows can be deleted and tables dropped and truncated.
    pub fn allow_shrink(&mut self, until: Instant) {
        let used = self.used.map_or(0, |used| used.bytes);
        self.shrink = Some(Shrink {
            until,
            ceiling: self.hard().max(used + DISK_HARD_MIN),
        });
    }

    /// The space between the limits is for redo, temporary files, and the recovery of what was
    /// rolled back.
    pub fn hard(&self) -> u64 {
        self.soft
            .saturating_add((self.soft / DISK_HARD_DIVISOR).max(DISK_HARD_MIN))
    }

    /// The file system's own limit: a little above the hard one, so that the server, which knows
    /// the reason, is the one who stops the engine if it measures in time.
    pub fn quota(&self) -> u64 {
        let ceiling = self.shrink.map_or(self.hard(), |shrink| shrink.ceiling);
        ceiling.saturating_add(ceiling / DISK_QUOTA_DIVISOR)
    }

    /// The level after the last measurement. It falls only when the use is clearly below the limit,
    /// so that a cluster at its limit does not change between the two at every statement.
    pub fn level(&mut self, now: Instant) -> DiskLevel {
        let Some(used) = self.used else {
            return DiskLevel::Free;
        };
        self.shrink = self.shrink.filter(|shrink| now < shrink.until);
        let ceiling = self.shrink.map_or(self.hard(), |shrink| shrink.ceiling);
        let soft = match self.level {
            DiskLevel::Free => self.soft,
            DiskLevel::ReadOnly | DiskLevel::Closed => {
                self.soft - self.soft / DISK_FALL_BACK_DIVISOR
            }
        };
        self.level = if used.bytes > ceiling || (!used.complete && self.shrink.is_none()) {
            DiskLevel::Closed
        } else if used.bytes > soft && self.shrink.is_none() {
            DiskLevel::ReadOnly
        } else {
            DiskLevel::Free
        };
        self.level
    }

    /// Time to the next measurement: the time in which a fast disk could be filled up to the limit,
    /// and never more than a fiftieth of all time for measuring.
    pub fn pause(&self, took: Duration) -> Duration {
        let room = self
            .soft
            .saturating_sub(self.used.map_or(0, |used| used.bytes));
        let fill = Duration::from_millis(room.saturating_mul(1000) / DISK_RATE_MAX);
        fill.clamp(DISK_PAUSE_MIN, DISK_PAUSE_MAX).max(took * 50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn at(megabytes: u64) -> DiskUse {
        DiskUse {
            bytes: megabytes * MB,
            entries: 9,
            complete: true,
        }
    }

    #[test]
    fn levels_follow_the_use_and_fall_back_late() {
        let mut state = DiskState::new(1000 * MB);
        let now = Instant::now();
        assert_eq!(
            (state.level(now), state.hard()),
            (DiskLevel::Free, 1256 * MB)
        );
        use DiskLevel::{Closed, Free, ReadOnly};
        for (used, level) in [
            (999, Free),
            (1001, ReadOnly),
            (999, ReadOnly),
            (979, Free),
            (1257, Closed),
            (1200, ReadOnly),
            (10, Free),
        ] {
            state.set_used(at(used));
            assert_eq!(state.level(now), level, "{used}");
        }
        state.set_used(DiskUse {
            complete: false,
            ..at(1)
        });
        assert_eq!(
            state.level(now),
            Closed,
            "what can't be counted is over the limit"
        );
        assert_eq!(DiskState::new(10_000 * MB).hard(), 11_000 * MB);
    }

    #[test]
    fn deleting_is_allowed_for_a_time_and_growing_is_not() {
        let mut state = DiskState::new(1000 * MB);
        let now = Instant::now();
        state.set_used(at(2000));
        assert_eq!(state.level(now), DiskLevel::Closed);
        state.allow_shrink(now + Duration::from_secs(60));
        assert_eq!(state.level(now), DiskLevel::Free);
        state.set_used(at(2255));
        assert_eq!(
            state.level(now),
            DiskLevel::Free,
            "what deleting takes itself"
        );
        state.set_used(at(2257));
        assert_eq!(state.level(now), DiskLevel::Closed);
        state.set_used(at(1100));
        assert_eq!(
            state.level(now + Duration::from_secs(61)),
            DiskLevel::ReadOnly,
            "the time is over"
        );
        state.set_limit(1200 * MB);
        assert_eq!(
            state.level(now),
            DiskLevel::Free,
            "a raised limit is valid at once"
        );
    }

    #[test]
    fn pauses_shorten_near_the_limit() {
        let mut state = DiskState::new(4096 * MB);
        let short = Duration::from_millis(1);
        assert_eq!(state.pause(short), DISK_PAUSE_MAX);
        state.set_used(at(4096 - 512));
        assert_eq!(state.pause(short), Duration::from_secs(2));
        state.set_used(at(5000));
        assert_eq!(state.pause(short), DISK_PAUSE_MIN);
        assert_eq!(state.pause(Duration::from_secs(1)), Duration::from_secs(50));
    }
}
