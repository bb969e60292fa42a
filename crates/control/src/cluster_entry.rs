//! One live cluster in memory.

use crate::imitation::ReadingSamples;
use crate::recovery_state::RecoveryState;
use crate::store::ClusterRow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_model::{ClusterEngine, ClusterId, ClusterLimits, ClusterName, Prefix, RunEpoch};

/// One live cluster.
pub struct ClusterEntry {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    limits: Mutex<ClusterLimits>,
    accounts: Mutex<BookState>,
    pub recovery: RecoveryState,
    /// How its last readings went.
    pub samples: ReadingSamples,
    /// Held by the operation that changes this cluster.
    pub operation: Arc<tokio::sync::Mutex<()>>,
    /// Held while its accounts are read from the store.
    pub book_read: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
pub struct BookState {
    /// The run that the stored book was read in.
    pub book_run: RunEpoch,
    /// The last run that was begun here.
    pub run: RunEpoch,
    /// That run has ended cleanly, and the stored book was read at its end.
    pub clean: bool,
    /// The book has all accounts of the cluster, as far as is known.
    pub complete: bool,
}

impl ClusterEntry {
    pub fn new(row: ClusterRow) -> Self {
        let recovery = RecoveryState::new(!row.awake);
        let accounts = BookState {
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
            samples: ReadingSamples::default(),
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
    pub fn note_incomplete(&self, book_run: RunEpoch) {
        let mut mine = self.accounts();
        mine.complete &= book_run < mine.book_run;
    }

    pub fn accounts(&self) -> MutexGuard<'_, BookState> {
        // Each critical section is one plain assignment after another, so a poisoned lock is still
        // good.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
