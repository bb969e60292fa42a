//! Work that a start begins: operations that a crash has interrupted, recoveries, and clusters that
//! are always awake. The store finds these clusters, so that a start reads no other.

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::engine_error::engine_failed;
use crate::entry_cache::EntryUse;
use crate::error::ControlError;
use crate::limits::STORE_READERS;
use crate::recovery::recover_all;
use crate::store::{HostRow, OperationKind, OperationRow, Phase, StoreResult, StoredCluster};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;
use tidegate_model::ClusterId;
use tidegate_model::limits::NEVER_SLEEPS;
use tokio::sync::watch;

impl Control {
    /// Begins this work. `done` is set when all recoveries have ended.
    pub(crate) async fn begin(&self, done: watch::Sender<bool>) -> Result<(), ControlError> {
        let unsettled = self.unsettled().await?;
        let operations = self.store().operations().await?;
        let half_made = self.half_made(&operations).await?;
        self.undo_half_made(half_made).await?;
        self.end_password_changes(operations).await?;
        self.hold_unknown_kinds().await?;
        let recovered = recover_all(self.engines().clone(), unsettled, done);
        let this = self.clone();
        tokio::spawn(async move {
            recovered.await;
            this.keep_all_awake().await;
        });
        let this = self.clone();
        // Found early, so that they are in the log, and the first creation doesn't wait for it.
        tokio::spawn(async move { drop(this.strays().find().await) });
        Ok(())
    }

    /// Reads the live clusters whose last run has no clean end.
    async fn unsettled(&self) -> StoreResult<Vec<Arc<ClusterEntry>>> {
        let ids = self.store().unsettled().await?;
        let reads = ids
            .into_iter()
            .map(|id| self.register().by_id_unrecovered(id));
        let found: Vec<_> = stream::iter(reads)
            .buffered(STORE_READERS as usize)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Reads the clusters of interrupted creations and deletions.
    async fn half_made(&self, operations: &[OperationRow]) -> StoreResult<Vec<StoredCluster>> {
        let mut half_made = Vec::new();
        for OperationRow { kind, claim } in operations {
            if !matches!(kind, OperationKind::Create | OperationKind::Delete) {
                continue;
            }
            let Some(row) = self.store().cluster(claim.cluster).await? else {
                continue;
            };
            if matches!(row.phase, Phase::Creating | Phase::Deleting) {
                let host = self.store().host_row(row.id).await?;
                let host = host.unwrap_or(HostRow::new(row.id));
                half_made.push(StoredCluster { row, host });
            }
        }
        Ok(half_made)
    }

    /// Brings the clusters of kinds that this version does not have into memory, where they are
    /// failed and say why.
    async fn hold_unknown_kinds(&self) -> Result<(), ControlError> {
        let known: Vec<_> = self.engine_kinds().map(|kind| kind.name).collect();
        for id in self.store().of_other_kinds(&known).await? {
            // Stays there without the hold, because it is failed.
            drop(self.engines().hold(id).await.map_err(engine_failed)?);
        }
        Ok(())
    }

    /// Wakes all clusters that never sleep.
    async fn keep_all_awake(&self) {
        let found = self.store().sleeping_after(NEVER_SLEEPS).await;
        let ids: Vec<ClusterId> = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "the clusters that never sleep could not be found");
            Vec::new()
        });
        for id in ids {
            if let Ok(Some(entry)) = self.register().by_id(id, EntryUse::Work).await {
                self.keep_awake(&entry);
            }
        }
    }
}
