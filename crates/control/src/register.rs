//! The clusters in memory, kept equal to the store: what a login looks at. Never read from disk after the start.

use crate::imitation::{Samples, choose_twin};
use crate::recovery::Recovery;
use crate::store::{ClusterRow, Store};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tidegate_engine::{Ledger, LedgerError};
use tidegate_model::{
    AccountBook, BoxFuture, ClusterId, ClusterLimits, ClusterName, Prefix, PrefixTag, RunEpoch, Tenant,
};

/// One live cluster.
pub struct Entry {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    limits: Mutex<ClusterLimits>,
    accounts: Mutex<Accounts>,
    pub recovery: Recovery,
    /// How its last readings went.
    pub samples: Samples,
    /// Held by the operation that changes this cluster.
    pub operation: Arc<tokio::sync::Mutex<()>>,
}

struct Accounts {
    book: Arc<AccountBook>,
    /// The last run that was begun here.
    run: RunEpoch,
    /// That run has ended cleanly, and `book` was read at its end.
    clean: bool,
}

impl Entry {
    pub fn new(row: ClusterRow) -> Self {
        let recovery = Recovery::new(!row.awake);
        let accounts = Accounts { book: Arc::new(row.book), run: row.run, clean: !row.awake };
        Self {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            created_unix: row.created_unix,
            limits: Mutex::new(row.limits),
            accounts: Mutex::new(accounts),
            recovery,
            samples: Samples::default(),
            operation: Arc::default(),
        }
    }

    pub fn limits(&self) -> ClusterLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logins and lists see them from here on.
    pub fn set_limits(&self, limits: ClusterLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Each critical section is one plain assignment after another, so a poisoned lock is still good.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `asleep` is what the engine said, and it must have been asked before this is called: a run that began
    /// meanwhile has taken `clean` away.
    pub fn tenant(&self, asleep: bool) -> Tenant {
        let accounts = self.accounts();
        Tenant {
            cluster: self.id,
            name: self.name.clone(),
            prefix: self.prefix.clone(),
            accounts: Arc::clone(&accounts.book),
            settled: asleep && accounts.clean,
            recovering: !self.recovery.is_done(),
            limits: self.limits(),
        }
    }

    /// Takes a reading unless a later one is here already.
    pub fn learn(&self, book: &Arc<AccountBook>) {
        let mut accounts = self.accounts();
        if (book.run, book.read_began) >= (accounts.book.run, accounts.book.read_began) {
            accounts.book = Arc::clone(book);
        }
    }
}

/// Who has a prefix.
pub enum Knock {
    Cluster(Arc<Entry>),
    /// Nobody; this cluster's behaviour is imitated.
    Twin(Arc<Entry>),
    /// Nobody, and there is no cluster at all.
    Empty,
}

/// All live clusters, and the engine's [`Ledger`].
pub struct Register {
    store: Arc<dyn Store>,
    maps: RwLock<Maps>,
    lookups: AtomicU64,
}

#[derive(Default)]
struct Maps {
    by_id: HashMap<ClusterId, Arc<Entry>>,
    by_prefix: HashMap<Prefix, Arc<Entry>>,
    by_name: HashMap<ClusterName, Arc<Entry>>,
    /// The keys of `by_id` in one piece of memory: every login goes through all of them.
    ids: Vec<ClusterId>,
}

impl Register {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, maps: RwLock::default(), lookups: AtomicU64::new(0) }
    }

    pub fn insert(&self, row: ClusterRow) -> Arc<Entry> {
        let entry = Arc::new(Entry::new(row));
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if maps.by_id.insert(entry.id, Arc::clone(&entry)).is_none() {
            maps.ids.push(entry.id);
        }
        maps.by_prefix.insert(entry.prefix.clone(), Arc::clone(&entry));
        maps.by_name.insert(entry.name.clone(), Arc::clone(&entry));
        entry
    }

    pub fn remove(&self, entry: &Entry) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_id.remove(&entry.id);
        maps.ids.retain(|id| *id != entry.id);
        maps.by_prefix.remove(&entry.prefix);
        maps.by_name.remove(&entry.name);
    }

    pub fn by_id(&self, id: ClusterId) -> Option<Arc<Entry>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    pub fn by_name(&self, name: &ClusterName) -> Option<Arc<Entry>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).cloned()
    }

    /// By name, for a list.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = maps.by_id.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// One lookup, counted. The twin is chosen in both cases, so that both take the same time.
    pub fn knock(&self, prefix: &Prefix, tag: PrefixTag) -> Knock {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let twin = choose_twin(tag, &maps.ids).and_then(|id| maps.by_id.get(&id));
        match (maps.by_prefix.get(prefix), twin) {
            (Some(entry), _) => Knock::Cluster(Arc::clone(entry)),
            (None, Some(twin)) => Knock::Twin(Arc::clone(twin)),
            (None, None) => Knock::Empty,
        }
    }

    /// How many lookups logins have caused so far.
    pub fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }
}

impl Ledger for Register {
    fn begin_run(&self, cluster: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>> {
        Box::pin(async move {
            let entry = self.by_id(cluster);
            // First, so that no login is judged by this copy from here on; undone only if no run has begun.
            let was = entry.as_ref().map(|e| std::mem::replace(&mut e.accounts().clean, false));
            match self.store.begin_run(cluster).await {
                Ok(run) => {
                    if let Some(e) = entry {
                        e.accounts().run = run;
                    }
                    Ok(run)
                }
                Err(error) => {
                    if let (Some(e), Some(was)) = (entry, was) {
                        e.accounts().clean = was;
                    }
                    Err(LedgerError(error.to_string()))
                }
            }
        })
    }

    fn end_run(
        &self,
        cluster: ClusterId,
        run: RunEpoch,
        accounts: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async move {
            self.store.end_run(cluster, run, &accounts).await.map_err(|e| LedgerError(e.to_string()))?;
            if let Some(entry) = self.by_id(cluster) {
                let mut mine = entry.accounts();
                if mine.run == run {
                    mine.book = accounts;
                    mine.clean = true;
                }
            }
            Ok(())
        })
    }

    fn save_accounts(&self, cluster: ClusterId, accounts: Arc<AccountBook>) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async move {
            self.store.save_accounts(cluster, &accounts).await.map_err(|e| LedgerError(e.to_string()))?;
            if let Some(entry) = self.by_id(cluster) {
                entry.learn(&accounts);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Reservation, SqliteStore, Strays};
    use std::time::Instant;
    use tidegate_model::{Account, Requirement};

    fn book(run: u64, user: &str, read_began: Option<Instant>) -> Arc<AccountBook> {
        let account = Account {
            user: user.to_owned(),
            host: "%".to_owned(),
            verifiers: vec![],
            locked: false,
            requires: Requirement::None,
        };
        Arc::new(AccountBook { accounts: vec![account], run: RunEpoch(run), read_began })
    }

    async fn one() -> (tempfile::TempDir, Register, Arc<Entry>) {
        let tmp = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&tmp.path().join("store.sqlite")).await.unwrap();
        let wanted = Reservation {
            name: ClusterName::parse("demo").unwrap(),
            prefix: Prefix::random().unwrap(),
            created_unix: 0,
            limits: ClusterLimits::default(),
        };
        let row = store.reserve(&wanted, None, &Strays::default()).await.unwrap();
        let row = store.publish(row.id, &book(0, "root", None)).await.unwrap();
        let register = Register::new(Arc::new(store));
        let entry = register.insert(row);
        (tmp, register, entry)
    }

    #[tokio::test]
    async fn a_mismatch_is_a_verdict_only_between_runs() {
        let (_tmp, register, entry) = one().await;
        assert!(entry.tenant(true).settled && !entry.tenant(false).settled);
        let run = register.begin_run(entry.id).await.unwrap();
        assert!(!entry.tenant(true).settled, "whoever asked the engine before the run began learns it here");
        register.save_accounts(entry.id, book(run.0, "seen", Some(Instant::now()))).await.unwrap();
        assert!(!entry.tenant(true).settled);
        assert_eq!(entry.tenant(true).accounts.accounts[0].user, "seen");
        register.end_run(entry.id, run, book(run.0, "last", Some(Instant::now()))).await.unwrap();
        let tenant = entry.tenant(true);
        assert!(tenant.settled);
        assert_eq!(tenant.accounts.accounts[0].user, "last");
    }

    #[tokio::test]
    async fn a_run_that_could_not_be_noted_has_not_begun() {
        let (_tmp, register, entry) = one().await;
        register.store.close().await;
        assert!(register.begin_run(entry.id).await.is_err());
        assert!(entry.tenant(true).settled);
    }

    #[tokio::test]
    async fn an_older_reading_never_replaces_a_later_one() {
        let (_tmp, _register, entry) = one().await;
        let early = Instant::now();
        let late = early + std::time::Duration::from_millis(1);
        let user = |entry: &Entry| entry.tenant(true).accounts.accounts[0].user.clone();
        entry.learn(&book(1, "late", Some(late)));
        entry.learn(&book(1, "early", Some(early)));
        assert_eq!(user(&entry), "late");
        entry.learn(&book(2, "next", Some(early)));
        assert_eq!(user(&entry), "next", "a later run goes before a later reading");
    }
}
