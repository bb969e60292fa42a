//! Facts about clusters since the server's start, which are in no file. They stay when a sleeping
//! cluster leaves memory: about 100 bytes for each cluster that was used.

use crate::local::events::EventCount;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_model::ClusterId;

/// Facts about the runs of one cluster.
#[derive(Debug, Clone, Default)]
pub struct PastRuns {
    /// CPU time of the runs that have ended.
    pub spent: Arc<AtomicU64>,
    pub events: Arc<EventCount>,
}

/// Facts about the runs of all clusters.
#[derive(Debug, Default)]
pub struct AllPastRuns(Mutex<HashMap<ClusterId, PastRuns>>);

impl AllPastRuns {
    fn map(&self) -> MutexGuard<'_, HashMap<ClusterId, PastRuns>> {
        // Every critical section is one change of the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of(&self, cluster: ClusterId) -> PastRuns {
        self.map().entry(cluster).or_default().clone()
    }

    pub fn forget(&self, cluster: ClusterId) {
        self.map().remove(&cluster);
    }
}
