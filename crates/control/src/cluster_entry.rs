//! A live cluster in memory.

use crate::imitation::ReadingSamples;
use crate::recovery_state::RecoveryState;
use crate::store::StoredCluster;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_model::{
    ClusterEngine, ClusterId, ClusterLimits, ClusterName, ClusterSettings, LiveSwitch, Prefix,
    RunEpoch,
};

/// A live cluster.
pub struct ClusterEntry {
    pub id: ClusterId,
    name: Mutex<ClusterName>,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    /// System user of its engine, if the server runs as root.
    pub uid: Option<u32>,
    limits: Mutex<ClusterLimits>,
    settings: Mutex<ClusterSettings>,
    /// As in its settings, for open sessions.
    pub ping_holds: LiveSwitch,
    /// Run that could not take the cluster's server variables; its next one does.
    variables_wait: Mutex<Option<RunEpoch>>,
    /// Version of its record in the store.
    version: AtomicU64,
    accounts: Mutex<BookState>,
    pub recovery: RecoveryState,
    /// Durations and results of its last readings.
    pub samples: ReadingSamples,
    /// Lock for operations that change this cluster.
    pub operation: Arc<tokio::sync::Mutex<()>>,
    /// Lock for reads of its accounts from the store.
    pub book_read: tokio::sync::Mutex<()>,
}

/// State of a cluster's stored book.
#[derive(Clone, Copy)]
pub struct BookState {
    /// Run in which the stored book was read.
    pub book_run: RunEpoch,
    /// Last run that was begun.
    pub run: RunEpoch,
    /// Whether that run has not ended cleanly, as far as the store knows.
    pub awake: bool,
    /// Whether the book has all accounts of the cluster, as far as is known.
    pub complete: bool,
}

impl BookState {
    /// Whether the stored book is that of the sleeping cluster, by the rule of
    /// [`HostRow::is_settled`](crate::store::HostRow::is_settled).
    pub fn is_settled(&self) -> bool {
        !self.awake && self.book_run == self.run
    }
}

impl ClusterEntry {
    pub fn new(found: StoredCluster) -> Self {
        let StoredCluster { row, host } = found;
        let clean = host.is_settled(row.book);
        let recovery = RecoveryState::new(clean);
        let accounts = BookState {
            book_run: row.book.run,
            run: host.run,
            awake: host.awake,
            complete: row.book.complete,
        };
        let ping_holds = LiveSwitch::default();
        ping_holds.set(row.settings.ping_holds);
        Self {
            id: row.id,
            name: Mutex::new(row.name),
            prefix: row.prefix,
            created_unix: row.created_unix,
            engine: row.engine,
            uid: host.uid,
            limits: Mutex::new(row.limits),
            settings: Mutex::new(row.settings),
            ping_holds,
            variables_wait: Mutex::new(None),
            version: AtomicU64::new(row.version),
            accounts: Mutex::new(accounts),
            recovery,
            samples: ReadingSamples::default(),
            operation: Arc::default(),
            book_read: tokio::sync::Mutex::default(),
        }
    }

    pub fn name(&self) -> ClusterName {
        self.name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets the name. The register calls it, which finds the cluster by its name.
    pub fn set_name(&self, name: ClusterName) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Version of the last change of its name, limits or settings.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Sets the version of a change that is stored.
    pub fn set_version(&self, version: u64) {
        self.version.store(version, Ordering::Release);
    }

    pub fn settings(&self) -> ClusterSettings {
        self.settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether logins may come from this address.
    pub fn allows_client(&self, client: IpAddr) -> bool {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.allows_client(client)
    }

    /// Sets the settings that logins, open sessions and lists see from now on.
    pub fn set_settings(&self, settings: ClusterSettings) {
        self.ping_holds.set(settings.ping_holds);
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Whether the present run could not take the server variables.
    pub fn variables_wait(&self) -> bool {
        let waits = *self
            .variables_wait
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waits.is_some_and(|run| run == self.accounts().run)
    }

    /// Notes whether the present run could not take the server variables.
    pub fn set_variables_wait(&self, waits: bool) {
        let run = waits.then(|| self.accounts().run);
        *self
            .variables_wait
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = run;
    }

    pub fn limits(&self) -> ClusterLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the limits that logins and lists see from now on.
    pub fn set_limits(&self, limits: ClusterLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Whether the account book has all accounts of the cluster.
    pub fn has_complete_book(&self) -> bool {
        self.accounts().complete
    }

    /// Notes that the book of this run is incomplete, unless a later one was written meanwhile.
    pub fn note_incomplete(&self, book_run: RunEpoch) {
        let mut mine = self.accounts();
        mine.complete &= book_run < mine.book_run;
    }

    pub fn accounts(&self) -> MutexGuard<'_, BookState> {
        // Every critical section consists of plain assignments, so a poisoned lock can still be
        // used.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
