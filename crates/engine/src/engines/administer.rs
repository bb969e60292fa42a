//! Access to the users and databases of a running engine.

use super::Engines;
use super::attach::within;
use crate::administration::AdministeredRun;
use crate::error::EngineError;
use std::sync::Arc;
use tidegate_model::ClusterId;

impl Engines {
    /// Wakes it, and keeps it awake for as long as the result lives.
    pub async fn administer(&self, id: ClusterId) -> Result<AdministeredRun, EngineError> {
        let cluster = self.cluster(id).await?;
        // Like a session's, busy by birth.
        let lease = within(id, cluster.attach_operator()).await?;
        let run = cluster.shared.run(lease.run);
        let run = run.ok_or(EngineError::EndedMeanwhile)?;
        Ok(AdministeredRun::new(
            lease,
            run,
            Arc::clone(&cluster.shared),
        ))
    }
}
