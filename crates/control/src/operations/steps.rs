//! Steps of operations that take more than one, and what a start does with those that a crash has
//! interrupted.

use crate::cluster_entry::ClusterEntry;
use crate::control::{Control, now_unix, spec};
use crate::engine_error::engine_failed;
use crate::entry_cache::EntryUse;
use crate::error::ControlError;
use crate::operation_step::OperationStep;
use crate::store::{OperationClaim, OperationKind, OperationRow, StoreResult, StoredCluster};
use std::sync::Arc;

impl Control {
    /// Forgets a cluster whose files are removed: the last steps of its deletion, and of a creation
    /// that is undone.
    pub(crate) async fn bury(&self, claim: OperationClaim) -> StoreResult<()> {
        self.store().release_cluster(claim.cluster).await?;
        self.stepped(OperationStep::DeleteReleased);
        self.store().bury(claim).await?;
        self.stepped(OperationStep::DeleteBuried);
        Ok(())
    }

    /// Removes the clusters of interrupted creations and deletions. Their names are free when this
    /// returns; the files are removed in the background, because large clusters take a while.
    pub(crate) async fn undo_half_made(
        &self,
        half_made: Vec<StoredCluster>,
    ) -> Result<(), ControlError> {
        let mut claimed = Vec::with_capacity(half_made.len());
        for found in half_made {
            let StoredCluster { row, .. } = &found;
            tracing::info!(cluster = %row.id, phase = ?row.phase, "removing what an interrupted \
                 operation left");
            // Creations too: nobody has got the password of such a cluster.
            let claim = self.store().begin_delete(row.id, now_unix()).await?;
            claimed.push((found, claim));
        }
        let this = self.clone();
        tokio::spawn(async move {
            for (found, claim) in claimed {
                if let Err(error) = this.remove_half_made(&found, claim).await {
                    // The cluster stays invisible, and the next start tries again.
                    tracing::warn!(cluster = %claim.cluster, %error, "the files of a deleted \
                         cluster could not be removed");
                }
            }
        });
        Ok(())
    }

    async fn remove_half_made(
        &self,
        found: &StoredCluster,
        claim: OperationClaim,
    ) -> Result<(), ControlError> {
        let StoredCluster { row, host } = found;
        let adopted = self.engines().adopt(spec(row, host.uid), true).await;
        adopted.map_err(engine_failed)?;
        let removed = self.engines().remove(row.id).await;
        removed.map_err(engine_failed)?;
        Ok(self.bury(claim).await?)
    }

    /// Ends the changes of passwords that a crash has interrupted, in the background. The engine
    /// has the old password or the new one; the recovery of its cluster reads which.
    pub(crate) async fn end_password_changes(
        &self,
        operations: Vec<OperationRow>,
    ) -> Result<(), ControlError> {
        for OperationRow { kind, claim } in operations {
            if kind != OperationKind::Password {
                continue;
            }
            let found = self.register().by_id(claim.cluster, EntryUse::Work).await?;
            let Some(entry) = found else { continue };
            let this = self.clone();
            tokio::spawn(async move { this.end_password_change(&entry, claim).await });
        }
        Ok(())
    }

    async fn end_password_change(&self, entry: &Arc<ClusterEntry>, claim: OperationClaim) {
        entry.recovery.wait().await;
        let name = entry.name();
        tracing::warn!(cluster = %name, hint = format!("tidegate cluster password {name}"), "the \
             server ended while root's password was changed; the new one may apply, and nobody \
             has got it");
        if let Err(error) = self.store().end_operation(claim).await {
            tracing::warn!(cluster = %name, %error, "the interrupted change of a password could \
                 not be ended; the next start tries again");
        }
    }

    /// Says that a step of an operation is made.
    pub(crate) fn stepped(&self, step: OperationStep) {
        if let Some(after) = self.after_step() {
            after(step);
        }
    }
}
