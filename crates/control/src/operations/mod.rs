//! Operations on clusters and sessions, as plain async functions. Each runs to its end even if its
//! caller is dropped, so a closed connection leaves no cluster half changed.

mod administered;
mod change;
mod chosen_password;
mod create;
mod databases;
mod delete;
mod host;
mod lists;
mod rename;
mod root_password;
mod sessions;
mod steps;
mod users;
mod variables;

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::engine_error::engine_error;
use crate::error::{ControlError, ControlResult};
use crate::limits;
use crate::views::ClusterView;
use std::sync::Arc;
use tidegate_engine::ClusterEvents;
use tidegate_model::{ClusterName, ClusterState, ClusterUsage};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// User name of each cluster's administrator.
pub const ROOT: &str = "root";

impl Control {
    pub async fn cluster(&self, name: &str) -> ControlResult<ClusterView> {
        Ok(self.view(&*self.entry(name).await?))
    }

    /// Puts a cluster to sleep now. Fails while one of its sessions is busy.
    pub async fn sleep_cluster(&self, name: &str) -> ControlResult<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            this.engines()
                .sleep(entry.id)
                .await
                .map_err(|e| engine_error(e, &entry.name()))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Wakes a cluster and waits until it is awake.
    pub async fn wake_cluster(&self, name: &str) -> ControlResult<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            this.engines()
                .wake(entry.id)
                .await
                .map_err(|e| engine_error(e, &entry.name()))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Returns the measured use of a cluster, without waking it.
    pub async fn usage(&self, name: &str) -> ControlResult<ClusterUsage> {
        let entry = self.entry(name).await?;
        self.engines()
            .usage(entry.id)
            .await
            .map_err(|e| engine_error(e, &entry.name()))
    }

    /// Returns the events of a cluster, as far as they are known, without waking it.
    pub async fn events(&self, name: &str) -> ControlResult<ClusterEvents> {
        let entry = self.entry(name).await?;
        self.engines()
            .events(entry.id)
            .await
            .map_err(|e| engine_error(e, &entry.name()))
    }

    fn view(&self, entry: &ClusterEntry) -> ClusterView {
        let state = self.engines().state(entry.id);
        ClusterView {
            id: entry.id,
            name: entry.name(),
            prefix: entry.prefix.clone(),
            version: entry.version(),
            state,
            failure: (state == ClusterState::Failed)
                .then(|| self.engines().failure(entry.id))
                .flatten(),
            created_unix: entry.created_unix,
            engine: entry.engine.clone(),
            sleeps: self.sleeps(entry),
            sessions: self.sessions().count(entry.id),
            limits: entry.limits(),
            settings: entry.settings(),
            variables_wait: entry.variables_wait() && state == ClusterState::Awake,
            complete_book: entry.has_complete_book(),
        }
    }

    fn sleeps(&self, entry: &ClusterEntry) -> bool {
        let kind = self.engines().kind(&entry.engine.kind);
        kind.is_some_and(|kind| kind.description().abilities.sleeps)
    }

    async fn entry(&self, name: &str) -> ControlResult<Arc<ClusterEntry>> {
        // An invalid name can't be the name of a cluster.
        let parsed = ClusterName::parse(name).map_err(|_| ControlError::not_found(name))?;
        self.register()
            .by_name(&parsed)
            .await?
            .ok_or_else(|| ControlError::not_found(name))
    }

    /// Returns the cluster with the lock that keeps other operations from changing it, if it has
    /// the version that is wanted.
    async fn exclusive(
        &self,
        name: &str,
    ) -> ControlResult<(Arc<ClusterEntry>, OwnedMutexGuard<()>)> {
        let (entry, held) = self.lock_cluster(name).await?;
        self.check_version(&entry)?;
        Ok((entry, held))
    }

    /// As [`Control::exclusive`], whatever its version.
    async fn lock_cluster(
        &self,
        name: &str,
    ) -> ControlResult<(Arc<ClusterEntry>, OwnedMutexGuard<()>)> {
        let entry = self.entry(name).await?;
        let lock = Arc::clone(&entry.operation).lock_owned();
        let held = timeout(limits::OPERATION_WAIT, lock)
            .await
            .map_err(|_| ControlError::busy(&entry.name()))?;
        // The operation that had the lock may have deleted the cluster.
        let now = self.entry(name).await?;
        if now.id != entry.id {
            return Err(ControlError::not_found(name));
        }
        Ok((entry, held))
    }

    /// Refuses a change that was made for another version of the cluster.
    fn check_version(&self, entry: &ClusterEntry) -> ControlResult<()> {
        match self.wanted_version() {
            Some(wanted) if wanted != entry.version() => {
                Err(ControlError::stale(&entry.name(), wanted, entry.version()))
            }
            _ => Ok(()),
        }
    }

    /// Runs the work in its own task, so that it goes on if the caller is dropped.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = ControlResult<T>> + Send + 'static,
    ) -> ControlResult<T> {
        if self.stopping() {
            return Err(ControlError::stopping());
        }
        tokio::spawn(work)
            .await
            .unwrap_or_else(|e| Err(ControlError::internal(&e)))
    }
}
