//! Driver of a MariaDB process: one per cluster, on a Unix socket that this room owns. It uses no
//! TCP, and a lock keeps two processes from using one data directory.

use crate::bound_task::BoundTask;
use crate::driver::{Driver, Repair, Run, RunUsage};
use crate::error::{EngineError, StartError};
use crate::limits::{LEAN_REDO_LOG, LOCK_RETRY, LOCK_WAIT};
use crate::local::accounts::init_sql::{FIRST_USER, RootSeed};
use crate::local::cgroup::{CgroupHome, EngineGroup, GroupLimits};
use crate::local::disk::{DiskGuard, DiskLevel, DiskQuotas, SpaceWatch};
use crate::local::events::EventCount;
use crate::local::folder::Folder;
use crate::local::past_runs::AllPastRuns;
use crate::local::remove_tree::remove_tree;
use crate::local::settings::LocalSettings;
use crate::local::socket::ClusterSockets;
use crate::local::space;
use crate::local::start::exec::Orders;
use crate::local::start::launch::unbound;
use crate::local::start::options;
use crate::local::start::program::Program;
use crate::local::start::spawner::Spawner;
use crate::local::uids::kill_processes;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tidegate_model::{
    BoxFuture, ClusterId, ClusterLimits, ClusterUsage, EngineAddress, RefusalKind, ServerVariables,
};

/// Text of a task that panicked.
pub const INSIDE: &str = "internal error; hint: see the server's log";

/// State that all MariaDB processes of this server share.
pub struct Local {
    /// The data directory.
    pub folder: PathBuf,
    pub settings: LocalSettings,
    pub program: Program,
    /// Program that writes the named time zones as SQL, if new clusters get them.
    pub zones: Option<PathBuf>,
    pub spawner: Spawner,
    pub cgroups: Arc<CgroupHome>,
    pub quotas: DiskQuotas,
    pub space: Arc<SpaceWatch>,
    pub past_runs: AllPastRuns,
}

/// Driver of one cluster.
pub struct LocalDriver {
    pub local: Arc<Local>,
    pub folder: Folder,
    pub sockets: ClusterSockets,
    pub cluster: ClusterId,
    /// Limits of the next start.
    pub limits: Mutex<ClusterLimits>,
    pub disk: Arc<DiskGuard>,
    /// CPU time of this cluster's runs that have ended.
    pub spent: Arc<AtomicU64>,
    pub events: Arc<EventCount>,
    /// Server variables of the next start. `None`: its run can't change them. A run that can takes
    /// two more statements to start, 5 ms.
    variables: Mutex<Option<ServerVariables>>,
    /// The repair that the next start begins with.
    asked_repair: Mutex<Option<(Repair, RootSeed)>>,
}

/// Why a cluster does not start whose engine was stopped on a full disk.
const STOPPED: &str = "its engine was stopped because its files grew most when the disk was nearly \
     full, and there is still too little room";

impl Driver for LocalDriver {
    fn prepare(&self) -> Result<(), StartError> {
        self.sockets.sessions().map(drop).map_err(unbound)
    }

    fn durable_start(&self) -> bool {
        true
    }

    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>> {
        Box::pin(async move {
            let run = Arc::new(self.start_run().await?);
            let watch = Arc::clone(&self.disk).watch(Arc::downgrade(&run));
            run.set_disk_watch(BoundTask::spawn(watch));
            Ok(run as Arc<dyn Run>)
        })
    }

    fn address(&self) -> EngineAddress {
        EngineAddress::Unix(self.sockets.path())
    }

    fn set_limits(&self, limits: &ClusterLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = *limits;
        self.disk.set_limit(limits.disk_max_bytes);
    }

    fn set_variables(&self, variables: Option<&ServerVariables>) {
        *self
            .variables
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = variables.cloned();
    }

    fn admit(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(async move {
            // The way out of a full disk: this start gives back what the cluster took.
            if !self.disk.is_shrinking() {
                // An engine that runs out of space while it starts waits for a minute before it
                // ends.
                if let Some(lack) = space::space_shortage(&self.local.folder) {
                    return Err(StartError::refused(RefusalKind::DiskFull, lack));
                }
                // With little more than the minimum it would be stopped again immediately.
                if self.disk.stays_stopped() {
                    return Err(StartError::refused(RefusalKind::DiskFull, STOPPED));
                }
            }
            match self.disk.level_at_start().await {
                Ok(DiskLevel::Closed) => Err(StartError::refused(
                    RefusalKind::DiskLimit,
                    self.disk.closed_reason(),
                )),
                Ok(_) => Ok(()),
                Err(e) => Err(StartError::caused("measuring its disk use", e)),
            }
        })
    }

    fn is_lack_of_space(&self, error: &StartError) -> bool {
        space::is_space_error(&error.report())
            || space::space_shortage(&self.local.folder).is_some()
    }

    fn allow_shrink(&self, time: Duration) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let measured = self.disk.allow_shrink(time).await;
            measured.map_err(EngineError::file("measuring", self.folder.root()))
        })
    }

    fn repair_accounts(&self, repair: Repair, user: &str, stage2: [u8; 20]) -> bool {
        // The operator's own account only: any other is the tenant's, and a name with a typing
        // error must not become an account with all privileges. A repair makes no room on a full
        // disk.
        if user != FIRST_USER || space::space_shortage(&self.local.folder).is_some() {
            return false;
        }
        let root = RootSeed {
            user: user.to_owned(),
            stage2,
            replace: true,
        };
        *self.asked_repair() = Some((repair, root));
        true
    }

    fn usage(&self, run: Option<Arc<dyn Run>>) -> BoxFuture<'_, ClusterUsage> {
        Box::pin(async move {
            let now = match run {
                Some(run) => run.usage().await,
                None => RunUsage {
                    memory_bytes: Some(0),
                    cpu_micros: Some(0),
                    tasks: Some(0),
                },
            };
            let spent = self.spent.load(Ordering::Acquire);
            let used = self.disk.used().await;
            ClusterUsage {
                disk_bytes: used.map(|used| used.bytes),
                files: used.map(|used| used.entries),
                files_max: used.map(|_| self.disk.files_max()),
                file_size_waits: self.disk.file_size_waits(),
                memory_bytes: now.memory_bytes,
                cpu_micros: now.cpu_micros.map(|micros| micros.saturating_add(spent)),
                tasks: now.tasks,
            }
        })
    }

    fn is_forgettable(&self) -> bool {
        !self.disk.has_lasting_state() && self.asked_repair().is_none()
    }

    fn last_events(&self) -> Option<u64> {
        self.events.get()
    }

    fn remove(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            self.local.past_runs.forget(self.cluster);
            if self.folder.root().exists() {
                self.kill_own_processes()
                    .await
                    .map_err(|e| EngineError::Remove(Arc::new(e)))?;
                // An engine that was just killed may still be on its way out.
                let lock = self.lock().await;
                let lock = lock.map_err(|e| EngineError::Remove(Arc::new(e)))?;
                let root = self.folder.root().to_owned();
                // Moved aside first: if the server is killed while it deletes, its next start
                // deletes the rest.
                let away = root.with_extension("removing");
                std::fs::rename(&root, &away).map_err(EngineError::file("moving aside", &root))?;
                drop(lock);
                let removed = tokio::task::spawn_blocking(move || remove_tree(&away)).await;
                removed
                    .map_err(EngineError::Inside)?
                    .map_err(EngineError::file("deleting", &root))?;
            }
            Ok(())
        })
    }
}

impl LocalDriver {
    pub fn new(
        local: Arc<Local>,
        folder: Folder,
        sockets: ClusterSockets,
        cluster: (ClusterId, ClusterLimits),
    ) -> Self {
        let (cluster, limits) = cluster;
        let past = local.past_runs.of(cluster);
        let disk = Arc::new(DiskGuard::new(
            cluster,
            &folder,
            (local.quotas.clone(), Arc::clone(&local.space)),
            limits.disk_max_bytes,
        ));
        Self {
            local,
            folder,
            sockets,
            cluster,
            limits: limits.into(),
            disk,
            spent: past.spent,
            events: past.events,
            variables: Mutex::new(None),
            asked_repair: Mutex::new(None),
        }
    }

    /// Ends every process of the cluster's user, where no other server has that user. The filter of
    /// system calls lets an engine start no process; this is the second wall.
    async fn kill_own_processes(&self) -> Result<(), StartError> {
        let claim = self.local.settings.uid_claim.as_ref();
        let Some(uid) = self
            .folder
            .uid()
            .filter(|uid| claim.is_some_and(|claim| claim.contains(*uid)))
        else {
            return Ok(());
        };
        let killed = tokio::task::spawn_blocking(move || kill_processes(uid)).await;
        killed
            .map_err(|e| StartError::caused(INSIDE, e))?
            .map_err(|e| StartError::caused("ending processes of an earlier run", e))
    }

    /// The cluster's own lock, which the engine inherits: never two of them on one data directory.
    pub(super) async fn lock(&self) -> Result<File, StartError> {
        let file = self
            .folder
            .open_lock()
            .map_err(|e| StartError::caused("its lock", e))?;
        let until = Instant::now() + LOCK_WAIT;
        let mut killed = false;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                    if !std::mem::replace(&mut killed, true) {
                        // One that outlived its server, since this is called only when no run is
                        // alive.
                        self.kill_own_processes().await?;
                    }
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(StartError::new(format!(
                        "another engine still runs on {}; end it, then try again",
                        self.folder.root().display()
                    )));
                }
                Err(e) => return Err(StartError::caused("its lock", e)),
            }
        }
    }

    pub(super) fn asked_repair(&self) -> MutexGuard<'_, Option<(Repair, RootSeed)>> {
        // Every critical section is one assignment.
        self.asked_repair
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the operator allows it to start in the little room that a full disk has.
    pub(super) fn is_lean(&self) -> bool {
        let space = self.local.space.space();
        self.disk.is_shrinking() && space.is_some_and(|space| space.lacks_bytes())
    }

    /// Server variables of the next start, if they were ever set.
    pub(super) fn variables(&self) -> Option<ServerVariables> {
        self.variables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn limits(&self) -> ClusterLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group of the next run, after everything that earlier runs left behind is dead.
    pub(super) async fn make_group(&self) -> io::Result<Option<EngineGroup>> {
        let cgroups = Arc::clone(&self.local.cgroups);
        let cluster = self.cluster;
        let limits = self.limits();
        let made = tokio::task::spawn_blocking(move || {
            if !cgroups.kill_cluster(cluster) {
                return Err(io::Error::other(
                    "a process of an earlier run can't be killed",
                ));
            }
            cgroups.make_group(cluster, GroupLimits::from(&limits))
        });
        made.await.map_err(io::Error::other)?
    }

    pub(super) fn orders(&self, group: Option<&EngineGroup>) -> Orders {
        let local = &self.local;
        let folder = &self.folder;
        let limits = self.limits();
        let mut args = options::run(
            &local.settings,
            &local.program,
            folder,
            limits.connections_max,
        );
        // As an option, because setting it after the start would allow writes for a moment.
        if self.disk.started_read_only() {
            args.push("--read-only=1".into());
        }
        // With the usual redo log InnoDB ends on a full disk with "preallocating ... failed"
        // (measured).
        if self.is_lean() {
            args.push(format!("--innodb-log-file-size={LEAN_REDO_LOG}").into());
        }
        let mut orders = orders(local, folder, args);
        orders.file_max = self.disk.file_max();
        orders.enter = group.map(EngineGroup::entrances).unwrap_or_default();
        orders.data_max = data_max(limits.memory_max_bytes);
        orders.tasks_max = limits.tasks_max;
        orders
    }
}

/// Private memory that an engine may ask for under a memory limit. Slightly below it, so that a
/// query gets an error where the group's killer would end the engine. What is asked for is more
/// than what is used (66 MB at the start, stacks for the most part), and page tables and the page
/// cache take the difference.
fn data_max(memory_max_bytes: u64) -> u64 {
    memory_max_bytes - memory_max_bytes / 32
}

/// Orders for the helper that every engine process shares.
pub fn orders(local: &Local, folder: &Folder, program_args: Vec<std::ffi::OsString>) -> Orders {
    Orders {
        parent: std::process::id(),
        uid: folder.uid(),
        write: vec![folder.data(), folder.tmp()],
        read: vec![
            folder.run(),
            folder.plugins(),
            folder.files(),
            local.program.share.clone(),
        ],
        landlock_abi_max: local.settings.landlock_abi_max,
        address_space_max: local.settings.address_space_max_bytes,
        program: local.program.binary.clone(),
        program_args,
        ..Orders::default()
    }
}
