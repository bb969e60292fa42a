//! Cache of account books, with a bound in bytes over all clusters. The least recently used book is
//! dropped first. Other books are read from the store when a login needs them.

use crate::limits::{BOOK_OVERHEAD, BOOK_READS_AT_ONCE, BOOKS_BYTES_MAX};
use crate::store::{Store, StoreError, StoreResult};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_model::{AccountBook, Accounts, ClusterId, ReadingOrder, RunEpoch};
use tokio::sync::Semaphore;

/// Cache of account books.
pub struct Books {
    store: Arc<dyn Store>,
    held: Mutex<BookCache>,
    /// Bounds the reads at once: each may use a few times the size of a book for a moment.
    reads: Semaphore,
    reads_made: AtomicU64,
}

#[derive(Default)]
struct BookCache {
    books: HashMap<ClusterId, (Arc<AccountBook>, u64)>,
    /// Clusters by last use.
    by_use: BTreeMap<u64, ClusterId>,
    uses: u64,
    bytes: usize,
}

impl BookCache {
    fn get(&mut self, id: ClusterId) -> Option<Arc<AccountBook>> {
        let (book, used) = self.books.get_mut(&id)?;
        self.uses += 1;
        // Kept ordered by use, so that the least recently used book is found without a search.
        self.by_use.remove(used);
        *used = self.uses;
        self.by_use.insert(self.uses, id);
        Some(Arc::clone(book))
    }

    fn put(&mut self, id: ClusterId, book: Arc<AccountBook>) {
        self.forget(id);
        self.uses += 1;
        self.bytes += size(&book);
        self.books.insert(id, (book, self.uses));
        self.by_use.insert(self.uses, id);
        while self.bytes > BOOKS_BYTES_MAX {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                return;
            };
            self.forget(*oldest);
        }
    }

    fn forget(&mut self, id: ClusterId) {
        if let Some((book, used)) = self.books.remove(&id) {
            self.by_use.remove(&used);
            self.bytes -= size(&book);
        }
    }
}

fn size(book: &AccountBook) -> usize {
    book.accounts.memory() + BOOK_OVERHEAD
}

impl Books {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            held: Mutex::default(),
            reads: Semaphore::new(BOOK_READS_AT_ONCE),
            reads_made: AtomicU64::new(0),
        }
    }

    fn held(&self) -> MutexGuard<'_, BookCache> {
        // No step between two assignments can fail, so a poisoned lock can still be used.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_memory(&self, id: ClusterId, not_before: RunEpoch) -> Option<Arc<AccountBook>> {
        self.held().get(id).filter(|book| book.run >= not_before)
    }

    /// Returns the book of a cluster from this run or a later one, from memory or else from the
    /// store. `own` is the cluster's lock for reads: many logins to one cluster cause one read, and
    /// leave the other permits to other clusters.
    pub async fn get(
        &self,
        id: ClusterId,
        not_before: RunEpoch,
        own: &tokio::sync::Mutex<()>,
    ) -> StoreResult<Arc<AccountBook>> {
        if let Some(book) = self.in_memory(id, not_before) {
            return Ok(book);
        }
        let _own = own.lock().await;
        // Another login may have read it during the wait.
        if let Some(book) = self.in_memory(id, not_before) {
            return Ok(book);
        }
        let _permit = self.reads.acquire().await.map_err(|_| StoreError::Closed)?;
        self.reads_made.fetch_add(1, Ordering::Relaxed);
        let book = match self.store.book(id).await {
            Err(StoreError::Corrupt { cluster, what }) => {
                let hint =
                    "`tidegate cluster wake NAME` or a new password reads the accounts again";
                tracing::error!(%cluster, what, hint, "the stored accounts of a cluster can't be \
                     read; nobody can log in to it while it sleeps");
                Arc::new(AccountBook {
                    accounts: Accounts::unknown(),
                    run: not_before,
                    order: ReadingOrder::default(),
                })
            }
            read => Arc::new(read?),
        };
        let mut held = self.held();
        // A book that was put meanwhile is newer.
        if let Some(newer) = held.get(id).filter(|held| held.run >= book.run) {
            return Ok(newer);
        }
        held.put(id, Arc::clone(&book));
        Ok(book)
    }

    /// Puts a complete book that has just been stored.
    pub fn put(&self, id: ClusterId, book: Arc<AccountBook>) {
        self.held().put(id, book);
    }

    /// Replaces the accounts of some users by those of a later reading. Does nothing if the book is
    /// not in memory; it is then read again when the cluster sleeps.
    pub fn learn(&self, id: ClusterId, users: &[String], fresh: &AccountBook) {
        let Some(old) = self.held().get(id) else {
            return;
        };
        // Readings may end in another order than they began.
        let later = (fresh.run, fresh.order) >= (old.run, old.order);
        if !later
            || !fresh.accounts.is_complete()
            || old.accounts.same_users(users, &fresh.accounts)
        {
            return;
        }
        let accounts = old.accounts.with_users(users, &fresh.accounts);
        let merged = Arc::new(AccountBook {
            accounts,
            run: fresh.run,
            order: fresh.order,
        });
        let mut held = self.held();
        // Merged without the lock. A book that was put meanwhile is newer and stays.
        if held.get(id).is_some_and(|now| Arc::ptr_eq(&now, &old)) {
            held.put(id, merged);
        }
    }

    pub fn forget(&self, id: ClusterId) {
        self.held().forget(id);
    }

    /// Bytes of all books in memory.
    pub fn memory(&self) -> usize {
        self.held().bytes
    }

    /// Reads of the store so far.
    pub fn reads_made(&self) -> u64 {
        self.reads_made.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;
    use crate::test_rows::live_cluster;
    use tidegate_model::limits::BOOK_BYTES_MAX;
    use tidegate_model::{Account, AccountsBuilder, Claim, Requirement, Verifier};

    fn account(user: &str, hash: u8) -> Account {
        Account {
            user: user.to_owned(),
            host: "%".to_owned(),
            verifiers: vec![Verifier::Native([hash; 20])],
            locked: false,
            requires: Requirement::None,
        }
    }

    /// A reading of the account `app` alone.
    fn reading(run: u64, hash: u8, order: u64) -> AccountBook {
        AccountBook {
            accounts: [account("app", hash)].into_iter().collect(),
            run: RunEpoch(run),
            order: ReadingOrder(order),
        }
    }

    struct Cluster {
        id: ClusterId,
        own: tokio::sync::Mutex<()>,
    }

    impl Books {
        async fn of(&self, cluster: &Cluster) -> Arc<AccountBook> {
            self.get(cluster.id, RunEpoch(0), &cluster.own)
                .await
                .unwrap()
        }
    }

    /// A book of the maximum size.
    fn full(run: u64) -> Arc<AccountBook> {
        let mut builder = AccountsBuilder::new(BOOK_BYTES_MAX);
        let long = "u".repeat(400);
        (0..).find(|n| !builder.push(&account(&format!("{long}{n}"), 1)));
        Arc::new(AccountBook {
            accounts: builder.finish(),
            run: RunEpoch(run),
            order: ReadingOrder::default(),
        })
    }

    async fn books() -> (tempfile::TempDir, Books, Vec<Cluster>) {
        let tmp = tempfile::tempdir().unwrap();
        let store = Arc::new(
            SqliteStore::open(&tmp.path().join("store.sqlite"))
                .await
                .unwrap(),
        );
        let mut ids = Vec::new();
        for n in 0..3 {
            let id = live_cluster(&store, &format!("c{n}"), &full(0))
                .await
                .row
                .id;
            ids.push(Cluster {
                id,
                own: tokio::sync::Mutex::default(),
            });
        }
        (tmp, Books::new(store), ids)
    }

    #[tokio::test]
    async fn all_books_together_stay_within_their_bound_and_the_oldest_is_read_again() {
        let (_tmp, books, ids) = books().await;
        books.of(&ids[0]).await;
        books.of(&ids[1]).await;
        let many = BOOKS_BYTES_MAX / BOOK_BYTES_MAX + 3;
        let book = full(0);
        for n in 0..many {
            // A book that is in use stays.
            books.of(&ids[0]).await;
            books.put(ClusterId(100 + n as u64), Arc::clone(&book));
            assert!(books.memory() <= BOOKS_BYTES_MAX);
        }
        assert!(books.memory() > BOOKS_BYTES_MAX - 2 * BOOK_BYTES_MAX);
        assert_eq!(books.reads_made(), 2);
        books.of(&ids[1]).await;
        assert_eq!(books.reads_made(), 3, "the one that nobody used had to go");
        for n in 0..many {
            books.forget(ClusterId(100 + n as u64));
        }
        books.forget(ids[0].id);
        books.forget(ids[1].id);
        assert_eq!((books.memory(), books.held().by_use.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_crowd_at_the_door_reads_each_book_once() {
        let (_tmp, books, ids) = books().await;
        let crowd = (0..200).map(|n| books.of(&ids[n % 3]));
        for book in futures_util::future::join_all(crowd).await {
            assert!(!book.accounts.is_empty());
        }
        assert_eq!(books.reads_made(), 3);
    }

    #[tokio::test]
    async fn a_crowd_at_one_cluster_takes_no_read_from_another() {
        let (_tmp, books, ids) = books().await;
        // Simulates a read of the first cluster that never ends.
        let slow = ids[0].own.lock().await;
        let mut crowd = Box::pin(futures_util::future::join_all(
            (0..200).map(|_| books.of(&ids[0])),
        ));
        tokio::select! {
            biased;
            _ = &mut crowd => panic!("its own read is still under way"),
            _ = books.of(&ids[1]) => {}
        }
        drop(slow);
        assert_eq!(crowd.await.len(), 200);
        assert_eq!(books.reads_made(), 2);
    }

    #[tokio::test]
    async fn a_fresh_reading_of_some_users_changes_those_and_an_older_one_nothing() {
        let (_tmp, books, ids) = books().await;
        let users = ["app".to_owned()];
        books.learn(ids[0].id, &users, &reading(1, 7, 1));
        assert_eq!(
            books.reads_made(),
            0,
            "a book that is not in memory is left alone"
        );
        let small = AccountBook {
            accounts: [account("root", 1)].into_iter().collect(),
            ..reading(0, 1, 0)
        };
        books.put(ids[0].id, Arc::new(small));
        let claim = Claim {
            names: vec!["app".to_owned()],
            client: "203.0.113.9".parse().unwrap(),
        };
        for (fresh, expected, why) in [
            (reading(1, 7, 2), 7, "a later reading"),
            (reading(1, 8, 1), 7, "an older one comes too late"),
            (
                reading(2, 9, 1),
                9,
                "a later run goes before a larger number",
            ),
        ] {
            books.learn(ids[0].id, &users, &fresh);
            let book = books.of(&ids[0]).await;
            assert!(book.accounts.has_user("root"));
            let verifiers = book.accounts.candidates(&claim)[0].verifiers.clone();
            assert_eq!(verifiers, [Verifier::Native([expected; 20])], "{why}");
        }
    }
}
