//! Level of a cluster's disk limit, from its measured use. It does no I/O; the caller passes the
//! time.

use super::growth::Growth;
use crate::limits::{
    DISK_ENTRIES_MAX, DISK_FALL_BACK_DIVISOR, DISK_FILES_HARD_DIVISOR, DISK_FILES_HARD_MIN,
    DISK_FILES_RATE_MAX, DISK_HARD_DIVISOR, DISK_HARD_MIN, DISK_PAUSE_MAX, DISK_PAUSE_MIN,
    DISK_QUOTA_DIVISOR, DISK_RATE_MAX, SPACE_FALL_DIVISOR, SPACE_MEASURE_SHARE,
};
use crate::local::space::Space;
use std::time::{Duration, Instant};

/// Measured use of a cluster's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskUse {
    pub bytes: u64,
    pub entries: u64,
    /// Length of its largest file, which may have fewer blocks.
    pub largest: u64,
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
    /// Maximum size while deleting is allowed.
    ceiling: u64,
    files_ceiling: u64,
}

/// A measurement: when it was done, how long it took, and the free space before it.
#[derive(Debug, Clone, Copy)]
struct Measured {
    at: Instant,
    took: Duration,
    space: Option<Space>,
}

#[derive(Debug)]
pub struct DiskState {
    soft: u64,
    /// Files it may have: a share of the file system's.
    files_max: u64,
    used: Option<DiskUse>,
    measured: Option<Measured>,
    growth: Growth,
    level: DiskLevel,
    /// The level that the running engine was started at.
    started: DiskLevel,
    shrink: Option<Shrink>,
    /// Its engine was stopped for its growth when the disk was nearly full.
    stopped: bool,
}

impl DiskState {
    pub fn new(soft: u64) -> Self {
        Self {
            soft,
            files_max: DISK_ENTRIES_MAX,
            used: None,
            measured: None,
            growth: Growth::default(),
            level: DiskLevel::Free,
            started: DiskLevel::Free,
            shrink: None,
            stopped: false,
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

    pub fn files_max(&self) -> u64 {
        self.files_max
    }

    /// Takes a measurement that began with this space on the file system, took this long and ends
    /// now.
    pub fn set_used(&mut self, used: DiskUse, space: Option<Space>, took: Duration, now: Instant) {
        if let Some(space) = space {
            self.files_max = space.files_max(used.entries);
        }
        self.used = Some(used);
        self.measured = Some(Measured {
            at: now,
            took,
            space,
        });
        self.growth.add(now, used);
    }

    /// Bytes and files that were added in the last minute or two.
    pub fn grown(&self) -> (u64, u64) {
        self.used.map_or((0, 0), |used| self.growth.until(used))
    }

    /// Allows writes until then, so that rows can be deleted and tables dropped and truncated.
    pub fn allow_shrink(&mut self, until: Instant) {
        let (bytes, entries, complete) = self.used.map_or((0, 0, true), |used| {
            (used.bytes, used.entries, used.complete)
        });
        let files_ceiling = if complete {
            self.files_hard().max(entries + DISK_FILES_HARD_MIN)
        } else {
            // The number is unknown.
            u64::MAX
        };
        self.shrink = Some(Shrink {
            until,
            ceiling: self.hard().max(bytes + DISK_HARD_MIN),
            files_ceiling,
        });
        // The permission also lets an engine start that was stopped for its growth.
        self.stopped = false;
        // Growth before the permission must not stop the engine again.
        self.growth = Growth::default();
    }

    /// Whether deleting is allowed now.
    pub fn is_shrinking(&self, now: Instant) -> bool {
        self.shrink.is_some_and(|shrink| now < shrink.until)
    }

    /// Records that its engine was stopped for its growth.
    pub fn set_stopped(&mut self) {
        self.stopped = true;
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether it was stopped for its growth and there is still too little space.
    pub fn stays_stopped(&mut self, space: &Space) -> bool {
        self.stopped &= !space.is_ample();
        self.stopped
    }

    /// The space between the limits is for redo, temporary files, and the recovery of what was
    /// rolled back.
    pub fn hard(&self) -> u64 {
        self.soft
            .saturating_add((self.soft / DISK_HARD_DIVISOR).max(DISK_HARD_MIN))
    }

    pub fn files_hard(&self) -> u64 {
        self.files_max + (self.files_max / DISK_FILES_HARD_DIVISOR).max(DISK_FILES_HARD_MIN)
    }

    /// Entries after which a measurement may end: more make no difference.
    pub fn entries_enough(&self) -> u64 {
        let ceiling = self
            .shrink
            .map_or(0, |shrink| shrink.files_ceiling.min(DISK_ENTRIES_MAX * 2));
        self.files_hard().max(ceiling) + 1
    }

    /// The file system's own limit: a little above the hard one, so that the server, which knows
    /// the reason, is the one who stops the engine if it measures in time.
    pub fn quota(&self) -> u64 {
        let ceiling = self.shrink.map_or(self.hard(), |shrink| shrink.ceiling);
        ceiling.saturating_add(ceiling / DISK_QUOTA_DIVISOR)
    }

    /// Size that one file may have. A sparse one that is longer already must stay writable: an
    /// engine that can't write back a page ends.
    pub fn file_max(&self) -> u64 {
        self.quota().max(self.used.map_or(0, |used| used.largest))
    }

    /// The level after the last measurement. It falls only when the use is clearly below the limit,
    /// so that a cluster at its limit does not change between the two at every statement.
    pub fn level(&mut self, now: Instant) -> DiskLevel {
        let Some(used) = self.used else {
            return DiskLevel::Free;
        };
        self.shrink = self.shrink.filter(|shrink| now < shrink.until);
        let (ceiling, files_ceiling) = self
            .shrink
            .map_or((self.hard(), self.files_hard()), |shrink| {
                (shrink.ceiling, shrink.files_ceiling)
            });
        // Files that can't be measured count as over the limit.
        let uncounted = !used.complete && self.shrink.is_none();
        self.level = if used.bytes > ceiling || used.entries > files_ceiling || uncounted {
            DiskLevel::Closed
        } else if (used.bytes > self.falls_back_at(self.soft)
            || used.entries > self.falls_back_at(self.files_max))
            && self.shrink.is_none()
        {
            DiskLevel::ReadOnly
        } else {
            DiskLevel::Free
        };
        self.level
    }

    /// Use above which the cluster is read-only: the limit, or less while it is read-only already.
    fn falls_back_at(&self, max: u64) -> u64 {
        match self.level {
            DiskLevel::Free => max,
            DiskLevel::ReadOnly | DiskLevel::Closed => max - max / DISK_FALL_BACK_DIVISOR,
        }
    }

    /// Time to the next measurement: the time in which a fast disk could be filled up to the limit,
    /// so long that measuring never takes more than 2 % of the time.
    pub fn pause(&self) -> Duration {
        let (bytes, entries) = self.used.map_or((0, 0), |used| (used.bytes, used.entries));
        let took = self.measured.map_or(Duration::ZERO, |last| last.took);
        fill_time(self.soft.saturating_sub(bytes), DISK_RATE_MAX)
            .min(fill_time(
                self.files_max.saturating_sub(entries),
                DISK_FILES_RATE_MAX,
            ))
            .clamp(DISK_PAUSE_MIN, DISK_PAUSE_MAX)
            .max(took * 50)
    }

    /// Whether free space has fallen so much since the last measurement that this cluster may be
    /// near its limit.
    pub fn is_urgent(&self, space: &Space, now: Instant) -> bool {
        let (Some(used), Some(last)) = (self.used, self.measured) else {
            return false;
        };
        let Some(before) = last.space else {
            return false;
        };
        let way = self.soft.saturating_sub(used.bytes) / SPACE_FALL_DIVISOR;
        let files_way = self.files_max.saturating_sub(used.entries) / SPACE_FALL_DIVISOR;
        let fell = before.free.saturating_sub(space.free) > way
            || before.free_files.saturating_sub(space.free_files) > files_way;
        fell && now.saturating_duration_since(last.at) >= last.took * SPACE_MEASURE_SHARE
    }
}

/// Time in which this much is filled at this rate per second.
fn fill_time(room: u64, rate: u64) -> Duration {
    Duration::from_millis(room.saturating_mul(1000) / rate)
}

#[cfg(test)]
#[path = "level_tests.rs"]
mod tests;
