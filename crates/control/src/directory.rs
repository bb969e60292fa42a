//! Who exists, for those who knock. Never waits for the store, and does the same work for a stranger.

use crate::control::Control;
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::{AccountBook, BoxFuture, ClusterId, ClusterState, Directory, DirectoryError, Prefix, Tenant};

impl Directory for Control {
    fn find<'a>(&'a self, prefix: &'a Prefix) -> BoxFuture<'a, Result<Option<Tenant>, DirectoryError>> {
        Box::pin(async move {
            let (entry, real) = self.register().knock(prefix);
            // In this order: a run that begins between the two takes `settled` away.
            let asleep = self.engines().state(entry.id) == Some(ClusterState::Asleep);
            let tenant = entry.tenant(asleep);
            Ok(real.then_some(tenant))
        })
    }

    fn refresh(
        &self,
        cluster: ClusterId,
        not_before: Instant,
    ) -> BoxFuture<'_, Result<Arc<AccountBook>, DirectoryError>> {
        Box::pin(async move {
            let unreadable = |e: &dyn std::fmt::Display| DirectoryError::Unreadable(e.to_string());
            let Some(entry) = self.register().by_id(cluster) else {
                return Err(unreadable(&"the cluster was deleted"));
            };
            // Of a clean sleeper the copy is the truth at this moment, which is after `not_before`.
            let asleep = self.engines().state(cluster) == Some(ClusterState::Asleep);
            let now = entry.tenant(asleep);
            if now.settled {
                return Ok(now.accounts);
            }
            let book = self.engines().accounts(cluster, not_before).await.map_err(|e| unreadable(&e))?;
            entry.learn(&book);
            Ok(book)
        })
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.recovered())
    }
}
