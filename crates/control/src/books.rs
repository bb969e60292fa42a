//! Account books in memory: a bounded number of bytes over all clusters, the least recently used one goes first. The
//! others are read from the store when a login needs them.

use crate::limits::{BOOK_OVERHEAD, BOOK_READS_AT_ONCE, BOOKS_BYTES_MAX};
use crate::store::{Store, StoreError, StoreResult};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_model::{AccountBook, Accounts, ClusterId, RunEpoch};
use tokio::sync::Semaphore;

pub struct Books {
    store: Arc<dyn Store>,
    held: Mutex<Held>,
    /// Each read may take a few times the size of a book for a moment.
    reads: Semaphore,
    reads_made: AtomicU64,
}

#[derive(Default)]
struct Held {
    books: HashMap<ClusterId, (Arc<AccountBook>, u64)>,
    /// Clusters by the moment of last use.
    by_use: BTreeMap<u64, ClusterId>,
    uses: u64,
    bytes: usize,
}

impl Held {
    fn get(&mut self, id: ClusterId) -> Option<Arc<AccountBook>> {
        let (book, used) = self.books.get_mut(&id)?;
        self.uses += 1;
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
            let Some((_, oldest)) = self.by_use.first_key_value() else { return };
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
        Self { store, held: Mutex::default(), reads: Semaphore::new(BOOK_READS_AT_ONCE), reads_made: AtomicU64::new(0) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // No step between two assignments can fail, so a poisoned lock is still good.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The book of a cluster, from memory or else from the store, of this run or a later one.
    pub async fn get(&self, id: ClusterId, not_before: RunEpoch) -> StoreResult<Arc<AccountBook>> {
        let in_memory = || self.held().get(id).filter(|book| book.run >= not_before);
        if let Some(book) = in_memory() {
            return Ok(book);
        }
        let _permit = self.reads.acquire().await.map_err(|_| StoreError::Closed)?;
        // Somebody else may have read it while this one waited.
        if let Some(book) = in_memory() {
            return Ok(book);
        }
        self.reads_made.fetch_add(1, Ordering::Relaxed);
        let book = match self.store.book(id).await {
            Err(StoreError::Corrupt { cluster, what }) => {
                let hint = "`tidegate cluster wake NAME`, or a new password, reads the accounts anew";
                tracing::error!(%cluster, what, hint, "the stored accounts of a cluster can't be read; nobody can log in to it while it sleeps");
                Arc::new(AccountBook { accounts: Accounts::unknown(), run: not_before, read_began: None })
            }
            read => Arc::new(read?),
        };
        let mut held = self.held();
        // A reading that came in meanwhile is newer.
        if let Some(newer) = held.get(id).filter(|held| held.run >= book.run) {
            return Ok(newer);
        }
        held.put(id, Arc::clone(&book));
        Ok(book)
    }

    /// Keeps a whole book that has just been stored.
    pub fn put(&self, id: ClusterId, book: Arc<AccountBook>) {
        self.held().put(id, book);
    }

    /// Takes over the accounts of some users from a later reading of these users. Does nothing if the book is not in
    /// memory: it is then read again when the cluster sleeps.
    pub fn learn(&self, id: ClusterId, users: &[String], fresh: &AccountBook) {
        let Some(old) = self.held().get(id) else { return };
        let later = (fresh.run, fresh.read_began) >= (old.run, old.read_began);
        if !later || !fresh.accounts.is_complete() || old.accounts.same_users(users, &fresh.accounts) {
            return;
        }
        let accounts = old.accounts.with_users(users, &fresh.accounts);
        let merged = Arc::new(AccountBook { accounts, run: fresh.run, read_began: fresh.read_began });
        let mut held = self.held();
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
