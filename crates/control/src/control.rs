//! The server's records and engines, opened once per server: store, register, engines, and the
//! recovery pass of a start. The operations are in `operations`.

use crate::cluster_entry::ClusterEntry;
use crate::credentials::Credentials;
use crate::datadir::DataDir;
use crate::engine_error::engine_failed;
use crate::error::ControlError;
use crate::operation_step::AfterStep;
use crate::recovery::recover_all;
use crate::register::Register;
use crate::requests::{ExecutedRequest, RunningRequests};
use crate::settings::{ControlSettings, WebSessionLife};
use crate::store::{
    ClusterRow, HostRow, OPERATOR, Phase, SqliteStore, Store, StoredCluster, UnknownFolders,
};
use crate::uids::Uids;
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_engine::{ClusterSpec, Engines};
use tidegate_model::{ClusterId, ClusterLimits, Journal, KindDescription, Sessions};
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
    strays: UnknownFolders,
    limits: ClusterLimits,
    web: WebSessionLife,
    after_step: Option<AfterStep>,
    journal: Arc<dyn Journal>,
    recovered: watch::Receiver<bool>,
    stopping: AtomicBool,
    running_requests: RunningRequests,
}

impl Control {
    /// Opens the data directory, finishes or undoes the operations that a crash interrupted, and
    /// starts the recovery pass in the background (see [`Control::is_recovered`]).
    pub async fn open(
        dir: DataDir,
        settings: ControlSettings,
        sessions: Sessions,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, ControlError> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.store()).await?);
        store.ensure_operator(OPERATOR, now_unix()).await?;
        let mut rows = load_clusters(&*store).await?;
        let mut engine = settings.engine;
        let uids = Uids::open(&settings.uids, &rows, &dir)?;
        let strays = find_strays(&dir.engines(), &rows);
        if let Some(uids) = &uids {
            // Before the rows are adopted, so that engines start with the new numbers.
            uids.move_to_range(&*store, &mut rows, &strays).await?;
            engine.local.uid_claim = Some(uids.range());
        }
        let register = Arc::new(Register::new(Arc::clone(&store)));
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
        };
        let control = Self {
            inner: Arc::new(inner),
            request: None,
            wanted_version: None,
        };
        control.load_credentials().await?;
        control.warn_of_widened_keys();
        let unclean = control.adopt_rows(rows).await?;
        let recovered = recover_all(control.inner.engines.clone(), unclean, done);
        let this = control.clone();
        tokio::spawn(async move {
            recovered.await;
            for entry in this.register().all() {
                this.keep_awake(&entry);
            }
        });
        Ok(control)
    }

    /// Adds live clusters to the register and the engines, and removes the others. Returns those
    /// that need recovery.
    async fn adopt_rows(
        &self,
        rows: Vec<StoredCluster>,
    ) -> Result<Vec<Arc<ClusterEntry>>, ControlError> {
        let mut unclean = Vec::new();
        let mut half_made = Vec::new();
        for found in rows {
            let StoredCluster { row, host } = &found;
            match row.phase {
                Phase::Live => {
                    let clean = host.is_settled(row.book);
                    self.inner
                        .engines
                        .adopt(spec(row, host.uid), clean)
                        .await
                        .map_err(engine_failed)?;
                    let entry = self.inner.register.insert(found);
                    let variables = entry.settings().engine_variables();
                    if !variables.is_empty() {
                        self.keep_variables(&entry, Some(&variables));
                    }
                    if !clean {
                        unclean.push(entry);
                    }
                }
                Phase::Creating | Phase::Deleting => half_made.push(found),
                Phase::Gone => {}
            }
        }
        self.undo_half_made(half_made).await?;
        self.end_password_changes().await?;
        Ok(unclean)
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

    pub(crate) fn strays(&self) -> &UnknownFolders {
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

/// Reads all clusters, each with what this host knows of it.
async fn load_clusters(store: &dyn Store) -> Result<Vec<StoredCluster>, ControlError> {
    let rows = store.load().await?.clusters;
    let hosts = store.host_rows().await?;
    let mut hosts: HashMap<_, _> = hosts.into_iter().map(|host| (host.cluster, host)).collect();
    let with_host = |row: ClusterRow| StoredCluster {
        host: hosts.remove(&row.id).unwrap_or(HostRow::new(row.id)),
        row,
    };
    Ok(rows.into_iter().map(with_host).collect())
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

/// Finds directories of clusters that the store doesn't have: of an older store, or a copy. They
/// are not touched, but their numbers and owners are not given to new clusters.
fn find_strays(engines: &Path, rows: &[StoredCluster]) -> UnknownFolders {
    let known: HashSet<ClusterId> = rows.iter().map(|found| found.row.id).collect();
    let mut strays = UnknownFolders::default();
    for entry in std::fs::read_dir(engines).into_iter().flatten().flatten() {
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u64>().ok().map(ClusterId));
        let Some(id) = id.filter(|id| !known.contains(id)) else {
            continue;
        };
        tracing::warn!(path = %entry.path().display(), "this directory belongs to no cluster; it \
             is not touched");
        strays.ids.insert(id);
        if let Ok(meta) = entry.metadata() {
            strays.uids.insert(meta.uid());
        }
    }
    strays
}
