//! Register of live clusters in memory, kept equal to the store. Their accounts are in [`Books`].

use crate::books::Books;
use crate::cluster_entry::ClusterEntry;
use crate::imitation::choose_twin;
use crate::store::{Store, StoreResult, StoredCluster};
use crate::views::ListStart;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tidegate_engine::{Ledger, LedgerError};
use tidegate_model::{
    AccountBook, BoxFuture, Claim, ClusterId, ClusterName, Prefix, PrefixTag, RunEpoch, Tenant,
};

/// Result of a lookup of a prefix.
pub enum PrefixLookup {
    Cluster(Arc<ClusterEntry>),
    /// No cluster has the prefix. The login imitates this one.
    Twin(Arc<ClusterEntry>),
    /// The server has no cluster at all.
    Empty,
}

/// Register of all live clusters, which implements the engine's [`Ledger`].
pub struct Register {
    store: Arc<dyn Store>,
    books: Books,
    maps: RwLock<RegisterMaps>,
    lookups: AtomicU64,
}

#[derive(Default)]
struct RegisterMaps {
    by_id: HashMap<ClusterId, Arc<ClusterEntry>>,
    by_prefix: HashMap<Prefix, Arc<ClusterEntry>>,
    /// Ordered, so that a list is read page by page.
    by_name: BTreeMap<ClusterName, Arc<ClusterEntry>>,
    /// Keys of `by_id` in contiguous memory, because every login reads all of them.
    ids: Vec<ClusterId>,
}

impl Register {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let books = Books::new(Arc::clone(&store));
        Self {
            store,
            books,
            maps: RwLock::default(),
            lookups: AtomicU64::new(0),
        }
    }

    pub fn insert(&self, found: StoredCluster) -> Arc<ClusterEntry> {
        let entry = Arc::new(ClusterEntry::new(found));
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if maps.by_id.insert(entry.id, Arc::clone(&entry)).is_none() {
            maps.ids.push(entry.id);
        }
        maps.by_prefix
            .insert(entry.prefix.clone(), Arc::clone(&entry));
        maps.by_name.insert(entry.name(), Arc::clone(&entry));
        entry
    }

    pub fn remove(&self, entry: &ClusterEntry) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_id.remove(&entry.id);
        maps.ids.retain(|id| *id != entry.id);
        maps.by_prefix.remove(&entry.prefix);
        maps.by_name.remove(&entry.name());
        self.books.forget(entry.id);
    }

    /// Gives a cluster another name.
    pub fn rename(&self, entry: &Arc<ClusterEntry>, name: ClusterName) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_name.remove(&entry.name());
        entry.set_name(name.clone());
        maps.by_name.insert(name, Arc::clone(entry));
    }

    pub fn by_id(&self, id: ClusterId) -> Option<Arc<ClusterEntry>> {
        self.maps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .get(&id)
            .cloned()
    }

    pub fn by_name(&self, name: &ClusterName) -> Option<Arc<ClusterEntry>> {
        self.maps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_name
            .get(name)
            .cloned()
    }

    /// As [`Register::look_up`] for a list: no login, so it is not counted.
    pub fn by_prefix(&self, prefix: &Prefix) -> Option<Arc<ClusterEntry>> {
        self.maps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_prefix
            .get(prefix)
            .cloned()
    }

    /// Returns all clusters, ordered by name.
    pub fn all(&self) -> Vec<Arc<ClusterEntry>> {
        self.part(&ListStart::First, usize::MAX)
    }

    /// Returns at most so many clusters from this start on, in the order of their names, or in the
    /// opposite order if the list is read backwards.
    pub fn part(&self, start: &ListStart, most: usize) -> Vec<Arc<ClusterEntry>> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let names = &maps.by_name;
        match start {
            ListStart::First => names.values().take(most).cloned().collect(),
            ListStart::After(name) => names
                .range((Bound::Excluded(name), Bound::Unbounded))
                .take(most)
                .map(|(_, entry)| Arc::clone(entry))
                .collect(),
            ListStart::Before(name) => names
                .range(..name)
                .rev()
                .take(most)
                .map(|(_, entry)| Arc::clone(entry))
                .collect(),
        }
    }

    /// Returns the number of clusters.
    pub fn count(&self) -> usize {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_name.len()
    }

    /// Looks a prefix up, and counts the lookup. The twin is chosen in both cases, so that both
    /// take the same time.
    pub fn look_up(&self, prefix: &Prefix, tag: PrefixTag) -> PrefixLookup {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let twin = choose_twin(tag, &maps.ids).and_then(|id| maps.by_id.get(&id));
        match (maps.by_prefix.get(prefix), twin) {
            (Some(entry), _) => PrefixLookup::Cluster(Arc::clone(entry)),
            (None, Some(twin)) => PrefixLookup::Twin(Arc::clone(twin)),
            (None, None) => PrefixLookup::Empty,
        }
    }

    /// As [`Tenant::accounts_current`]. `asleep` as for [`Register::tenant`].
    pub fn are_accounts_current(entry: &ClusterEntry, asleep: bool) -> bool {
        asleep && entry.accounts().is_settled()
    }

    /// Returns the cluster for a login with this claim. `asleep` is the engine's state, read before
    /// this call: a run that began meanwhile has unsettled the book.
    pub async fn tenant(
        &self,
        entry: &ClusterEntry,
        asleep: bool,
        claim: &Claim,
    ) -> StoreResult<Tenant> {
        let known = *entry.accounts();
        // A book newer than `known` is fine too: it was up to date at a later moment of this login.
        let book = self
            .books
            .get(entry.id, known.book_run, &entry.book_read)
            .await?;
        if !book.accounts.is_complete() {
            entry.note_incomplete(book.run);
        }
        Ok(Tenant {
            cluster: entry.id,
            name: entry.name(),
            prefix: entry.prefix.clone(),
            accounts: book.accounts.candidates(claim),
            accounts_current: asleep && known.is_settled(),
            recovering: !entry.recovery.is_done(),
            limits: entry.limits(),
            allows_client: entry.allows_client(claim.client),
            ping_holds: entry.ping_holds.clone(),
        })
    }

    /// Cache of account books.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Number of lookups that logins have caused.
    pub fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }
}

impl Ledger for Register {
    fn begin_run(&self, cluster: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>> {
        Box::pin(async move {
            let entry = self.by_id(cluster);
            // Cleared first, so that no login is denied by this copy from now on. Restored only if
            // no run has begun.
            let was = entry
                .as_ref()
                .map(|e| std::mem::replace(&mut e.accounts().awake, true));
            match self.store.begin_run(cluster).await {
                Ok(run) => {
                    if let Some(e) = entry {
                        e.accounts().run = run;
                    }
                    Ok(run)
                }
                Err(error) => {
                    if let (Some(e), Some(was)) = (entry, was) {
                        e.accounts().awake = was;
                    }
                    Err(LedgerError::new(error))
                }
            }
        })
    }

    fn make_room(&self, cluster: ClusterId) {
        self.books.forget(cluster);
    }

    fn end_run(
        &self,
        cluster: ClusterId,
        run: RunEpoch,
        accounts: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async move {
            // On disk before in memory: a clean sleep that a crash forgets must not be announced.
            // Both at once, so that they share a transaction. After a crash between the two, the
            // run of the book differs from that of the host, and the cluster is recovered.
            let saved = self.store.save_accounts(cluster, Arc::clone(&accounts));
            let ended = self.store.end_run(cluster, run);
            let (saved, ended) = tokio::join!(saved, ended);
            saved.and(ended).map_err(LedgerError::new)?;
            if let Some(entry) = self.by_id(cluster) {
                let complete = accounts.accounts.is_complete();
                self.books.put(cluster, accounts);
                let mut mine = entry.accounts();
                mine.book_run = run;
                mine.complete = complete;
                // A later run may have begun while this one was recorded.
                mine.awake &= mine.run != run;
            }
            Ok(())
        })
    }

    fn save_accounts(
        &self,
        cluster: ClusterId,
        accounts: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async move {
            self.store
                .save_accounts(cluster, Arc::clone(&accounts))
                .await
                .map_err(LedgerError::new)?;
            if let Some(entry) = self.by_id(cluster) {
                let mut mine = entry.accounts();
                mine.book_run = accounts.run;
                mine.complete = accounts.accounts.is_complete();
                drop(mine);
                self.books.put(cluster, accounts);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
