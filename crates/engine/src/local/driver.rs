//! The local driver: one MariaDB process per cluster, on a Unix socket that this room owns. Never
//! TCP, never two processes on one data directory.

use crate::driver::{Driver, Run, RunUsage};
use crate::error::{EngineError, StartError};
use crate::limits::{LOCK_RETRY, LOCK_WAIT};
use crate::local::admin_line::AdminLine;
use crate::local::cgroup::{CgroupHome, EngineGroup, GroupLimits};
use crate::local::disk::{DiskGuard, DiskLevel, DiskQuotas};
use crate::local::engine_log::{self, log_tail};
use crate::local::exec::Orders;
use crate::local::folder::Folder;
use crate::local::init_sql::{FIRST_USER, RootSeed, init_sql};
use crate::local::process::{End, Process, RunGroup};
use crate::local::program::{Program, major};
use crate::local::run::{LocalRun, first_login};
use crate::local::secret::AdminSecret;
use crate::local::settings::LocalSettings;
use crate::local::socket::{ClusterSockets, Listener};
use crate::local::spawner::{Luggage, Spawner};
use crate::local::uids::{kill_processes, settle_ownership};
use crate::local::{handover, options, repair, seed, space};
use crate::tasks::Beside;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tidegate_model::{
    BoxFuture, ClusterId, ClusterLimits, ClusterUsage, EngineAddress, RefusalKind,
};
use tokio::net::UnixStream;

/// What all local engines of this server share.
pub struct Local {
    /// The data directory.
    pub folder: PathBuf,
    pub settings: LocalSettings,
    pub program: Program,
    pub spawner: Spawner,
    pub cgroups: Arc<CgroupHome>,
    pub quotas: DiskQuotas,
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
}

impl Driver for LocalDriver {
    fn prepare(&self) -> Result<(), StartError> {
        self.sockets.sessions().map(drop).map_err(unbound)
    }

    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>> {
        Box::pin(async move {
            let run = Arc::new(self.start_run().await?);
            let watch = Arc::clone(&self.disk).watch(Arc::downgrade(&run));
            run.set_disk_watch(Beside::spawn(watch));
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

    fn admit(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(async move {
            if let Some(lack) = space::lack_below(&self.local.folder) {
                return Err(StartError::refused(RefusalKind::DiskFull, lack));
            }
            match self.disk.level_at_start().await {
                Ok(DiskLevel::Closed) => Err(StartError::refused(
                    RefusalKind::DiskLimit,
                    self.disk.closed_reason(),
                )),
                Ok(_) => Ok(()),
                Err(e) => Err(StartError::new(format!("measuring its disk use: {e}"))),
            }
        })
    }

    fn is_lack_of_space(&self, error: &StartError) -> bool {
        space::is_lack(&error.reason) || space::lack_below(&self.local.folder).is_some()
    }

    fn allow_shrink(&self, time: Duration) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let measured = self.disk.allow_shrink(time).await;
            measured.map_err(EngineError::file("measuring", self.folder.root()))
        })
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
            ClusterUsage {
                disk_bytes: self.disk.used().await.map(|used| used.bytes),
                memory_bytes: now.memory_bytes,
                cpu_micros: now.cpu_micros.map(|micros| micros.saturating_add(spent)),
                tasks: now.tasks,
            }
        })
    }

    fn remove(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            if self.folder.root().exists() {
                self.kill_own_processes().await?;
                // An engine that was just killed may still be on its way out.
                let lock = self.lock().await.map_err(|e| e.reason)?;
                let root = self.folder.root().to_owned();
                let away = root.with_extension("removing");
                std::fs::rename(&root, &away).map_err(|e| format!("{}: {e}", root.display()))?;
                drop(lock);
                let removed =
                    tokio::task::spawn_blocking(move || std::fs::remove_dir_all(&away)).await;
                removed
                    .map_err(|e| e.to_string())?
                    .map_err(|e| format!("{}: {e}", root.display()))?;
            }
            Ok(())
        })
    }
}

/// Why an engine is not up.
struct NotUp {
    error: StartError,
    /// The engine's own tables may be the cause: a tenant can change them.
    own_tables: bool,
}

impl From<StartError> for NotUp {
    fn from(error: StartError) -> Self {
        Self {
            error,
            own_tables: false,
        }
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
        let disk = Arc::new(DiskGuard::new(
            cluster,
            &folder,
            local.quotas.clone(),
            limits.disk_max_bytes,
        ));
        Self {
            local,
            folder,
            sockets,
            cluster,
            limits: limits.into(),
            disk,
            spent: Arc::default(),
        }
    }

    async fn start_run(&self) -> Result<LocalRun, StartError> {
        self.check_version()?;
        let lock = self.lock().await?;
        self.settle_ownership().await?;
        let root = seed::read(&self.folder).map_err(failed("reading the first password's hash"))?;
        let run = match self.launch(&lock, root.as_ref()).await {
            Ok(run) => run,
            Err(NotUp {
                error,
                own_tables: false,
            }) => return Err(error),
            Err(NotUp {
                error,
                own_tables: true,
            }) => {
                let folder = self.folder.root().display();
                tracing::warn!(%folder, reason = error.reason, "the engine's own tables are repaired");
                let group = self
                    .make_group()
                    .await
                    .map_err(failed("making its control group"))?;
                let group = group.map(|group| RunGroup {
                    group,
                    spent: Arc::clone(&self.spent),
                });
                repair::system_tables(&self.local, &self.folder, &lock, group).await?;
                // Where its root is lost, it comes back with a password that nobody has.
                let lost = RootSeed {
                    user: FIRST_USER.to_owned(),
                    stage2: random_secret()?.stage2(),
                };
                self.launch(&lock, Some(root.as_ref().unwrap_or(&lost)))
                    .await
                    .map_err(|e| e.error)?
            }
        };
        self.settle_first_run(&run, root.as_ref()).await?;
        Ok(run)
    }

    /// Starts the process and logs in to it. `root` is made in the engine if it is not there.
    async fn launch(&self, lock: &File, root: Option<&RootSeed>) -> Result<LocalRun, NotUp> {
        self.folder
            .empty_tmp()
            .map_err(failed("emptying its folder for temporary files"))?;
        let secret = random_secret()?;
        let sql = init_sql(&secret, root)
            .ok_or_else(|| StartError::new("the first user's name is unusable"))?;
        self.folder
            .write_init_sql(&sql)
            .map_err(failed("writing init.sql"))?;
        let (log, log_start) = self.folder.open_log().map_err(failed("opening its log"))?;
        let log_watch = Beside::spawn(engine_log::watch(self.folder.clone()));
        let sessions = self.sockets.sessions().map_err(unbound)?;
        let extra = self.sockets.extra().map_err(unbound)?;
        // Before the engine exists, so that its greeting to this connection says "ready".
        let stream = UnixStream::connect(&extra.file.path)
            .await
            .map_err(failed("its extra socket"))?;
        let parcel = handover::pack([sessions.fd.as_fd(), extra.fd.as_fd()])
            .map_err(failed("its sockets"))?;
        let lock = lock.try_clone().map_err(failed("its lock"))?;
        let luggage = Luggage {
            stdin: parcel,
            stdout: lock.into(),
            stderr: log.into(),
        };
        let group = self
            .make_group()
            .await
            .map_err(failed("making its control group"))?;
        let orders = self.orders(group.as_ref());
        let group = group.map(|group| RunGroup {
            group,
            spent: Arc::clone(&self.spent),
        });
        let process = Process::spawn(&self.local.spawner, &orders, luggage, group).await;
        let process = process.map_err(failed("starting a process"))?;
        // Ours is closed, so that a connection to an engine that is gone fails instead of waiting
        // for ever.
        let Listener { fd, file } = extra;
        drop(fd);
        let admin = tokio::select! {
            admin = first_login(stream, &secret) => admin,
            end = process.ended() => return Err(self.explain(&end, log_start)),
        };
        match admin {
            Ok(admin) => {
                let admin = AdminLine::new(file.path.clone(), secret, admin);
                Ok(LocalRun::new(process, admin, file, log_watch))
            }
            // Its end and the lost connection come together: the end explains more.
            Err(reason) => match tokio::time::timeout(LOCK_RETRY, process.ended()).await {
                Ok(end) => Err(self.explain(&end, log_start)),
                Err(_) => Err(NotUp {
                    error: StartError::new(format!("{reason}; {}", self.log_tail(log_start))),
                    own_tables: true,
                }),
            },
        }
    }

    /// Hands the files over if the cluster has got another user since it last ran.
    async fn settle_ownership(&self) -> Result<(), StartError> {
        let folder = self.folder.clone();
        let settled = tokio::task::spawn_blocking(move || settle_ownership(&folder)).await;
        let moved = settled.map_err(|e| StartError::new(e.to_string()))?;
        if moved
            .map_err(|e| StartError::new(format!("giving its files to the engine's user: {e}")))?
        {
            tracing::info!(folder = %self.folder.root().display(), "a cluster's files belong to another user now");
        }
        Ok(())
    }

    /// Ends every process of the cluster's user, where no other server has that user. The filter of
    /// system calls lets an engine start no process; this is the second wall.
    async fn kill_own_processes(&self) -> Result<(), String> {
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
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())
    }

    /// The root of a new cluster is in the engine before its seed is forgotten.
    async fn settle_first_run(
        &self,
        run: &LocalRun,
        root: Option<&RootSeed>,
    ) -> Result<(), StartError> {
        if let Some(root) = root {
            let user = std::slice::from_ref(&root.user);
            let accounts = run
                .read_users(user)
                .await
                .map_err(|e| StartError::new(e.to_string()))?;
            if !accounts.has_user(&root.user) {
                return Err(StartError::new(
                    "its first user could not be made; the engine's log says why",
                ));
            }
            seed::forget(&self.folder)
                .map_err(|e| StartError::new(format!("the first password's hash: {e}")))?;
        }
        if std::fs::read_to_string(self.folder.version())
            .ok()
            .as_deref()
            != Some(&self.local.program.version)
        {
            let written = self.folder.write_version(&self.local.program.version);
            written.map_err(|e| StartError::new(format!("noting the engine's version: {e}")))?;
        }
        Ok(())
    }

    /// Data of another major version are not touched: an older server would refuse or harm them, a
    /// newer one would change them for good.
    fn check_version(&self) -> Result<(), StartError> {
        let last = std::fs::read_to_string(self.folder.version()).unwrap_or_default();
        let (Some(last_major), Some(now)) = (major(&last), self.local.program.major()) else {
            return Ok(());
        };
        if last_major == now {
            return Ok(());
        }
        Err(StartError::new(format!(
            "its data were last used by MariaDB {last}, and {} is MariaDB {}; set engine.mariadbd to a server of version {}.{}",
            self.local.program.binary.display(),
            self.local.program.version,
            last_major.0,
            last_major.1
        )))
    }

    /// The cluster's own lock, which the engine inherits: never two of them on one data directory.
    async fn lock(&self) -> Result<File, StartError> {
        let file = self
            .folder
            .open_lock()
            .map_err(|e| StartError::new(format!("its lock: {e}")))?;
        let until = Instant::now() + LOCK_WAIT;
        let mut killed = false;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                    if !std::mem::replace(&mut killed, true) {
                        // One that outlived its server, since this is called only when no run is
                        // alive.
                        self.kill_own_processes().await.map_err(StartError::new)?;
                    }
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(StartError::new(format!(
                        "another engine still runs on {}; end it, then try again",
                        self.folder.root().display()
                    )));
                }
                Err(e) => return Err(StartError::new(format!("its lock: {e}"))),
            }
        }
    }

    fn limits(&self) -> ClusterLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group of the next run, after everything that earlier runs left behind is dead.
    async fn make_group(&self) -> io::Result<Option<EngineGroup>> {
        let (cgroups, cluster, limits) =
            (Arc::clone(&self.local.cgroups), self.cluster, self.limits());
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

    fn orders(&self, group: Option<&EngineGroup>) -> Orders {
        let (local, folder, limits) = (&self.local, &self.folder, self.limits());
        let mut args = options::run(
            &local.settings,
            &local.program,
            folder,
            limits.connections_max,
        );
        if self.disk.started_read_only() {
            args.push("--read-only=1".into());
        }
        let mut orders = orders(local, folder, args);
        orders.enter = group.map(EngineGroup::entrances).unwrap_or_default();
        orders.data_max = data_max(limits.memory_max_bytes);
        orders.tasks_max = limits.tasks_max;
        orders
    }

    fn explain(&self, end: &End, log_start: u64) -> NotUp {
        let reason = format!("{}: {}", end.text, self.log_tail(log_start));
        let killed = end.signal == Some(9);
        // Some of its tables end it with an error, others with a crash.
        let own_tables = !killed && (end.signal.is_some() || reason.contains(repair::UNUSABLE));
        NotUp {
            error: StartError {
                reason,
                killed,
                refusal: None,
            },
            own_tables,
        }
    }

    fn log_tail(&self, start: u64) -> String {
        log_tail(&self.folder, start)
    }
}

/// Private memory that an engine may ask for under a memory limit. Slightly below it, so that a
/// query gets an error where the group's killer would end the engine. What is asked for is more
/// than what is used (66 MB at the start, stacks for the most part), and page tables and the page
/// cache take the difference.
fn data_max(memory_max_bytes: u64) -> u64 {
    memory_max_bytes - memory_max_bytes / 32
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |e| StartError::new(format!("{what}: {e}"))
}

fn unbound(e: EngineError) -> StartError {
    StartError::new(format!("its socket: {e}"))
}

fn random_secret() -> Result<AdminSecret, StartError> {
    AdminSecret::random().map_err(|e| StartError::new(format!("no randomness: {e}")))
}

/// How every engine process is called.
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
