//! Who exists, for those who knock. Never waits for the store, and does the same work for a stranger.

use crate::control::Control;
use crate::register::{Entry, Knock};
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::{
    AccountBook, BoxFuture, ClusterId, ClusterState, Directory, DirectoryError, Found, Prefix, PrefixTag, Tenant,
};

impl Control {
    /// The cluster as a login meets it now.
    fn tenant(&self, entry: &Entry) -> Tenant {
        // In this order: a run that begins between the two takes `settled` away.
        let state = self.engines().state(entry.id);
        let mut tenant = entry.tenant(state == Some(ClusterState::Asleep));
        // An engine that can't start tells nothing newer than the last book.
        tenant.settled |= state == Some(ClusterState::Failed);
        tenant
    }

    async fn read_accounts(&self, entry: &Entry, not_before: Instant) -> Result<Arc<AccountBook>, DirectoryError> {
        // While it starts or goes to sleep no reading can begin.
        self.engines().steady(entry.id).await;
        let now = self.tenant(entry);
        if now.settled || now.accounts.read_began.is_some_and(|began| began > not_before) {
            return Ok(now.accounts);
        }
        let measured = entry.samples.measure();
        let book = self.engines().accounts(entry.id, not_before).await;
        measured.done(book.is_err());
        match book {
            Ok(book) => {
                entry.learn(&book);
                Ok(book)
            }
            Err(error) => {
                // It may have failed while we waited.
                let now = self.tenant(entry);
                if now.settled { Ok(now.accounts) } else { Err(unreadable(&error)) }
            }
        }
    }

    async fn imitate_reading(&self, entry: &Entry) -> Result<(), DirectoryError> {
        if entry.samples.are_old() {
            return self.read_accounts(entry, Instant::now()).await.map(drop);
        }
        self.engines().steady(entry.id).await;
        if self.tenant(entry).settled {
            return Ok(());
        }
        let Some(sample) = entry.samples.draw() else { return Ok(()) };
        tokio::time::sleep(sample.took).await;
        if sample.failed { Err(unreadable(&"as a late reading of the imitated cluster")) } else { Ok(()) }
    }
}

impl Directory for Control {
    fn find<'a>(&'a self, prefix: &'a Prefix, tag: PrefixTag) -> BoxFuture<'a, Result<Found, DirectoryError>> {
        Box::pin(async move {
            let (entry, real) = match self.register().knock(prefix, tag) {
                Knock::Cluster(entry) => (entry, true),
                Knock::Twin(entry) => (entry, false),
                Knock::Empty => return Ok(Found::Nobody(None)),
            };
            let found = Found::Cluster(self.tenant(&entry));
            Ok(if real { found } else { Found::Nobody(found.standing()) })
        })
    }

    fn refresh(
        &self,
        cluster: ClusterId,
        not_before: Instant,
    ) -> BoxFuture<'_, Result<Arc<AccountBook>, DirectoryError>> {
        Box::pin(async move {
            let Some(entry) = self.register().by_id(cluster) else {
                return Err(unreadable(&"the cluster was deleted"));
            };
            // Of a clean sleeper the copy is the truth at this moment, which is after `not_before`.
            let now = self.tenant(&entry);
            if now.settled {
                return Ok(now.accounts);
            }
            self.read_accounts(&entry, not_before).await
        })
    }

    fn imitate_refresh(&self, cluster: ClusterId) -> BoxFuture<'_, Result<(), DirectoryError>> {
        Box::pin(async move {
            let Some(entry) = self.register().by_id(cluster) else {
                return Err(unreadable(&"the cluster was deleted"));
            };
            if self.tenant(&entry).settled { Ok(()) } else { self.imitate_reading(&entry).await }
        })
    }

    fn recovered(&self, cluster: ClusterId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(entry) = self.register().by_id(cluster) {
                entry.recovery.wait().await;
            }
        })
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> DirectoryError {
    DirectoryError::Unreadable(error.to_string())
}
