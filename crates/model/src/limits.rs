//! Limits of one cluster. The names carry the units.

use std::time::Duration;

/// Memory of the book of one cluster's accounts, index included: more than 40,000 ordinary
/// accounts. Accounts beyond it are not known while the engine sleeps. Two such blocks fit in 4 MB
/// with a page of a reading: an allocator may keep the old one resident for a while when a new one
/// is read.
pub const BOOK_BYTES_MAX: usize = 3 << 19;

/// Methods of one account (`IDENTIFIED VIA a OR b ...`). People use two; each costs a comparison
/// per login.
pub const METHODS_MAX: usize = 8;

/// Accounts of one user name (one per host pattern) that a login is compared with, from the first.
/// Bounds the work of matching patterns that a tenant wrote.
pub const HOSTS_PER_USER_MAX: usize = 128;

/// Accounts that one login may mean: those of its names whose host pattern covers the client.
pub const CANDIDATES_MAX: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterLimits {
    /// Sessions at once. The gateway refuses above it; the engine's own limit is set 10 higher.
    pub connections_max: u32,
    /// Asleep after this long without a busy session or an open transaction.
    pub sleep_after: Duration,
    /// A transaction that has been idle for longer no longer keeps the cluster awake.
    pub transaction_idle_max: Duration,
    /// Memory of the engine: its anonymous memory and its page cache together.
    pub memory_max_bytes: u64,
    /// Soft limit of the cluster's files. Above it, the engine is read-only.
    pub disk_max_bytes: u64,
    /// Share of the processor when engines compete for it, as in cgroup v2: 1 to 10,000.
    pub cpu_weight: u32,
    /// Processes and threads of the engine.
    pub tasks_max: u32,
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

/// Bytes of one cluster's engine parameters as JSON. They hold endpoints and a few certificates.
pub const ENGINE_PARAMETERS_BYTES_MAX: usize = 64 << 10;

/// Items of one parameter that is a list, such as endpoints.
pub const PARAMETER_ITEMS_MAX: usize = 64;
