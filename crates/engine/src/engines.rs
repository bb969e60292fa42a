//! All engines of this server: the one thing other rooms hold. Never decides when an engine runs;
//! each cluster's supervisor does.

use crate::budget::AwakeBudget;
use crate::driver::Driver;
use crate::error::EngineError;
use crate::hears::Command;
use crate::in_force::LimitsInForce;
use crate::ledger::Ledger;
use crate::limits::{
    COMMANDS_MAX, OPERATION_MAX, SHUTDOWN_EACH, SHUTDOWN_MAX, STOP_TURN, STOPS_AT_ONCE,
};
use crate::local::cgroup::CgroupHome;
use crate::local::disk::DiskQuotas;
use crate::local::driver::{Local, LocalDriver};
use crate::local::folder::{Folder, add_passage, check_reach, make_dir};
use crate::local::init_sql::{FIRST_USER, RootSeed};
use crate::local::program::Program;
use crate::local::socket::{ClusterSockets, SocketFolder};
use crate::local::space;
use crate::local::spawner::Spawner;
use crate::local::template::{self, Progress};
use crate::local::walls::Walls;
use crate::settings::EngineSettings;
use crate::status::Shared;
use crate::supervisor::Supervisor;
use crate::tasks::Common;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tidegate_model::{
    AccountBook, AttachError, BoxFuture, ClusterId, ClusterLimits, ClusterName, ClusterState,
    ClusterUsage, EngineSessionId, Journal, Lease, RunEpoch, Waker,
};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

/// From where that user may come: the gateway has judged the address before.
const ANY_HOST: &str = "%";

/// A cluster as the store knows it.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    pub id: ClusterId,
    /// For logs.
    pub name: ClusterName,
    /// The engine's own user, where this server is root.
    pub uid: Option<u32>,
    pub limits: ClusterLimits,
}

/// Cheap to clone. When the last clone is dropped, every engine ends.
#[derive(Clone)]
pub struct Engines {
    inner: Arc<Inner>,
}

struct Inner {
    local: Arc<Local>,
    sockets: SocketFolder,
    common: Common,
    walls: Walls,
    clusters: RwLock<HashMap<ClusterId, Cluster>>,
    /// The template is built by one at a time.
    template: Mutex<Option<PathBuf>>,
}

#[derive(Clone)]
struct Cluster {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    driver: Arc<dyn Driver>,
}

impl Engines {
    /// Finds the server's program and makes this room's folders. Starts nothing.
    pub async fn open(
        settings: EngineSettings,
        ledger: Arc<dyn Ledger>,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, EngineError> {
        let walls = Walls::look();
        for missing in walls.missing() {
            tracing::warn!("engines run without {missing}");
        }
        let program = Program::find(&settings)?;
        let run = make_folders(&settings.folder, walls)?;
        let helper = settings.helper.clone();
        let spawner = Spawner::new(helper)
            .map_err(|e| EngineError::Start(format!("no spawner thread: {e}")))?;
        let cgroups = CgroupHome::open(&settings.cgroup, &run);
        let quotas = DiskQuotas::find(&settings.folder);
        for missing in LimitsInForce::of(&cgroups, walls, &quotas).missing() {
            tracing::warn!("not in force for engines: the limit of {missing}");
        }
        let budget = Arc::new(AwakeBudget::new(settings.awake_memory_max_bytes));
        let turns = || Arc::new(Semaphore::new(settings.wakes_at_once_max.max(1)));
        let (wakes, recoveries) = (turns(), turns());
        let frozen_after = settings.frozen_after;
        let inner = Inner {
            local: Arc::new(Local {
                settings,
                program,
                spawner,
                cgroups: Arc::new(cgroups),
                quotas,
            }),
            sockets: SocketFolder::open(&run)?,
            common: Common {
                ledger,
                journal,
                wakes,
                recoveries,
                budget,
                frozen_after,
            },
            walls,
            clusters: RwLock::default(),
            template: Mutex::new(None),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub fn walls(&self) -> Walls {
        self.inner.walls
    }

    /// Which limits this machine enforces for this server's engines, and by which means.
    pub fn limits_in_force(&self) -> LimitsInForce {
        LimitsInForce::of(
            &self.inner.local.cgroups,
            self.inner.walls,
            &self.inner.local.quotas,
        )
    }

    /// Measured use of a cluster. Cheap; it never wakes one.
    pub async fn usage(&self, id: ClusterId) -> Result<ClusterUsage, EngineError> {
        let cluster = self.cluster(id)?;
        Ok(cluster.driver.usage(cluster.shared.any_run()).await)
    }

    /// Why the file system of the data directory has no space to start an engine, if it has none.
    pub fn lacks_space(&self) -> Option<String> {
        space::lack_below(&self.inner.local.settings.folder)
    }

    /// As in `10.11.19-MariaDB`.
    pub fn version(&self) -> &str {
        &self.inner.local.program.version
    }

    /// Builds the template if this version of the engine has none yet. Otherwise the first creation
    /// does.
    pub async fn prepare(&self, progress: Progress<'_>) -> Result<(), EngineError> {
        self.template(progress).await.map(drop)
    }

    async fn template(&self, progress: Progress<'_>) -> Result<PathBuf, EngineError> {
        let mut ready = self.inner.template.lock().await;
        if let Some(path) = ready.as_ref() {
            return Ok(path.clone());
        }
        let path = template::ensure(&self.inner.local, &self.inner.sockets, progress).await?;
        *ready = Some(path.clone());
        Ok(path)
    }

    /// Makes a new cluster, asleep. `stage2`: SHA1(SHA1(password)) of its `root`.
    pub async fn create(&self, spec: ClusterSpec, stage2: [u8; 20]) -> Result<(), EngineError> {
        let template = self.template(&|_| {}).await?;
        let folder = self.folder(&spec);
        let seed = RootSeed {
            user: FIRST_USER.to_owned(),
            stage2,
        };
        let quotas = self.inner.local.quotas.clone();
        let copied =
            tokio::task::spawn_blocking(move || template::copy(&template, &folder, &quotas, &seed))
                .await;
        copied.map_err(|e| EngineError::Template(e.to_string()))??;
        self.adopt(spec, true).await
    }

    /// Registers a cluster that stands on disk. `clean`: its last run ended with an orderly sleep.
    #[expect(
        clippy::unused_async,
        reason = "registering a remote engine will ask it something"
    )]
    pub async fn adopt(&self, spec: ClusterSpec, clean: bool) -> Result<(), EngineError> {
        let local = Arc::clone(&self.inner.local);
        let sockets = ClusterSockets::new(self.inner.sockets.clone(), &spec.id.to_string());
        let driver = LocalDriver::new(local, self.folder(&spec), sockets, (spec.id, spec.limits));
        // One cluster that can't be reached is one cluster's failure: its next start tries again.
        let failure = driver
            .sockets
            .sessions()
            .err()
            .map(|e| format!("its socket: {e}"));
        let driver: Arc<dyn Driver> = Arc::new(driver);
        let shared = Arc::new(Shared::new(spec.id, clean));
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let common = self.inner.common.clone();
        Supervisor::spawn(
            Arc::clone(&shared),
            Arc::clone(&driver),
            common,
            spec.limits,
            failure,
            inbox,
        );
        let mut clusters = self
            .inner
            .clusters
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.inner
            .common
            .budget
            .join(Arc::clone(&shared), commands.clone());
        clusters.insert(
            spec.id,
            Cluster {
                shared,
                commands,
                driver,
            },
        );
        Ok(())
    }

    fn folder(&self, spec: &ClusterSpec) -> Folder {
        let uid = spec.uid.filter(|_| self.inner.walls.own_uids);
        Folder::new(
            self.inner
                .local
                .settings
                .folder
                .join("engines")
                .join(spec.id.to_string()),
            uid,
        )
    }

    /// Brings a cluster that was not cleanly asleep up, so that its accounts are known; it sleeps
    /// again by itself.
    pub async fn recover(&self, id: ClusterId) -> Result<(), EngineError> {
        if self.cluster(id)?.shared.clean() {
            return Ok(());
        }
        self.wake(id).await
    }

    pub fn state(&self, id: ClusterId) -> Option<ClusterState> {
        Some(self.cluster(id).ok()?.shared.status.borrow().state)
    }

    /// Why the last start failed, if it did.
    pub fn failure(&self, id: ClusterId) -> Option<String> {
        let status = self.cluster(id).ok()?.shared.status.subscribe();
        let status = status.borrow();
        (status.state == ClusterState::Failed)
            .then(|| status.failure.as_deref().unwrap_or_default().to_owned())
    }

    /// The accounts of these users as a reading of the running engine saw them that began after
    /// `not_before`. An error if the cluster sleeps: its accounts are those that were noted at its
    /// last sleep.
    pub async fn accounts(
        &self,
        id: ClusterId,
        users: Vec<String>,
        not_before: Instant,
    ) -> Result<Arc<AccountBook>, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.send(
            id,
            Command::Accounts {
                not_before,
                users,
                reply,
            },
        )
        .await?;
        answer
            .await
            .map_err(|_| EngineError::Stopping)?
            .map_err(EngineError::Admin)
    }

    /// Ends when the engine runs.
    pub async fn wake(&self, id: ClusterId) -> Result<(), EngineError> {
        let cluster = self.cluster(id)?;
        within(id, cluster.shared.awake()).await
    }

    /// Ends when the engine neither starts nor goes to sleep: then a reading of its accounts can
    /// begin.
    pub async fn steady(&self, id: ClusterId) {
        let Ok(cluster) = self.cluster(id) else {
            return;
        };
        let mut status = cluster.shared.status.subscribe();
        let moving = |state| matches!(state, ClusterState::Waking | ClusterState::Draining);
        // A supervisor that is gone changes nothing any more.
        let _ = status.wait_for(|now| !moving(now.state)).await;
    }

    /// Puts it to sleep now. Fails if a session is busy.
    pub async fn sleep(&self, id: ClusterId) -> Result<(), EngineError> {
        let (reply, answer) = oneshot::channel();
        self.send(id, Command::Sleep(reply)).await?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// What it may use from now on, running or not.
    pub async fn set_limits(
        &self,
        id: ClusterId,
        limits: ClusterLimits,
    ) -> Result<(), EngineError> {
        self.send(id, Command::Limits(limits)).await
    }

    /// Allows a cluster at its disk limit to write for this long, so that rows can be deleted and
    /// tables dropped or truncated: a read-only engine refuses that too. Growing is not allowed
    /// beyond the room that deleting takes.
    pub async fn allow_shrink(&self, id: ClusterId, time: Duration) -> Result<(), EngineError> {
        let cluster = self.cluster(id)?;
        let root = &self.inner.local.settings.folder;
        cluster
            .driver
            .disk()
            .allow_shrink(time)
            .await
            .map_err(EngineError::file("measuring the cluster below", root))?;
        cluster.shared.forget_refusal();
        Ok(())
    }

    /// Wakes it, changes the password of `user@'%'`, and returns the accounts of that user as they
    /// are then. `stage2`: SHA1(SHA1(password)).
    pub async fn set_password(
        &self,
        id: ClusterId,
        user: &str,
        stage2: [u8; 20],
    ) -> Result<Arc<AccountBook>, EngineError> {
        let cluster = self.cluster(id)?;
        // A lease like a session's, busy by birth: the cluster stays awake until we are done.
        let lease = within(id, cluster.shared.attach()).await?;
        let gone = || EngineError::Admin("the engine ended meanwhile; try again".to_owned());
        let run = cluster.shared.run(lease.run).ok_or_else(gone)?;
        // Dropping this future in the middle must not tear a statement: the work runs to its end
        // beside it.
        let users = vec![user.to_owned()];
        let user = user.to_owned();
        let work = tokio::spawn(async move { run.set_password(&user, ANY_HOST, stage2).await });
        let done = work.await.map_err(|e| EngineError::Admin(e.to_string()))?;
        done.map_err(|e| EngineError::Admin(e.to_string()))?;
        self.accounts(id, users, Instant::now()).await
    }

    /// Stops its engine whatever its sessions do, and deletes its directory.
    pub async fn remove(&self, id: ClusterId) -> Result<(), EngineError> {
        let (reply, answer) = oneshot::channel();
        self.send(
            id,
            Command::End {
                remove: true,
                reply,
            },
        )
        .await?;
        let answer = answer.await.map_err(|_| EngineError::Stopping)?;
        self.inner
            .clusters
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        self.inner.common.budget.leave(id);
        answer
    }

    /// Ends all engines, a bounded number at a time, and waits for all.
    pub async fn shutdown(&self) {
        let all: Vec<_> = {
            let mut clusters = self
                .inner
                .clusters
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            clusters.drain().map(|(_, cluster)| cluster).collect()
        };
        let turns = Semaphore::new(STOPS_AT_ONCE);
        let end = async |cluster: Cluster| {
            let turn = turns.acquire().await;
            let mut ending = std::pin::pin!(async {
                let (reply, answer) = oneshot::channel();
                if cluster
                    .commands
                    .send(Command::End {
                        remove: false,
                        reply,
                    })
                    .await
                    .is_ok()
                {
                    let _ = answer.await;
                }
            });
            if tokio::time::timeout(STOP_TURN, &mut ending).await.is_err() {
                drop(turn);
                ending.await;
            }
        };
        let most = SHUTDOWN_MAX + SHUTDOWN_EACH * u32::try_from(all.len()).unwrap_or(u32::MAX);
        let ended = futures_util::future::join_all(all.into_iter().map(end));
        if tokio::time::timeout(most, ended).await.is_err() {
            tracing::error!(
                "some engines did not end in time; they are killed, and recover at the next start"
            );
        }
    }

    fn cluster(&self, id: ClusterId) -> Result<Cluster, EngineError> {
        let clusters = self
            .inner
            .clusters
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        clusters.get(&id).cloned().ok_or(EngineError::Unknown(id))
    }

    async fn send(&self, id: ClusterId, command: Command) -> Result<(), EngineError> {
        self.cluster(id)?
            .commands
            .send(command)
            .await
            .map_err(|_| EngineError::Stopping)
    }
}

impl Waker for Engines {
    fn attach(
        &self,
        id: ClusterId,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<Lease, AttachError>> {
        Box::pin(async move {
            let cluster = self.cluster(id).map_err(|_| AttachError::Gone)?;
            let attached = tokio::time::timeout_at(deadline.into(), cluster.shared.attach()).await;
            attached.unwrap_or(Err(AttachError::Deadline))
        })
    }

    fn end_session(&self, id: ClusterId, run: RunEpoch, session: EngineSessionId) {
        let Ok(cluster) = self.cluster(id) else {
            return;
        };
        let Some(run) = cluster.shared.run(run) else {
            return;
        };
        let Ok(permit) = Arc::clone(&cluster.shared.kills).try_acquire_owned() else {
            tracing::warn!(cluster = %id, "too many sessions end at once; this one's work runs to its end");
            return;
        };
        tokio::spawn(async move {
            // It may have ended by itself meanwhile, which is what was wanted.
            let _ = run.end_session(session).await;
            drop(permit);
        });
    }
}

/// An operator's request, which has no deadline of its own.
async fn within<T>(
    id: ClusterId,
    attach: impl Future<Output = Result<T, AttachError>>,
) -> Result<T, EngineError> {
    let done = tokio::time::timeout(OPERATION_MAX, attach).await;
    done.unwrap_or(Err(AttachError::Deadline))
        .map_err(|e| match e {
            AttachError::Failed(reason) => EngineError::Start(reason),
            AttachError::Refused { kind, reason } => EngineError::Refused { kind, reason },
            AttachError::Deadline => EngineError::Start("it was not up in time".to_owned()),
            AttachError::Gone => EngineError::Unknown(id),
            AttachError::Stopping => EngineError::Stopping,
        })
}

/// The folder of sockets. As root, others must be able to pass through those above the engines'
/// data; nothing in them may be listed.
fn make_folders(folder: &Path, walls: Walls) -> Result<PathBuf, EngineError> {
    let passage = if walls.own_uids { 0o711 } else { 0o700 };
    if folder.exists() {
        // Somebody else's mode, but for the passage.
        if walls.own_uids {
            add_passage(folder).map_err(EngineError::file("changing the mode of", folder))?;
        }
    } else {
        make_dir(folder, passage).map_err(EngineError::file("making", folder))?;
    }
    let engines = folder.join("engines");
    make_dir(&engines, passage).map_err(EngineError::file("making", &engines))?;
    template::make_home(folder, passage)?;
    if walls.own_uids {
        check_reach(&engines)?;
    }
    // Found now, so that nothing made from here on is among them. A large one takes a while: nobody
    // waits for it.
    let leftovers = find_leftovers(&engines);
    std::thread::spawn(move || remove_leftovers(&leftovers));
    let run = folder.join("run");
    make_dir(&run, 0o700).map_err(EngineError::file("making", &run))?;
    Ok(run)
}

/// Half-made and half-removed directories of a server that was killed.
fn find_leftovers(engines: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(engines).into_iter().flatten().flatten();
    let leftover = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| e == "creating" || e == "removing")
    };
    entries.map(|entry| entry.path()).filter(leftover).collect()
}

fn remove_leftovers(leftovers: &[PathBuf]) {
    for path in leftovers {
        if let Err(e) = std::fs::remove_dir_all(path) {
            tracing::warn!(path = %path.display(), error = %e, "a leftover could not be removed");
        }
    }
}
