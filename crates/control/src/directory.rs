//! Directory for logins. Does the same work for known and unknown prefixes, so that the time tells
//! nothing.

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::entry_cache::EntryUse;
use crate::imitation::{Imitation, MeasuredReading, ReadingSample};
use crate::operations::ROOT;
use crate::register::{PrefixLookup, Register};
use crate::store::StoreError;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::{
    Account, BoxFuture, Claim, ClusterId, ClusterState, Directory, DirectoryError, Found, Prefix,
    PrefixTag, Tenant,
};

impl Control {
    /// Returns the cluster as a login with this claim sees it now.
    async fn tenant(&self, entry: &ClusterEntry, claim: &Claim) -> Result<Tenant, DirectoryError> {
        // The state is read first: if a run begins between the two, `tenant` clears
        // `accounts_current`.
        let state = self.engines().state(entry.id);
        let tenant = self
            .register()
            .tenant(entry, state == ClusterState::Asleep, claim)
            .await;
        let mut tenant = tenant.map_err(store_failed)?;
        // Nothing newer than the last book can be read from an engine that can't start.
        tenant.accounts_current |= state == ClusterState::Failed;
        Ok(tenant)
    }

    /// Waits until the engine neither starts nor goes to sleep. Returns whether the stored book is
    /// then up to date.
    async fn are_accounts_current(&self, entry: &ClusterEntry) -> bool {
        // The accounts of an engine that starts or goes to sleep can't be read.
        self.engines().steady(entry.id).await;
        let state = self.engines().state(entry.id);
        state == ClusterState::Failed
            || Register::are_accounts_current(entry, state == ClusterState::Asleep)
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
                // The engine may have failed or gone to sleep during the wait.
                let now = self.tenant(entry, claim).await?;
                return if now.accounts_current {
                    Ok(now.accounts)
                } else {
                    Err(DirectoryError::Unreadable(Arc::new(error)))
                };
            }
        };
        self.register().books().learn(entry.id, &claim.names, &book);
        let accounts = book.accounts.candidates(claim);
        // The login may mean an account that did not fit into the book, so this is no denial.
        if accounts.is_empty() && !book.accounts.is_complete() {
            return Err(DirectoryError::TooManyAccounts);
        }
        Ok(accounts)
    }

    async fn imitate_reading(&self, entry: &ClusterEntry) -> Result<(), DirectoryError> {
        if self.are_accounts_current(entry).await {
            return Ok(());
        }
        match entry.samples.imitate().await {
            Imitation::Read(measured) => {
                // Doesn't use the names of the login: the tenant of the twin can see the queries to
                // its engine.
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
                    Err(DirectoryError::Imitated)
                } else {
                    Ok(())
                }
            }
        }
    }
}

fn store_failed(error: StoreError) -> DirectoryError {
    DirectoryError::Store(Arc::new(error))
}

impl Directory for Control {
    fn find<'a>(
        &'a self,
        prefix: &'a Prefix,
        tag: PrefixTag,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Found, DirectoryError>> {
        Box::pin(async move {
            let found = self.register().look_up(prefix, tag).await;
            let (entry, real) = match found.map_err(store_failed)? {
                PrefixLookup::Cluster(entry) => (entry, true),
                PrefixLookup::Twin(entry) => (entry, false),
                PrefixLookup::Empty => return Ok(Found::Nobody(None)),
            };
            // Searched in the twin too, so that both cases take the same search and the same read
            // of the store.
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
            let entry = self.register().by_id(cluster, EntryUse::LookUp).await;
            let Some(entry) = entry.map_err(store_failed)? else {
                return Err(DirectoryError::Deleted);
            };
            // The copy of a cleanly sleeping cluster is up to date now, which is after
            // `not_before`.
            if self.are_accounts_current(&entry).await {
                return Ok(self.tenant(&entry, claim).await?.accounts);
            }
            self.read_accounts(&entry, claim, not_before, entry.samples.measure())
                .await
        })
    }

    fn imitate_refresh(&self, cluster: ClusterId) -> BoxFuture<'_, Result<(), DirectoryError>> {
        Box::pin(async move {
            let entry = self.register().by_id(cluster, EntryUse::LookUp).await;
            let Some(entry) = entry.map_err(store_failed)? else {
                return Err(DirectoryError::Deleted);
            };
            self.imitate_reading(&entry).await
        })
    }

    fn recovered(&self, cluster: ClusterId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A cluster that is not recovered is in memory.
            if let Some(entry) = self.register().in_memory(cluster) {
                entry.recovery.wait().await;
            }
        })
    }
}
