//! The server's records and engines, opened once per server: store, register, engines, and the
//! work that a start begins (`startup`). The operations are in `operations`.

use crate::cluster_entry::ClusterEntry;
use crate::credentials::Credentials;
use crate::datadir::DataDir;
use crate::engine_error::engine_failed;
use crate::error::ControlError;
use crate::operation_step::AfterStep;
use crate::register::Register;
use crate::requests::{ExecutedRequest, RunningRequests};
use crate::settings::{ControlSettings, WebSessionLife};
use crate::store::{ClusterRow, OPERATOR, SqliteStore, Store};
use crate::stray_folders::StrayFolders;
use crate::uids::Uids;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_engine::{ClusterSpec, Engines};
use tidegate_model::{ClusterLimits, Journal, KindDescription, Sessions};
use tokio::sync::watch;

/// Records and engines of a server. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
    /// The request with an idempotency key that the operations are for.
    request: Option<Arc<ExecutedRequest>>,
    /// Version that a cluster must have which an operation changes.
    wanted_version: Option<u64>,
}

struct Inner {
    dir: DataDir,
    store: Arc<dyn Store>,
    credentials: Credentials,
    register: Arc<Register>,
    engines: Engines,
    sessions: Sessions,
    uids: Option<Uids>,
    strays: StrayFolders,
    limits: ClusterLimits,
    web: WebSessionLife,
    after_step: Option<AfterStep>,
    journal: Arc<dyn Journal>,
    recovered: watch::Receiver<bool>,
    stopping: AtomicBool,
    running_requests: RunningRequests,
    list_rows_read: AtomicU64,
}

impl Control {
    /// Opens the data directory, finishes or undoes the operations that a crash interrupted, and
    /// starts the recovery pass in the background (see [`Control::is_recovered`]). Reads no cluster
    /// that sleeps settled.
    pub async fn open(
        dir: DataDir,
        settings: ControlSettings,
        sessions: Sessions,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, ControlError> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.store()).await?);
        store.ensure_operator(OPERATOR, now_unix()).await?;
        let register = Arc::new(Register::open(Arc::clone(&store)).await?);
        let strays = StrayFolders::new(dir.engines(), Arc::clone(&register), Arc::clone(&store));
        let mut engine = settings.engine;
        let uids = Uids::open(&settings.uids, &*store, &register, &dir).await?;
        if let Some(uids) = &uids {
            // Before any cluster is read, so that engines start with the new numbers.
            uids.move_to_range(&*store, &register, &strays).await?;
            engine.local.uid_claim = Some(uids.range());
        }
        let engines = Engines::open(engine, Arc::clone(&register) as _, Arc::clone(&journal))
            .await
            .map_err(engine_failed)?;
        let (done, recovered) = watch::channel(false);
        let inner = Inner {
            dir,
            store,
            credentials: Credentials::default(),
            register,
            engines,
            sessions,
            uids,
            strays,
            limits: settings.limits,
            web: settings.web,
            after_step: settings.after_step,
            journal,
            recovered,
            stopping: false.into(),
            running_requests: RunningRequests::default(),
            list_rows_read: 0.into(),
        };
        let control = Self {
            inner: Arc::new(inner),
            request: None,
            wanted_version: None,
        };
        control.load_credentials().await?;
        control.warn_of_widened_keys();
        control.begin(done).await?;
        Ok(control)
    }

    /// Wakes a cluster that never sleeps, in the background. The engines start a bounded number at
    /// a time.
    pub(crate) fn keep_awake(&self, entry: &Arc<ClusterEntry>) {
        if !entry.limits().never_sleeps() || self.stopping() {
            return;
        }
        let engines = self.inner.engines.clone();
        let id = entry.id;
        tokio::spawn(async move {
            // A failure is in the cluster's state; the next login tries again.
            if let Err(error) = engines.wake(id).await {
                let error = error.report();
                tracing::warn!(cluster = %id, error, "a cluster that never sleeps could not be \
                     woken");
            }
        });
    }

    /// Logged once only: at the start that gave the existing keys their scope.
    fn warn_of_widened_keys(&self) {
        let keys = self.inner.store.keys_widened();
        if keys > 0 {
            tracing::warn!(
                keys,
                "API keys have scopes now. Existing keys keep full access (scope all): \
                 `tidegate key list` shows them"
            );
        }
    }

    /// Whether the recovery of every cluster that was found without a clean sleep has ended,
    /// successfully or not.
    pub fn is_recovered(&self) -> bool {
        *self.inner.recovered.borrow()
    }

    pub fn default_limits(&self) -> ClusterLimits {
        self.inner.limits
    }

    /// Stops all engines cleanly, then closes the store. Operations are refused from now on.
    pub async fn shutdown(&self) {
        self.inner.stopping.store(true, Ordering::Release);
        // The engines first: each records its accounts and its clean sleep in the store.
        self.inner.engines.shutdown().await;
        self.inner.store.close().await;
    }

    /// Engines, which implement the gateway's `Waker`.
    pub fn engines(&self) -> &Engines {
        &self.inner.engines
    }

    /// Kinds of engines that a cluster can have, the default first.
    pub fn engine_kinds(&self) -> impl Iterator<Item = &'static KindDescription> {
        self.inner.engines.kinds()
    }

    pub fn data(&self) -> &DataDir {
        &self.inner.dir
    }

    /// Number of lookups that logins have caused. A test checks that known and unknown prefixes
    /// cause the same number.
    pub fn lookups(&self) -> u64 {
        self.inner.register.lookups()
    }

    /// Clusters in memory of this room and of the engines. Bounded, except for those in use.
    pub fn clusters_in_memory(&self) -> (usize, usize) {
        let engines = self.inner.engines.in_memory_count();
        (self.inner.register.entries(), engines)
    }

    /// Number of clusters that have been read from the store, lists left out.
    pub fn cluster_reads(&self) -> u64 {
        self.inner.register.loads_made()
    }

    /// Number of clusters that lists have read from the store.
    pub fn list_rows_read(&self) -> u64 {
        self.inner.list_rows_read.load(Ordering::Relaxed)
    }

    pub(crate) fn count_list_rows(&self, rows: usize) {
        let read = &self.inner.list_rows_read;
        read.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Bytes of account books in memory.
    pub fn books_memory(&self) -> usize {
        self.inner.register.books().memory()
    }

    /// Number of books that logins have read from the store.
    pub fn book_reads(&self) -> u64 {
        self.inner.register.books().reads_made()
    }

    pub(crate) fn register(&self) -> &Register {
        &self.inner.register
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    /// Reason why no cluster can be woken because the disk of the data directory is full. `None` if
    /// it is not full.
    pub fn disk_full(&self) -> Option<String> {
        let lack = self.inner.engines.lacks_space();
        lack.or_else(|| {
            let waits = self.inner.store.is_disk_full();
            waits.then(|| "records of clusters wait for disk space".to_owned())
        })
    }

    pub(crate) fn web(&self) -> WebSessionLife {
        self.inner.web
    }

    pub(crate) fn after_step(&self) -> Option<AfterStep> {
        self.inner.after_step
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        &*self.inner.journal
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// User numbers for engines, if the server runs as root.
    pub(crate) fn uids(&self) -> Option<&Uids> {
        self.inner.uids.as_ref()
    }

    pub(crate) fn strays(&self) -> &StrayFolders {
        &self.inner.strays
    }

    /// Returns the server whose operations are for a request with an idempotency key.
    pub(crate) fn for_request(&self, request: Arc<ExecutedRequest>) -> Self {
        Self {
            request: Some(request),
            ..self.clone()
        }
    }

    /// Returns the server whose operations change a cluster only if it has this version, if one is
    /// given. They fail with `stale` otherwise.
    pub fn at_version(&self, version: Option<u64>) -> Self {
        Self {
            wanted_version: version,
            ..self.clone()
        }
    }

    pub(crate) fn wanted_version(&self) -> Option<u64> {
        self.wanted_version
    }

    /// The request with an idempotency key that the operations are for.
    pub(crate) fn executed_request(&self) -> Option<&ExecutedRequest> {
        self.request.as_deref()
    }

    pub(crate) fn running_requests(&self) -> &RunningRequests {
        &self.inner.running_requests
    }

    pub(crate) fn stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Acquire)
    }
}

/// Parameters of a cluster's engine, with the system user that it runs as.
pub(crate) fn spec(row: &ClusterRow, uid: Option<u32>) -> ClusterSpec {
    ClusterSpec {
        id: row.id,
        name: row.name.clone(),
        engine: row.engine.clone(),
        uid,
        limits: row.limits,
    }
}

pub(crate) fn now_unix() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
