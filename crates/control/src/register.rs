//! The clusters in memory, kept equal to the store. Their accounts are in [`Books`].

use crate::books::Books;
use crate::imitation::{Samples, choose_twin};
use crate::recovery_state::Recovery;
use crate::store::{ClusterRow, Store, StoreResult};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tidegate_engine::{Ledger, LedgerError};
use tidegate_model::{
    AccountBook, BoxFuture, Claim, ClusterEngine, ClusterId, ClusterLimits, ClusterName, Prefix,
    PrefixTag, RunEpoch, Tenant,
};

/// One live cluster.
pub struct Entry {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    limits: Mutex<ClusterLimits>,
    accounts: Mutex<Accounts>,
    pub recovery: Recovery,
    /// How its last readings went.
    pub samples: Samples,
    /// Held by the operation that changes this cluster.
    pub operation: Arc<tokio::sync::Mutex<()>>,
    /// Held while its accounts are read from the store.
    book_read: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Accounts {
    /// The run that the stored book was read in.
    book_run: RunEpoch,
    /// The last run that was begun here.
    run: RunEpoch,
    /// That run has ended cleanly, and the stored book was read at its end.
    clean: bool,
    /// The book has all accounts of the cluster, as far as is known.
    complete: bool,
}

impl Entry {
    pub fn new(row: ClusterRow) -> Self {
        let recovery = Recovery::new(!row.awake);
        let accounts = Accounts {
            book_run: row.accounts_run,
            run: row.run,
            clean: !row.awake,
            complete: row.accounts_complete,
        };
        Self {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            created_unix: row.created_unix,
            engine: row.engine,
            limits: Mutex::new(row.limits),
            accounts: Mutex::new(accounts),
            recovery,
            samples: Samples::default(),
            operation: Arc::default(),
            book_read: tokio::sync::Mutex::default(),
        }
    }

    pub fn limits(&self) -> ClusterLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logins and lists see them from here on.
    pub fn set_limits(&self, limits: ClusterLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Whether the account book has all accounts of the cluster.
    pub fn has_complete_book(&self) -> bool {
        self.accounts().complete
    }

    /// Notes that the book of this run lacks accounts, unless a later one was written meanwhile.
    fn note_incomplete(&self, book_run: RunEpoch) {
        let mut mine = self.accounts();
        mine.complete &= book_run < mine.book_run;
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Each critical section is one plain assignment after another, so a poisoned lock is still
        // good.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
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
    books: Books,
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
        let books = Books::new(Arc::clone(&store));
        Self {
            store,
            books,
            maps: RwLock::default(),
            lookups: AtomicU64::new(0),
        }
    }

    pub fn insert(&self, row: ClusterRow) -> Arc<Entry> {
        let entry = Arc::new(Entry::new(row));
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if maps.by_id.insert(entry.id, Arc::clone(&entry)).is_none() {
            maps.ids.push(entry.id);
        }
        maps.by_prefix
            .insert(entry.prefix.clone(), Arc::clone(&entry));
        maps.by_name.insert(entry.name.clone(), Arc::clone(&entry));
        entry
    }

    pub fn remove(&self, entry: &Entry) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_id.remove(&entry.id);
        maps.ids.retain(|id| *id != entry.id);
        maps.by_prefix.remove(&entry.prefix);
        maps.by_name.remove(&entry.name);
        self.books.forget(entry.id);
    }

    pub fn by_id(&self, id: ClusterId) -> Option<Arc<Entry>> {
        self.maps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .get(&id)
            .cloned()
    }

    pub fn by_name(&self, name: &ClusterName) -> Option<Arc<Entry>> {
        self.maps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_name
            .get(name)
            .cloned()
    }

    /// By name, for a list.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self
            .maps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .values()
            .cloned()
            .collect();
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

    /// As [`Tenant::settled`]. `asleep` as for [`Register::tenant`].
    pub fn is_settled(entry: &Entry, asleep: bool) -> bool {
        asleep && entry.accounts().clean
    }

    /// The cluster as a login with this claim meets it. `asleep` is the engine's answer, and the
    /// engine must have been asked before this is called: a run that began meanwhile has taken
    /// `clean` away.
    pub async fn tenant(&self, entry: &Entry, asleep: bool, claim: &Claim) -> StoreResult<Tenant> {
        let known = *entry.accounts();
        // A book that is newer than `known` is as good: it was the truth at a later moment of this
        // login.
        let book = self
            .books
            .get(entry.id, known.book_run, &entry.book_read)
            .await?;
        if !book.accounts.is_complete() {
            entry.note_incomplete(book.run);
        }
        Ok(Tenant {
            cluster: entry.id,
            name: entry.name.clone(),
            prefix: entry.prefix.clone(),
            accounts: book.accounts.candidates(claim),
            settled: asleep && known.clean,
            recovering: !entry.recovery.is_done(),
            limits: entry.limits(),
        })
    }

    /// Accounts in memory.
    pub fn books(&self) -> &Books {
        &self.books
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
            // First, so that no login is judged by this copy from here on; undone only if no run
            // has begun.
            let was = entry
                .as_ref()
                .map(|e| std::mem::replace(&mut e.accounts().clean, false));
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
            self.store
                .end_run(cluster, run, Arc::clone(&accounts))
                .await
                .map_err(LedgerError::new)?;
            if let Some(entry) = self.by_id(cluster) {
                let complete = accounts.accounts.is_complete();
                self.books.put(cluster, accounts);
                let mut mine = entry.accounts();
                mine.book_run = run;
                mine.complete = complete;
                mine.clean |= mine.run == run;
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
mod tests {
    use super::*;
    use crate::store::{Reservation, SqliteStore, Strays};
    use futures_util::future::join_all;
    use std::time::Instant;
    use tidegate_model::{Account, Requirement};

    fn book(run: u64, user: &str) -> Arc<AccountBook> {
        let account = Account {
            user: user.to_owned(),
            host: "%".to_owned(),
            verifiers: vec![],
            locked: false,
            requires: Requirement::None,
        };
        let accounts = [account].into_iter().collect();
        Arc::new(AccountBook {
            accounts,
            run: RunEpoch(run),
            read_began: Some(Instant::now()),
        })
    }

    async fn one() -> (tempfile::TempDir, Register, Arc<Entry>) {
        let tmp = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&tmp.path().join("store.sqlite"))
            .await
            .unwrap();
        let wanted = Reservation {
            name: ClusterName::parse("demo").unwrap(),
            prefix: Prefix::random().unwrap(),
            created_unix: 0,
            engine: ClusterEngine::default(),
            limits: ClusterLimits::default(),
        };
        let row = store
            .reserve(&wanted, None, &Strays::default())
            .await
            .unwrap();
        let row = store.publish(row.id, &book(0, "root")).await.unwrap();
        let register = Register::new(Arc::new(store));
        let entry = register.insert(row);
        (tmp, register, entry)
    }

    fn claim() -> Claim {
        let names = ["root", "seen", "last"].map(str::to_owned).to_vec();
        Claim {
            names,
            client: "203.0.113.9".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_mismatch_is_a_verdict_only_between_runs() {
        let (_tmp, register, entry) = one().await;
        let tenant = async |asleep| register.tenant(&entry, asleep, &claim()).await.unwrap();
        assert!(tenant(true).await.settled && !tenant(false).await.settled);
        let run = register.begin_run(entry.id).await.unwrap();
        assert!(
            !tenant(true).await.settled,
            "whoever asked the engine before the run began learns it here"
        );
        register
            .save_accounts(entry.id, book(run.0, "seen"))
            .await
            .unwrap();
        assert!(!tenant(true).await.settled);
        assert_eq!(tenant(true).await.accounts[0].user, "seen");
        register
            .end_run(entry.id, run, book(run.0, "last"))
            .await
            .unwrap();
        let tenant = tenant(true).await;
        assert!(tenant.settled);
        assert_eq!(tenant.accounts[0].user, "last");
    }

    #[tokio::test]
    async fn a_run_that_could_not_be_noted_has_not_begun() {
        let (_tmp, register, entry) = one().await;
        assert!(
            register
                .tenant(&entry, true, &claim())
                .await
                .unwrap()
                .settled
        );
        register.store.close().await;
        assert!(register.begin_run(entry.id).await.is_err());
        assert!(
            register
                .tenant(&entry, true, &claim())
                .await
                .unwrap()
                .settled
        );
    }

    /// The stop of a large server: all awake clusters end their runs at once.
    #[tokio::test]
    async fn two_thousand_runs_end_together_in_a_few_transactions() {
        const CLUSTERS: usize = 2_000;
        let tmp = tempfile::tempdir().unwrap();
        let file = tmp.path().join("store.sqlite");
        let store = Arc::new(SqliteStore::open(&file).await.unwrap());
        let make = async |n: usize| {
            let wanted = Reservation {
                name: ClusterName::parse(&format!("c{n}")).unwrap(),
                prefix: Prefix::random().unwrap(),
                created_unix: 0,
                engine: ClusterEngine::default(),
                limits: ClusterLimits::default(),
            };
            let row = store
                .reserve(&wanted, None, &Strays::default())
                .await
                .unwrap();
            store.publish(row.id, &book(0, "root")).await.unwrap()
        };
        let rows = join_all((0..CLUSTERS).map(make)).await;
        let register = Register::new(Arc::clone(&store) as _);
        let ids: Vec<_> = rows
            .into_iter()
            .map(|row| register.insert(row).id)
            .collect();
        let runs = join_all(ids.iter().map(|id| register.begin_run(*id))).await;
        let before = store.commits();
        // Every tenth has new accounts, and one has as many as may be.
        let read = |n: usize| match n {
            7 => {
                let one = book(1, "app").accounts.iter().next().unwrap();
                let accounts = vec![one; 20_000].into_iter().collect();
                Arc::new(AccountBook {
                    accounts,
                    run: RunEpoch(1),
                    read_began: None,
                })
            }
            n if n % 10 == 0 => book(1, "app"),
            _ => book(1, "root"),
        };
        let ends = ids.iter().zip(&runs).enumerate();
        let ends = ends.map(|(n, (id, run))| register.end_run(*id, run.clone().unwrap(), read(n)));
        assert!(join_all(ends).await.iter().all(Result::is_ok));
        let commits = store.commits() - before;
        assert!(commits <= 20, "{commits} transactions for {CLUSTERS} runs");
        for id in &ids {
            let entry = register.by_id(*id).unwrap();
            assert!(
                register
                    .tenant(&entry, true, &claim())
                    .await
                    .unwrap()
                    .settled,
                "{id}"
            );
        }
        store.close().await;
        let store = SqliteStore::open(&file).await.unwrap();
        let rows = store.load().await.unwrap();
        assert_eq!(
            (rows.len(), rows.iter().filter(|row| row.awake).count()),
            (CLUSTERS, 0)
        );
        let first = async |n: usize| {
            store
                .book(ids[n])
                .await
                .unwrap()
                .accounts
                .iter()
                .next()
                .unwrap()
                .user
        };
        assert_eq!(store.book(ids[7]).await.unwrap().accounts.len(), 20_000);
        assert_eq!(
            (first(10).await.as_str(), first(11).await.as_str()),
            ("app", "root")
        );
    }

    #[tokio::test]
    async fn a_book_is_read_from_the_store_once_and_again_when_a_later_run_has_replaced_it() {
        let (_tmp, register, entry) = one().await;
        let reads = async || {
            register.tenant(&entry, true, &claim()).await.unwrap();
            register.books().reads_made()
        };
        assert_eq!((reads().await, reads().await), (1, 1));
        register.books().forget(entry.id);
        assert_eq!((reads().await, reads().await), (2, 2));
        // As if the store were ahead of the memory.
        let run = register.begin_run(entry.id).await.unwrap();
        register
            .store
            .end_run(entry.id, run, book(run.0, "last"))
            .await
            .unwrap();
        entry.accounts().book_run = run;
        assert_eq!(reads().await, 3);
        assert_eq!(
            register
                .tenant(&entry, true, &claim())
                .await
                .unwrap()
                .accounts[0]
                .user,
            "last"
        );
    }
}
