//! Budget of log lines that strangers cause, and counts of the lines that were not written. One per
//! process, like the log itself; any room may take from it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

/// Lines a second that may be caused by whoever has proved no password: enough to see an attack,
/// little for any disk.
pub const STRANGER_LINES_PER_SECOND: u32 = 20;
/// Lines at once: a monitoring system or a scanner that opens every connection it has.
pub const STRANGER_LINES_BURST: u32 = 200;

static PROCESS: LazyLock<LogBudget> = LazyLock::new(LogBudget::default);

#[derive(Debug)]
pub struct LogBudget {
    bucket: Mutex<Bucket>,
    withheld: AtomicU64,
    /// Part of `withheld` that no line has told yet.
    untold: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Default for LogBudget {
    fn default() -> Self {
        let bucket = Bucket {
            left: f64::from(STRANGER_LINES_BURST),
            at: Instant::now(),
        };
        Self {
            bucket: Mutex::new(bucket),
            withheld: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

impl LogBudget {
    /// Returns the budget of this process.
    pub fn of_process() -> &'static Self {
        &PROCESS
    }

    /// Takes one line that a stranger caused. False: the line must not be written; it is counted.
    pub fn take(&self) -> bool {
        let taken = self.take_at(Instant::now());
        if !taken {
            self.withheld.fetch_add(1, Ordering::Relaxed);
            self.untold.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn take_at(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.at = now;
        bucket.left = (bucket.left + since * f64::from(STRANGER_LINES_PER_SECOND))
            .min(STRANGER_LINES_BURST.into());
        let taken = bucket.left >= 1.0;
        bucket.left -= if taken { 1.0 } else { 0.0 };
        taken
    }

    /// Returns the lines withheld since the last call, for the line that tells them.
    pub fn take_untold(&self) -> u64 {
        self.untold.swap(0, Ordering::Relaxed)
    }

    /// Lines of strangers that were not written.
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// Counts lines that were lost because the log's reader or its disk was too slow.
    pub fn drop_lines(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_of_strangers_writes_a_burst_and_then_few_lines_a_second() {
        let budget = LogBudget::default();
        let start = budget.bucket.lock().unwrap().at;
        let written = |from: u64| {
            (0..1000u64)
                .filter(|i| budget.take_at(start + Duration::from_millis(from + i)))
                .count()
        };
        assert_eq!(
            written(0),
            (STRANGER_LINES_BURST + STRANGER_LINES_PER_SECOND - 1) as usize
        );
        assert_eq!(written(1000), STRANGER_LINES_PER_SECOND as usize);
        assert_eq!(
            written(60_000),
            (STRANGER_LINES_BURST + STRANGER_LINES_PER_SECOND - 1) as usize,
            "it fills again"
        );
    }

    #[test]
    fn what_is_withheld_is_counted_and_told_once() {
        let budget = LogBudget::default();
        let withheld = (0..STRANGER_LINES_BURST + 50)
            .filter(|_| !budget.take())
            .count() as u64;
        assert!(withheld >= 40, "{withheld}");
        assert_eq!(
            (
                budget.withheld(),
                budget.take_untold(),
                budget.take_untold()
            ),
            (withheld, withheld, 0)
        );
    }
}
