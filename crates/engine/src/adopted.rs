//! Clusters in memory of this room. A cluster is adopted at the first request for it, and those
//! that sleep unused are forgotten again, so that memory, sockets and the time of a start depend on
//! the clusters in use and not on all that exist.

use crate::error::EngineError;
use crate::limits::{ADOPTION_LOCKS, FORGET_TRIES, SLEEPERS_KEPT_MAX};
use crate::supervised_cluster::SupervisedCluster;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tidegate_model::ClusterId;
use tokio::sync::{Mutex, MutexGuard};

/// Clusters in memory.
pub struct AdoptedClusters {
    maps: RwLock<AdoptedMaps>,
    /// Locked while a cluster is read and adopted, so that each is adopted once. A cluster always
    /// has the same one of them.
    adoptions: [Mutex<()>; ADOPTION_LOCKS],
}

#[derive(Default)]
struct AdoptedMaps {
    by_id: HashMap<ClusterId, Arc<SupervisedCluster>>,
    /// The order in which those that may be forgotten are checked.
    order: VecDeque<ClusterId>,
    stopping: bool,
}

impl Default for AdoptedClusters {
    fn default() -> Self {
        Self {
            maps: RwLock::default(),
            adoptions: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl AdoptedClusters {
    fn read(&self) -> RwLockReadGuard<'_, AdoptedMaps> {
        // Every critical section leaves the maps consistent.
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, AdoptedMaps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, id: ClusterId) -> Option<Arc<SupervisedCluster>> {
        self.read().by_id.get(&id).cloned()
    }

    /// Returns all clusters in memory, asleep or not.
    pub fn all(&self) -> Vec<Arc<SupervisedCluster>> {
        self.read().by_id.values().cloned().collect()
    }

    pub fn count(&self) -> usize {
        self.read().by_id.len()
    }

    /// Returns the lock for the adoption of a cluster.
    pub async fn adoption(&self, id: ClusterId) -> Option<MutexGuard<'_, ()>> {
        // Counted numbers of old versions and random ones are both spread by their low bits.
        let place = usize::try_from(id.0 % ADOPTION_LOCKS as u64).unwrap_or_default();
        Some(self.adoptions.get(place)?.lock().await)
    }

    /// Adds a cluster, and forgets some that sleep unused above the bound. The work is bounded: a
    /// login may wait for it.
    pub fn insert(
        &self,
        cluster: SupervisedCluster,
    ) -> Result<Arc<SupervisedCluster>, EngineError> {
        let id = cluster.shared.id;
        let cluster = Arc::new(cluster);
        let mut maps = self.write();
        if maps.stopping {
            return Err(EngineError::Stopping);
        }
        maps.by_id.insert(id, Arc::clone(&cluster));
        maps.order.push_back(id);
        maps.forget_unused();
        Ok(cluster)
    }

    pub fn remove(&self, id: ClusterId) {
        self.write().by_id.remove(&id);
    }

    /// Takes all clusters out, so that no further request reaches them. None is added any more.
    pub fn close(&self) -> Vec<Arc<SupervisedCluster>> {
        let mut maps = self.write();
        maps.stopping = true;
        maps.by_id.drain().map(|(_, cluster)| cluster).collect()
    }
}

impl AdoptedMaps {
    fn forget_unused(&mut self) {
        for _ in 0..FORGET_TRIES {
            if self.order.len() <= SLEEPERS_KEPT_MAX {
                return;
            }
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            let Some(cluster) = self.by_id.get(&oldest) else {
                continue;
            };
            // Clones are made under the lock of the maps only, so nobody gets one meanwhile.
            if Arc::strong_count(cluster) == 1 && cluster.is_forgettable() {
                // Dropped under the lock: it removes the file of its socket, which the next
                // adoption of the same cluster makes again.
                self.by_id.remove(&oldest);
            } else {
                self.order.push_back(oldest);
            }
        }
    }
}
