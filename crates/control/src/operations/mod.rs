//! Operations on clusters and sessions, as plain async functions. Each runs to its end even if the
//! caller goes away in the middle, so no cluster is left half-changed by a closed connection.

mod change_limits;
mod create;
mod delete;
mod root_password;
mod sessions;

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::engine_error::engine_error;
use crate::error::{ControlError, ControlResult};
use crate::limits;
use crate::views::ClusterView;
use std::sync::Arc;
use tidegate_model::{ClusterName, ClusterState, ClusterUsage};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// The administrator of each cluster.
pub const ROOT: &str = "root";

impl Control {
    /// All clusters by name.
    pub fn clusters(&self) -> Vec<ClusterView> {
        self.register()
            .all()
            .iter()
            .map(|entry| self.view(entry))
            .collect()
    }

    pub fn cluster(&self, name: &str) -> ControlResult<ClusterView> {
        Ok(self.view(&*self.entry(name)?))
    }

    /// Puts it to sleep now. Refused while a session of it is busy.
    pub async fn sleep_cluster(&self, name: &str) -> ControlResult<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            this.engines()
                .sleep(entry.id)
                .await
                .map_err(|e| engine_error(e, &entry.name))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Wakes it and waits until it is awake.
    pub async fn wake_cluster(&self, name: &str) -> ControlResult<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            this.engines()
                .wake(entry.id)
                .await
                .map_err(|e| engine_error(e, &entry.name))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Measured use, beside its limits. Wakes nobody.
    pub async fn usage(&self, name: &str) -> ControlResult<ClusterUsage> {
        let entry = self.entry(name)?;
        self.engines()
            .usage(entry.id)
            .await
            .map_err(|e| engine_error(e, &entry.name))
    }

    fn view(&self, entry: &ClusterEntry) -> ClusterView {
        // A cluster that is being deleted under a reader's hands has no engine any more.
        let state = self
            .engines()
            .state(entry.id)
            .unwrap_or(ClusterState::Asleep);
        ClusterView {
            id: entry.id,
            name: entry.name.clone(),
            prefix: entry.prefix.clone(),
            state,
            failure: (state == ClusterState::Failed)
                .then(|| self.engines().failure(entry.id))
                .flatten(),
            created_unix: entry.created_unix,
            engine: entry.engine.clone(),
            sleeps: self.sleeps(entry),
            sessions: self.sessions().count(entry.id),
            limits: entry.limits(),
            complete_book: entry.has_complete_book(),
        }
    }

    fn sleeps(&self, entry: &ClusterEntry) -> bool {
        let kind = self.engines().kind(&entry.engine.kind);
        kind.is_some_and(|kind| kind.description().abilities.sleeps)
    }

    fn entry(&self, name: &str) -> ControlResult<Arc<ClusterEntry>> {
        // A name that could not exist does not exist.
        let parsed = ClusterName::parse(name).map_err(|_| ControlError::not_found(name))?;
        self.register()
            .by_name(&parsed)
            .ok_or_else(|| ControlError::not_found(name))
    }

    /// The cluster, with nobody else changing it.
    async fn exclusive(
        &self,
        name: &str,
    ) -> ControlResult<(Arc<ClusterEntry>, OwnedMutexGuard<()>)> {
        let entry = self.entry(name)?;
        let lock = Arc::clone(&entry.operation).lock_owned();
        let held = timeout(limits::OPERATION_WAIT, lock)
            .await
            .map_err(|_| ControlError::busy(&entry.name))?;
        // The one we waited for may have deleted it.
        let now = self.entry(name)?;
        if now.id != entry.id {
            return Err(ControlError::not_found(name));
        }
        Ok((entry, held))
    }

    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = ControlResult<T>> + Send + 'static,
    ) -> ControlResult<T> {
        if self.stopping() {
            return Err(ControlError::stopping());
        }
        tokio::spawn(work)
            .await
            .unwrap_or_else(|e| Err(ControlError::internal(e)))
    }
}
