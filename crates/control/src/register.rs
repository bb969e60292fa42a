//! Register of live clusters: an index of all prefixes, and a bounded cache of clusters over the
//! store. Their accounts are in [`Books`].
//!
//! A change of a cluster is made while its entry is in memory, first in the store and then in the
//! entry. An entry in use is never dropped, and a cluster is read from the store only if it has no
//! entry, so what is read is what was changed last.

use crate::books::Books;
use crate::cluster_entry::ClusterEntry;
use crate::entry_cache::{EntryCache, EntryUse};
use crate::limits::{ENTRY_LOADS, LOOK_UPS_MAX};
use crate::prefix_index::{PrefixIndex, PrefixMatch};
use crate::store::{HostRow, Phase, Store, StoreError, StoreResult, StoredCluster};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tidegate_engine::{ClusterSpec, Ledger, LedgerError, RecordedCluster};
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
    index: RwLock<PrefixIndex>,
    cache: RwLock<EntryCache>,
    /// Locked while a cluster is read from the store, so that it has one entry. A cluster always
    /// has the same one of them.
    loads: [tokio::sync::Mutex<()>; ENTRY_LOADS],
    loads_made: AtomicU64,
    lookups: AtomicU64,
}

impl Register {
    /// Reads the index, and no cluster.
    pub async fn open(store: Arc<dyn Store>) -> StoreResult<Self> {
        let mut index = PrefixIndex::default();
        for (id, prefix) in store.prefixes().await? {
            index.insert(&prefix, id);
        }
        let books = Books::new(Arc::clone(&store));
        Ok(Self {
            store,
            books,
            index: RwLock::new(index),
            cache: RwLock::default(),
            loads: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            loads_made: AtomicU64::new(0),
            lookups: AtomicU64::new(0),
        })
    }

    pub fn index(&self) -> RwLockReadGuard<'_, PrefixIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, PrefixIndex> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> RwLockReadGuard<'_, EntryCache> {
        // No step between two assignments can fail, so a poisoned lock can still be used.
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache_mut(&self) -> RwLockWriteGuard<'_, EntryCache> {
        self.cache.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the reads of a cluster.
    async fn load_turn(&self, id: ClusterId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let place = usize::try_from(id.0 % ENTRY_LOADS as u64).unwrap_or_default();
        Some(self.loads.get(place)?.lock().await)
    }

    /// Adds a cluster that was created just now.
    pub async fn insert(&self, found: StoredCluster) -> Arc<ClusterEntry> {
        let id = found.row.id;
        let prefix = found.row.prefix.clone();
        let _turn = self.load_turn(id).await;
        let entry = self
            .cache_mut()
            .insert(ClusterEntry::new(found), EntryUse::Work);
        self.index_mut().insert(&prefix, id);
        entry
    }

    /// Removes a cluster that is deleted in the store.
    pub fn remove(&self, entry: &ClusterEntry) {
        self.index_mut().remove(entry.id);
        self.cache_mut().remove(entry.id);
        self.books.forget(entry.id);
    }

    /// Gives a cluster another name.
    pub fn rename(&self, entry: &Arc<ClusterEntry>, name: ClusterName) {
        self.cache_mut().rename(entry, name);
    }

    /// Returns a cluster that is in memory.
    pub fn in_memory(&self, id: ClusterId) -> Option<Arc<ClusterEntry>> {
        self.cache().get(id, EntryUse::LookUp)
    }

    /// Returns a live cluster, from memory or else from the store.
    pub async fn by_id(
        &self,
        id: ClusterId,
        by: EntryUse,
    ) -> StoreResult<Option<Arc<ClusterEntry>>> {
        self.load(id, by, true).await
    }

    /// Returns a live cluster that is not settled, for its recovery. Called before the first login.
    pub async fn by_id_unrecovered(&self, id: ClusterId) -> StoreResult<Option<Arc<ClusterEntry>>> {
        self.load(id, EntryUse::Work, false).await
    }

    async fn load(
        &self,
        id: ClusterId,
        by: EntryUse,
        recovered: bool,
    ) -> StoreResult<Option<Arc<ClusterEntry>>> {
        if let Some(entry) = self.cache().get(id, by) {
            return Ok(Some(entry));
        }
        let _turn = self.load_turn(id).await;
        // Another login may have read it during the wait.
        if let Some(entry) = self.cache().get(id, by) {
            return Ok(Some(entry));
        }
        self.loads_made.fetch_add(1, Ordering::Relaxed);
        let row = match self.store.cluster(id).await {
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(%error, "a cluster is left out: its row in the store is damaged");
                return Ok(None);
            }
            row => row?.filter(|row| row.phase == Phase::Live),
        };
        let Some(row) = row else { return Ok(None) };
        let host = self.store.host_row(id).await?;
        let host = host.unwrap_or(HostRow::new(id));
        let entry = ClusterEntry::new(StoredCluster { row, host });
        // Recoveries begin at the start only.
        if recovered {
            entry.recovery.finish();
        }
        Ok(Some(self.cache_mut().insert(entry, by)))
    }

    /// Returns the live cluster of this name.
    pub async fn by_name(&self, name: &ClusterName) -> StoreResult<Option<Arc<ClusterEntry>>> {
        if let Some(entry) = self.cache().by_name(name) {
            return Ok(Some(entry));
        }
        match self.store.find_name(name).await? {
            Some(id) => self.by_id(id, EntryUse::Work).await,
            None => Ok(None),
        }
    }

    /// Returns the number of clusters.
    pub fn count(&self) -> usize {
        self.index().ids().len()
    }

    /// Looks a prefix up, and counts the lookup. A prefix that no cluster has costs the same reads
    /// as one that its twin has.
    pub async fn look_up(&self, prefix: &Prefix, tag: PrefixTag) -> StoreResult<PrefixLookup> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        for _ in 0..LOOK_UPS_MAX {
            let found = self.index().look_up(prefix, tag);
            let id = match found {
                PrefixMatch::Cluster(id) | PrefixMatch::Twin(id) => id,
                PrefixMatch::Nothing => break,
            };
            match self.by_id(id, EntryUse::LookUp).await? {
                Some(entry) if found == PrefixMatch::Cluster(id) => {
                    return Ok(PrefixLookup::Cluster(entry));
                }
                Some(entry) => return Ok(PrefixLookup::Twin(entry)),
                // Deleted at this moment, or its row is damaged.
                None => self.index_mut().remove(id),
            }
        }
        Ok(PrefixLookup::Empty)
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

    /// Clusters in memory.
    pub fn entries(&self) -> usize {
        self.cache().len()
    }

    /// Clusters that were read from the store so far.
    pub fn loads_made(&self) -> u64 {
        self.loads_made.load(Ordering::Relaxed)
    }

    /// Number of lookups that logins have caused.
    pub fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }
}

impl Ledger for Register {
    fn find_cluster(
        &self,
        cluster: ClusterId,
    ) -> BoxFuture<'_, Result<Option<RecordedCluster>, LedgerError>> {
        Box::pin(async move {
            let entry = self.by_id(cluster, EntryUse::Work).await;
            Ok(entry.map_err(LedgerError::new)?.map(|entry| {
                let variables = entry.settings().engine_variables();
                RecordedCluster {
                    spec: ClusterSpec {
                        id: entry.id,
                        name: entry.name(),
                        engine: entry.engine.clone(),
                        uid: entry.uid,
                        limits: entry.limits(),
                    },
                    clean: entry.accounts().is_settled(),
                    variables: (!variables.is_empty()).then_some(variables),
                }
            }))
        })
    }

    fn begin_run(&self, cluster: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>> {
        Box::pin(async move {
            // Read first, so that it is in memory while its record changes. `None`: it is created
            // at this moment.
            let entry = self.by_id(cluster, EntryUse::Work).await;
            let entry = entry.map_err(LedgerError::new)?;
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
            let entry = self.by_id(cluster, EntryUse::Work).await;
            let entry = entry.map_err(LedgerError::new)?;
            // On disk before in memory: a clean sleep that a crash forgets must not be announced.
            // Both at once, so that they share a transaction. After a crash between the two, the
            // run of the book differs from that of the host, and the cluster is recovered.
            let saved = self.store.save_accounts(cluster, Arc::clone(&accounts));
            let ended = self.store.end_run(cluster, run);
            let (saved, ended) = tokio::join!(saved, ended);
            saved.and(ended).map_err(LedgerError::new)?;
            if let Some(entry) = entry {
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
            let entry = self.by_id(cluster, EntryUse::Work).await;
            let entry = entry.map_err(LedgerError::new)?;
            self.store
                .save_accounts(cluster, Arc::clone(&accounts))
                .await
                .map_err(LedgerError::new)?;
            if let Some(entry) = entry {
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
