//! Who exists, for those who knock. Does the same work for a stranger.

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::imitation::{Imitation, MeasuredReading, ReadingSample};
use crate::operations::ROOT;
use crate::register::{PrefixLookup, Register};
use std::net::Ipv4Addr;
use std::time::Instant;
use tidegate_model::{
    Account, BoxFuture, Claim, ClusterId, ClusterState, Directory, DirectoryError, Found, Prefix,
    PrefixTag, Tenant,
};

impl Control {
    /// The cluster as a login with this claim meets it now.
    async fn tenant(&self, entry: &ClusterEntry, claim: &Claim) -> Result<Tenant, DirectoryError> {
        // In this order: a run that begins between the two takes `settled` away.
        let state = self.engines().state(entry.id);
        let tenant = self
            .register()
            .tenant(entry, state == Some(ClusterState::Asleep), claim)
            .await;
        let mut tenant = tenant.map_err(|e| DirectoryError::Store(e.to_string()))?;
        // An engine that can't start tells nothing newer than the last book.
        tenant.settled |= state == Some(ClusterState::Failed);
        Ok(tenant)
    }

    /// Whether the book as it was stored is the truth, once the engine neither starts nor goes to
    /// sleep.
    async fn is_settled(&self, entry: &ClusterEntry) -> bool {
        // Before that no reading can begin.
        self.engines().steady(entry.id).await;
        let state = self.engines().state(entry.id);
        state == Some(ClusterState::Failed)
            || Register::is_settled(entry, state == Some(ClusterState::Asleep))
    }

    async fn read_accounts(
        &self,
        entry: &ClusterEntry,
        claim: &Claim,
        not_before: Instant,
        measured: MeasuredReading<'_>,
    ) -> Result<Vec<Account>, DirectoryError> {
        let book = self
            .engines()
            .accounts(entry.id, claim.names.clone(), not_before)
            .await;
        measured.done(book.is_err());
        let book = match book {
            Ok(book) => book,
            Err(error) => {
                // It may have failed or gone to sleep while we waited.
                let now = self.tenant(entry, claim).await?;
                return if now.settled {
                    Ok(now.accounts)
                } else {
                    Err(unreadable(&error.report()))
                };
            }
        };
        self.register().books().learn(entry.id, &claim.names, &book);
        let accounts = book.accounts.candidates(claim);
        if accounts.is_empty() && !book.accounts.is_complete() {
            return Err(unreadable(&"there are too many accounts of these users"));
        }
        Ok(accounts)
    }

    async fn imitate_reading(&self, entry: &ClusterEntry) -> Result<(), DirectoryError> {
        if self.is_settled(entry).await {
            return Ok(());
        }
        match entry.samples.imitate().await {
            Imitation::Read(measured) => {
                // Not the names that a stranger wrote: the twin's tenant can see what its engine is
                // asked.
                let claim = Claim {
                    names: vec![ROOT.to_owned()],
                    client: Ipv4Addr::LOCALHOST.into(),
                };
                self.read_accounts(entry, &claim, Instant::now(), measured)
                    .await
                    .map(drop)
            }
            Imitation::Like(ReadingSample { took, failed }) => {
                tokio::time::sleep(took).await;
                if failed {
                    Err(unreadable(&"as a late reading of the imitated cluster"))
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl Directory for Control {
    fn find<'a>(
        &'a self,
        prefix: &'a Prefix,
        tag: PrefixTag,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Found, DirectoryError>> {
        Box::pin(async move {
            let (entry, real) = match self.register().look_up(prefix, tag) {
                PrefixLookup::Cluster(entry) => (entry, true),
                PrefixLookup::Twin(entry) => (entry, false),
                PrefixLookup::Empty => return Ok(Found::Nobody(None)),
            };
            // Of the twin too, so that both cost the same search and the same read of the store.
            let found = Found::Cluster(self.tenant(&entry, claim).await?);
            Ok(if real {
                found
            } else {
                Found::Nobody(found.standing())
            })
        })
    }

    fn refresh<'a>(
        &'a self,
        cluster: ClusterId,
        claim: &'a Claim,
        not_before: Instant,
    ) -> BoxFuture<'a, Result<Vec<Account>, DirectoryError>> {
        Box::pin(async move {
            let Some(entry) = self.register().by_id(cluster) else {
                return Err(unreadable(&"the cluster was deleted"));
            };
            // Of a clean sleeper the copy is the truth at this moment, which is after `not_before`.
            if self.is_settled(&entry).await {
                return Ok(self.tenant(&entry, claim).await?.accounts);
            }
            self.read_accounts(&entry, claim, not_before, entry.samples.measure())
                .await
        })
    }

    fn imitate_refresh(&self, cluster: ClusterId) -> BoxFuture<'_, Result<(), DirectoryError>> {
        Box::pin(async move {
            let Some(entry) = self.register().by_id(cluster) else {
                return Err(unreadable(&"the cluster was deleted"));
            };
            self.imitate_reading(&entry).await
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
