//! What one cluster may use. Units stand in the names.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterLimits {
    /// Sessions at once. The gateway refuses above it; the engine's own limit is set 10 higher.
    pub connections_max: u32,
    /// Asleep after this long without a busy session or an open transaction.
    pub sleep_after: Duration,
    /// A transaction that has been idle for longer no longer holds the cluster awake.
    pub transaction_idle_max: Duration,
}

impl Default for ClusterLimits {
    fn default() -> Self {
        Self {
            connections_max: 200,
            sleep_after: Duration::from_secs(5 * 60),
            transaction_idle_max: Duration::from_secs(60 * 60),
        }
    }
}
