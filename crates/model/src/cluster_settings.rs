//! Settings of a cluster beside its limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Settings of a cluster beside its limits. A new cluster has the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Whether the cluster can't be deleted.
    pub deletion_protection: bool,
    /// Whether a ping (COM_PING) counts as work, so that it keeps the cluster awake.
    pub ping_holds: bool,
}

/// Switch that is shared with open sessions, which see a change immediately.
#[derive(Debug, Clone, Default)]
pub struct LiveSwitch(Arc<AtomicBool>);

impl LiveSwitch {
    pub fn is_on(&self) -> bool {
        // It orders nothing else.
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}
