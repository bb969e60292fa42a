//! Clusters come into memory at the first request for them.

use super::Engines;
use crate::error::EngineError;
use crate::kind::ClusterSpec;
use crate::supervised_cluster::SupervisedCluster;
use std::sync::Arc;
use tidegate_model::ClusterId;

/// A cluster that stays in memory for as long as this exists.
#[must_use]
pub struct HeldCluster(
    #[expect(dead_code, reason = "its drop ends the hold")] Arc<SupervisedCluster>,
);

impl HeldCluster {
    pub(super) fn new(cluster: Arc<SupervisedCluster>) -> Self {
        Self(cluster)
    }
}

impl Engines {
    /// Adds a cluster that exists to those in memory. `clean`: its last run ended with an orderly
    /// sleep.
    pub async fn adopt(&self, spec: ClusterSpec, clean: bool) -> Result<(), EngineError> {
        let _turn = self.inner.clusters.adoption(spec.id).await;
        self.insert(&spec, clean).map(drop)
    }

    fn insert(
        &self,
        spec: &ClusterSpec,
        clean: bool,
    ) -> Result<Arc<SupervisedCluster>, EngineError> {
        let common = self.inner.common.clone();
        let driver = self.kind_of(spec).driver(spec);
        let cluster = SupervisedCluster::new(spec.id, clean, driver, spec.limits, common);
        self.inner.clusters.insert(cluster)
    }

    pub(super) fn in_memory(&self, id: ClusterId) -> Option<Arc<SupervisedCluster>> {
        self.inner.clusters.get(id)
    }

    /// Returns a cluster, which is read from the ledger if it is not in memory.
    pub(super) async fn cluster(
        &self,
        id: ClusterId,
    ) -> Result<Arc<SupervisedCluster>, EngineError> {
        if let Some(cluster) = self.in_memory(id) {
            return Ok(cluster);
        }
        // Also locks out a deletion: what is read here is inserted before the deletion finds it.
        let _turn = self.inner.clusters.adoption(id).await;
        // Another request may have adopted it during the wait.
        if let Some(cluster) = self.in_memory(id) {
            return Ok(cluster);
        }
        let found = self.inner.common.ledger.find_cluster(id).await;
        let found = found.map_err(|e| EngineError::Ledger(Arc::new(e)))?;
        let found = found.ok_or(EngineError::Unknown(id))?;
        let cluster = self.insert(&found.spec, found.clean)?;
        if found.variables.is_some() {
            cluster.driver.set_variables(found.variables.as_ref());
        }
        Ok(cluster)
    }
}
