//! Limits of one cluster and of its book. The names contain the units.

use std::time::Duration;

/// Memory of the book of one cluster's accounts, index included: more than 40,000 ordinary
/// accounts. Accounts beyond it are not known while the engine sleeps. Two such blocks fit in 4 MB
/// with a page of a reading: an allocator may keep the old one resident for a while when a new one
/// is read.
pub const BOOK_BYTES_MAX: usize = 3 << 19;

/// Most authentication methods of one account (`IDENTIFIED VIA a OR b ...`). Two are usual; each
/// takes a comparison per login.
pub const METHODS_MAX: usize = 8;

/// Most accounts of one user name (one per host pattern) that a login is compared with, from the
/// first. Bounds the matching of patterns that a tenant wrote.
pub const HOSTS_PER_USER_MAX: usize = 128;

/// Most accounts that one login can mean: those of its names whose host pattern matches the client.
pub const CANDIDATES_MAX: usize = 32;

/// `sleep_after` of a cluster that never sleeps by itself: the maximum of all settings. A year is
/// longer than any process runs.
pub const NEVER_SLEEPS: Duration = Duration::from_secs(366 * 86_400);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterLimits {
    /// Most sessions at once. The gateway refuses more; the engine's own limit is 10 higher, so
    /// that the gateway's refusal comes first.
    pub connections_max: u32,
    /// Time without a busy session or an open transaction after which the cluster goes to sleep.
    /// [`NEVER_SLEEPS`]: it does not.
    pub sleep_after: Duration,
    /// Time after which an idle open transaction no longer keeps the cluster awake.
    pub transaction_idle_max: Duration,
    /// Memory of the engine: anonymous memory and page cache together.
    pub memory_max_bytes: u64,
    /// Soft limit of the cluster's files. Above it the engine is read-only.
    pub disk_max_bytes: u64,
    /// Share of the processor when engines compete for it, as in cgroup v2: 1 to 10,000.
    pub cpu_weight: u32,
    /// Most processes and threads of the engine.
    pub tasks_max: u32,
}

impl ClusterLimits {
    /// Whether the cluster never sleeps by itself.
    pub fn never_sleeps(&self) -> bool {
        self.sleep_after >= NEVER_SLEEPS
    }
}

impl Default for ClusterLimits {
    fn default() -> Self {
        Self {
            connections_max: 200,
            sleep_after: Duration::from_secs(5 * 60),
            transaction_idle_max: Duration::from_secs(60 * 60),
            memory_max_bytes: 1 << 30,
            disk_max_bytes: 4 << 30,
            cpu_weight: 100,
            tasks_max: 512,
        }
    }
}

/// Most bytes of one cluster's engine parameters as JSON: endpoints and a few certificates fit.
pub const ENGINE_PARAMETERS_BYTES_MAX: usize = 64 << 10;

/// Most items of a list parameter, such as endpoints.
pub const PARAMETER_ITEMS_MAX: usize = 64;
