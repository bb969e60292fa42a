//! Start of a MariaDB process: from the checks before it to the first login, with one repair of its
//! system tables if they are the obstacle.

use crate::bound_task::BoundTask;
use crate::driver::Repair;
use crate::error::{EngineError, StartError};
use crate::limits::LOCK_RETRY;
use crate::local::accounts::init_sql::{FIRST_USER, RootSeed, init_sql};
use crate::local::accounts::secret::AdminSecret;
use crate::local::accounts::seed;
use crate::local::admin::admin_line::AdminLine;
use crate::local::driver::{INSIDE, LocalDriver};
use crate::local::engine_log::{self, log_tail};
use crate::local::process::{Process, ProcessEnd, RunGroup};
use crate::local::run::{LocalRun, first_login};
use crate::local::socket::Listener;
use crate::local::start::leg_identity::LegIdentity;
use crate::local::start::preallocate::allocate_holes;
use crate::local::start::program::major;
use crate::local::start::spawner::HelperStdio;
use crate::local::start::{handover, repair};
use crate::local::uids::settle_ownership;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use tidegate_model::{EngineCertificate, error_chain};
use tokio::net::UnixStream;

/// Reason why an engine is not up.
pub(super) struct NotUp {
    pub error: StartError,
    /// The engine's own tables may be the cause: a tenant can change them.
    pub own_tables: bool,
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
    /// Starts the engine. Only called when no run is alive.
    pub(in crate::local) async fn start_run(&self) -> Result<LocalRun, StartError> {
        self.check_version()?;
        // Before any file is changed: an engine that outlived its server may still use them.
        let lock = self.lock().await?;
        self.settle_ownership().await?;
        let root = seed::read(&self.folder).map_err(failed("reading the first password's hash"))?;
        // Applied once: a later start must not replace the operator's password again.
        let asked = self.asked_repair().take();
        let run = match asked {
            Some((repair, anew)) => self.start_repaired(&lock, repair, &anew).await?,
            None => match self.launch(&lock, root.as_ref()).await {
                Ok(run) => run,
                Err(NotUp {
                    error,
                    own_tables: false,
                }) => return Err(error),
                Err(NotUp { error, .. }) => {
                    let reason = error.report();
                    tracing::warn!(cluster = %self.cluster, reason, "the engine can't use its \
                         system tables");
                    // If its root is lost, it comes back with a password that nobody has.
                    let lost = RootSeed {
                        user: FIRST_USER.to_owned(),
                        stage2: random_secret()?.stage2(),
                        replace: false,
                    };
                    let root = root.as_ref().unwrap_or(&lost);
                    self.start_repaired(&lock, Repair::Accounts, root).await?
                }
            },
        };
        self.settle_first_run(&run, root.as_ref()).await?;
        Ok(run)
    }

    /// Starts the process and logs in to it. `root` is made in the engine if it is not there.
    pub(super) async fn launch(
        &self,
        lock: &File,
        root: Option<&RootSeed>,
    ) -> Result<LocalRun, NotUp> {
        self.folder
            .empty_tmp()
            .map_err(failed("emptying its folder for temporary files"))?;
        if self.is_lean() {
            // The room for this start was kept back in a file until now.
            self.local.space.release_reserve();
            self.folder
                .remove_temporary_tables()
                .map_err(failed("removing its temporary tablespace"))?;
        } else {
            self.allocate_holes().await?;
        }
        let secret = random_secret()?;
        let variables = self.variables();
        let sql = init_sql(&secret, root, variables.is_some())
            .ok_or_else(|| StartError::new("the first user's name is not valid"))?;
        self.folder
            .write_init_sql(&sql)
            .map_err(failed("writing init.sql"))?;
        let certificate = self.make_leg_identity()?;
        let (log, log_start) = self.folder.open_log().map_err(failed("opening its log"))?;
        let log_watch = BoundTask::spawn(engine_log::watch(self.folder.clone()));
        let sessions = self.sockets.sessions().map_err(unbound)?;
        let extra = self.sockets.extra().map_err(unbound)?;
        // Before the engine exists, so that its greeting to this connection says "ready".
        let stream = UnixStream::connect(&extra.file.path)
            .await
            .map_err(failed("its extra socket"))?;
        let sockets = [sessions.fd.as_fd(), extra.fd.as_fd()];
        let process = self.spawn_process(lock, log, sockets).await?;
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
                let run = LocalRun::new(
                    process,
                    admin,
                    (file, certificate),
                    log_watch,
                    Arc::clone(&self.events),
                    self.disk.at_limit(),
                );
                if let Some(variables) = variables {
                    run.begin_variables(&variables, self.cluster).await;
                }
                Ok(run)
            }
            // Its end and the lost connection come together: the end explains more.
            Err(error) => match tokio::time::timeout(LOCK_RETRY, process.ended()).await {
                Ok(end) => Err(self.explain(&end, log_start)),
                Err(_) => Err(NotUp {
                    error: StartError::new(format!(
                        "{}; {}",
                        error_chain(&error),
                        self.log_tail(log_start)
                    )),
                    own_tables: true,
                }),
            },
        }
    }

    /// Makes the key of this run and writes it for the engine. Returns its certificate.
    fn make_leg_identity(&self) -> Result<EngineCertificate, StartError> {
        let leg =
            LegIdentity::generate().map_err(|e| StartError::caused("making its key for TLS", e))?;
        self.folder
            .write_leg_identity(&leg.pem)
            .map_err(failed("writing its key for TLS"))?;
        Ok(leg.certificate)
    }

    /// Starts the helper with these sockets in a control group of the run.
    async fn spawn_process(
        &self,
        lock: &File,
        log: File,
        sockets: [BorrowedFd<'_>; handover::SOCKETS],
    ) -> Result<Process, StartError> {
        let stdio = HelperStdio {
            stdin: handover::pack_sockets(sockets).map_err(failed("its sockets"))?,
            stdout: lock.try_clone().map_err(failed("its lock"))?.into(),
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
        Process::spawn(&self.local.spawner, &orders, stdio, group)
            .await
            .map_err(failed("starting a process"))
    }

    /// Changes the owner of the files if the cluster's user is another one since its last run.
    async fn settle_ownership(&self) -> Result<(), StartError> {
        let folder = self.folder.clone();
        let settled = tokio::task::spawn_blocking(move || settle_ownership(&folder)).await;
        let moved = settled.map_err(|e| StartError::caused(INSIDE, e))?;
        if moved.map_err(|e| StartError::caused("giving its files to the engine's user", e))? {
            tracing::info!(
                folder = %self.folder.root().display(),
                "a cluster's files belong to another user now"
            );
        }
        Ok(())
    }

    async fn allocate_holes(&self) -> Result<(), StartError> {
        let data = self.folder.data();
        tokio::task::spawn_blocking(move || allocate_holes(&data))
            .await
            .map_err(|e| StartError::caused(INSIDE, e))?
            .map_err(failed("allocating space in its files"))
    }

    /// Deletes the seed of a new cluster's root, once the engine has that root.
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
                .map_err(|e| StartError::caused("reading its first user", e))?;
            if !accounts.has_user(&root.user) {
                return Err(StartError::new(
                    "its first user could not be made; the engine's log says why",
                ));
            }
            // Only now: until the engine has the account, each start creates it.
            seed::forget(&self.folder)
                .map_err(|e| StartError::caused("the first password's hash", e))?;
        }
        if std::fs::read_to_string(self.folder.version())
            .ok()
            .as_deref()
            != Some(&self.local.program.version)
        {
            let written = self.folder.write_version(&self.local.program.version);
            written.map_err(|e| StartError::caused("recording the engine's version", e))?;
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
            "its data were last used by MariaDB {last}, and {} is MariaDB {}; set engine.mariadbd \
             to a server of version {}.{}",
            self.local.program.binary.display(),
            self.local.program.version,
            last_major.0,
            last_major.1
        )))
    }

    fn explain(&self, end: &ProcessEnd, log_start: u64) -> NotUp {
        let reason = format!("{}: {}", end.text, self.log_tail(log_start));
        // SIGKILL comes from outside, for example from the kernel when memory is short. A crash has
        // another signal.
        let killed = end.signal == Some(9);
        // Some of its tables end it with an error, others with a crash.
        let own_tables = !killed && (end.signal.is_some() || reason.contains(repair::UNUSABLE));
        let mut error = StartError::new(reason);
        error.killed = killed;
        NotUp { error, own_tables }
    }

    fn log_tail(&self, start: u64) -> String {
        log_tail(&self.folder, start)
    }
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |e| StartError::caused(what, e)
}

pub fn unbound(e: EngineError) -> StartError {
    StartError::caused("its socket", e)
}

fn random_secret() -> Result<AdminSecret, StartError> {
    AdminSecret::random().map_err(|e| StartError::caused("no randomness", e))
}
