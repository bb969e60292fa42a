//! Budgets of log lines that clients and libraries cause, and counts of the lines that were not
//! written. There is one set per process, like the log itself, and every room uses it.

use crate::ClusterId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Rate of log lines of one cause: lines per second, and lines at once.
#[derive(Debug, Clone, Copy)]
pub struct LineRate {
    pub per_second: u32,
    pub burst: u32,
}

/// Lines caused by clients that have not proved a password: enough to see an attack, and little for
/// any disk. The burst covers a monitoring system or a scanner that opens all its connections at
/// once.
pub const STRANGER_LINES: LineRate = LineRate {
    per_second: 20,
    burst: 200,
};
/// Lines caused by the logins of one cluster. The burst covers an application that opens its pools;
/// at this rate, one cluster takes at least four hours to replace the 40 MB of logs that `tidegate
/// up` keeps.
pub const CLUSTER_LINES: LineRate = LineRate {
    per_second: 10,
    burst: 500,
};
/// Lines that libraries write. Most are caused by unproven clients, and none may replace a line of
/// this program.
pub const LIBRARY_LINES: LineRate = STRANGER_LINES;

/// Clusters whose lines are counted before those within their budget are forgotten: 1 MB.
const CLUSTERS_REMEMBERED: usize = 4096;

static PROCESS: LazyLock<LogBudget> = LazyLock::new(LogBudget::default);

/// Budgets of log lines, and counts of those not written.
#[derive(Debug)]
pub struct LogBudget {
    strangers: Mutex<Meter>,
    libraries: Mutex<Meter>,
    clusters: Mutex<Clusters>,
    withheld: AtomicU64,
    dropped: AtomicU64,
}

/// Withheld lines that the log does not mention yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UnreportedLines {
    pub strangers: u64,
    pub libraries: u64,
    /// Lines of all clusters together.
    pub of_clusters: u64,
    /// Number of clusters that caused them, and the one that caused most.
    pub clusters: usize,
    pub largest: Option<ClusterId>,
}

#[derive(Debug)]
struct Meter {
    rate: LineRate,
    left: f64,
    at: Instant,
    untold: u64,
}

#[derive(Debug)]
struct Clusters {
    meters: HashMap<ClusterId, Meter>,
    /// Size at which meters that are full again are forgotten.
    forget_at: usize,
}

impl Meter {
    fn new(rate: LineRate, now: Instant) -> Self {
        Self {
            rate,
            left: rate.burst.into(),
            at: now,
            untold: 0,
        }
    }

    fn fill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left =
            (self.left + since * f64::from(self.rate.per_second)).min(self.rate.burst.into());
    }

    fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let taken = self.left >= 1.0;
        self.left -= if taken { 1.0 } else { 0.0 };
        self.untold += u64::from(!taken);
        taken
    }

    /// Returns the withheld lines since the last call.
    fn take_untold(&mut self) -> u64 {
        std::mem::take(&mut self.untold)
    }

    /// Whether a new meter would behave the same.
    fn is_fresh(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.untold == 0 && self.left >= f64::from(self.rate.burst)
    }
}

impl Clusters {
    fn meter(&mut self, cluster: ClusterId, now: Instant) -> &mut Meter {
        if self.meters.len() >= self.forget_at && !self.meters.contains_key(&cluster) {
            self.meters.retain(|_, meter| !meter.is_fresh(now));
            // The pass reads all meters, so the next one comes when their number has doubled.
            self.forget_at = (self.meters.len() * 2).max(CLUSTERS_REMEMBERED);
        }
        self.meters
            .entry(cluster)
            .or_insert_with(|| Meter::new(CLUSTER_LINES, now))
    }
}

impl Default for LogBudget {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            strangers: Mutex::new(Meter::new(STRANGER_LINES, now)),
            libraries: Mutex::new(Meter::new(LIBRARY_LINES, now)),
            clusters: Mutex::new(Clusters {
                meters: HashMap::new(),
                forget_at: CLUSTERS_REMEMBERED,
            }),
            withheld: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A meter is consistent after each statement, so a poisoned lock can still be used.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogBudget {
    /// Returns the budget of this process.
    pub fn of_process() -> &'static Self {
        &PROCESS
    }

    /// Takes one line that an unproven client caused. Returns false if the line must not be
    /// written; it is then counted.
    pub fn take(&self) -> bool {
        let taken = lock(&self.strangers).take(Instant::now());
        self.count(taken)
    }

    /// Takes one line that a library writes.
    pub fn take_for_library(&self) -> bool {
        let taken = lock(&self.libraries).take(Instant::now());
        self.count(taken)
    }

    /// Takes one line that a client with a password of this cluster caused.
    pub fn take_for(&self, cluster: ClusterId) -> bool {
        self.take_for_at(cluster, Instant::now())
    }

    fn take_for_at(&self, cluster: ClusterId, now: Instant) -> bool {
        let taken = lock(&self.clusters).meter(cluster, now).take(now);
        self.count(taken)
    }

    fn count(&self, taken: bool) -> bool {
        self.withheld
            .fetch_add(u64::from(!taken), Ordering::Relaxed);
        taken
    }

    /// Returns the lines withheld since the last call, for the log lines that report them.
    pub fn take_untold(&self) -> UnreportedLines {
        let mut untold = UnreportedLines {
            strangers: lock(&self.strangers).take_untold(),
            libraries: lock(&self.libraries).take_untold(),
            ..UnreportedLines::default()
        };
        let mut most = 0;
        for (cluster, meter) in &mut lock(&self.clusters).meters {
            let lines = meter.take_untold();
            untold.of_clusters += lines;
            untold.clusters += usize::from(lines > 0);
            if lines > most {
                (most, untold.largest) = (lines, Some(*cluster));
            }
        }
        untold
    }

    /// Number of lines that were not written because the budget of their cause was used up.
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

    /// Lines written of one per millisecond, in the second that begins this many milliseconds
    /// after the start.
    fn written_in_a_second(meter: &mut Meter, start: Instant, from: u64) -> usize {
        (0..1000u64)
            .filter(|i| meter.take(start + Duration::from_millis(from + i)))
            .count()
    }

    #[test]
    fn a_flood_of_strangers_writes_a_burst_and_then_few_lines_a_second() {
        let start = Instant::now();
        let mut meter = Meter::new(STRANGER_LINES, start);
        let LineRate { per_second, burst } = STRANGER_LINES;
        assert_eq!(
            written_in_a_second(&mut meter, start, 0),
            (burst + per_second - 1) as usize
        );
        assert_eq!(
            written_in_a_second(&mut meter, start, 1_000),
            per_second as usize
        );
        assert_eq!(
            written_in_a_second(&mut meter, start, 60_000),
            (burst + per_second - 1) as usize,
            "it fills again"
        );
    }

    #[test]
    fn what_is_withheld_is_counted_and_told_once() {
        let budget = LogBudget::default();
        let withheld = (0..STRANGER_LINES.burst + 50)
            .filter(|_| !budget.take())
            .count() as u64;
        assert!(withheld >= 40, "{withheld}");
        assert_eq!(budget.withheld(), withheld);
        assert_eq!(budget.take_untold().strangers, withheld);
        assert_eq!(budget.take_untold(), UnreportedLines::default());
    }

    #[test]
    fn one_cluster_uses_up_its_own_lines_and_those_of_nobody_else() {
        let budget = LogBudget::default();
        let now = Instant::now();
        let loud = ClusterId(7);
        let quiet = ClusterId(8);
        let burst = u64::from(CLUSTER_LINES.burst);
        let written = (0..burst + 90)
            .filter(|_| budget.take_for_at(loud, now))
            .count() as u64;
        assert_eq!(written, burst);
        assert!(budget.take_for_at(quiet, now) && budget.take() && budget.take_for_library());
        assert_eq!(budget.withheld(), 90);
        let untold = budget.take_untold();
        assert_eq!(
            (untold.of_clusters, untold.clusters, untold.largest),
            (90, 1, Some(loud))
        );
        assert_eq!(budget.take_untold(), UnreportedLines::default());
    }

    #[test]
    fn clusters_within_their_budget_are_forgotten_and_others_are_not() {
        let budget = LogBudget::default();
        let start = Instant::now();
        let loud = ClusterId(0);
        while budget.take_for_at(loud, start) {}
        let many = 3 * CLUSTERS_REMEMBERED as u64;
        for n in 1..=many {
            budget.take_for_at(ClusterId(n), start + Duration::from_secs(n));
        }
        let kept = lock(&budget.clusters).meters.len();
        assert!(kept <= CLUSTERS_REMEMBERED, "{kept}");
        assert_eq!(budget.take_untold().largest, Some(loud));
    }
}
