//! Deletion of a cluster.

use crate::cluster_entry::ClusterEntry;
use crate::control::{Control, now_unix};
use crate::engine_error::engine_error;
use crate::entry_cache::EntryUse;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::operation_step::OperationStep;
use crate::requests::Intent;
use tidegate_model::Event;

impl Control {
    /// Deletes a cluster: ends its sessions, stops its engine and removes its files.
    pub async fn delete_cluster(&self, name: &str) -> ControlResult<()> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move { this.delete(&name).await })
            .await
    }

    async fn delete(&self, name: &str) -> ControlResult<()> {
        // An interrupted execution of this request has hidden the cluster, and the start after it
        // has removed it. The name may be that of another cluster now.
        if let Some(id) = self.earlier_cluster()
            && self.register().by_id(id, EntryUse::Work).await?.is_none()
        {
            return Ok(());
        }
        let (entry, _held) = self.exclusive(name).await?;
        if entry.settings().deletion_protection {
            return Err(ControlError::protected(&entry.name()));
        }
        // Its data can't be deleted, so its record stays too.
        if self.engines().kind(&entry.engine.kind).is_none() {
            let kind = &entry.engine.kind;
            return Err(ControlError::new(
                ErrorCode::Unsupported,
                format!("cluster {name:?} has an engine of the unknown kind {kind:?}"),
                "delete it with the version of Tidegate that created it",
            ));
        }
        // Kept in memory: its record can't be read any more when its files are removed.
        let held = self.engines().hold(entry.id).await;
        let _held = held.map_err(|e| engine_error(e, &entry.name()))?;
        self.note_intent(Intent::Cluster { id: entry.id.0 }).await?;
        // The record first: after a crash from here on, the next start finishes the deletion.
        let claim = self.store().begin_delete(entry.id, now_unix()).await?;
        self.stepped(OperationStep::DeleteHidden);
        // From here on no login finds the cluster.
        self.register().remove(&entry);
        self.end_sessions(&entry);
        self.journal()
            .record(&Event::ClusterDeleted { cluster: entry.id });
        self.engines().remove(entry.id).await.map_err(|e| {
            let error = engine_error(e, &entry.name());
            let hint = "the cluster is deleted; its files are removed at the server's next start";
            ControlError::new(error.code, error.message, hint)
        })?;
        self.stepped(OperationStep::DeleteRemoved);
        // Sessions that logged in meanwhile.
        self.end_sessions(&entry);
        Ok(self.bury(claim).await?)
    }

    fn end_sessions(&self, entry: &ClusterEntry) {
        for session in self.sessions().list(Some(entry.id)) {
            self.sessions().kill(session.id);
        }
    }
}
