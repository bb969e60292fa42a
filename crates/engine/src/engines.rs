//! All engines of this server, of every kind. Each cluster's supervisor decides when its engine
//! runs.

mod administer;
mod adopt;
mod attach;
mod password;

use crate::adopted::AdoptedClusters;
use crate::budget::{AwakeBudget, AwakeMemory};
use crate::error::EngineError;
use crate::in_force::LimitsInForce;
use crate::kind::{ClusterSpec, EngineKind, KindGreeting, Progress};
use crate::kinds::{EngineSettings, open_kinds};
use crate::ledger::Ledger;
use crate::limits::{SHUTDOWN_EACH, SHUTDOWN_MAX, STOP_TURN, STOPS_AT_ONCE};
use crate::local::walls::Walls;
use crate::messages::SupervisorCommand;
use crate::supervised_cluster::SupervisedCluster;
use crate::tasks::SharedServices;
use crate::unknown_kind::UnknownKind;
pub use adopt::HeldCluster;
use attach::within;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_model::{
    AccountBook, ClusterId, ClusterLimits, ClusterState, ClusterUsage, Journal, KindDescription,
    ServerVariables,
};
use tokio::sync::{Semaphore, oneshot};

/// Events of a cluster, as far as they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterEvents {
    /// `None`: unknown, as for a cluster that has not run since the server started.
    pub defined: Option<u64>,
    /// Whether they run now. `None`: its engine does not tell.
    pub running: Option<bool>,
}

/// Cheap to clone. When the last clone is dropped, every engine ends.
#[derive(Clone)]
pub struct Engines {
    inner: Arc<Inner>,
}

struct Inner {
    /// Never empty: the first is the default.
    kinds: Vec<Arc<dyn EngineKind>>,
    common: SharedServices,
    clusters: AdoptedClusters,
}

impl Engines {
    /// Opens every kind of engine, and proves that it can start some. Starts none.
    pub async fn open(
        settings: EngineSettings,
        ledger: Arc<dyn Ledger>,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, EngineError> {
        let kinds = open_kinds(&settings)?;
        for kind in &kinds {
            kind.rehearse().await?;
        }
        let at_once = settings.wakes_at_once_max.max(1);
        let common = SharedServices {
            ledger,
            journal,
            wakes: Arc::new(Semaphore::new(at_once)),
            recoveries: Arc::new(Semaphore::new(at_once)),
            budget: Arc::new(AwakeBudget::new(settings.awake_memory_max_bytes)),
            frozen_after: settings.frozen_after,
        };
        let inner = Inner {
            kinds,
            common,
            clusters: AdoptedClusters::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Descriptions of all kinds, the default first.
    pub fn kinds(&self) -> impl Iterator<Item = &'static KindDescription> {
        self.inner.kinds.iter().map(|kind| kind.description())
    }

    /// The kind of this name. `None`: this version has no such kind.
    pub fn kind(&self, name: &str) -> Option<&Arc<dyn EngineKind>> {
        let mut kinds = self.inner.kinds.iter();
        kinds.find(|kind| kind.description().name == name)
    }

    fn kind_of(&self, cluster: &ClusterSpec) -> Arc<dyn EngineKind> {
        match self.kind(&cluster.engine.kind) {
            Some(kind) => Arc::clone(kind),
            // A newer version may have written this store; its clusters must not keep the server
            // from starting.
            None => Arc::new(UnknownKind::new(&cluster.engine.kind)),
        }
    }

    /// Limits of a cluster that this machine enforces, and by which means.
    pub fn limits_in_force(&self) -> Option<LimitsInForce> {
        let mut kinds = self.inner.kinds.iter();
        kinds.find_map(|kind| kind.limits_in_force())
    }

    /// Walls around engines, as they were found at the start. `None`: no engine runs here.
    pub fn walls(&self) -> Option<Walls> {
        self.inner.kinds.iter().find_map(|kind| kind.walls())
    }

    /// Measures the memory of all awake engines.
    pub async fn awake_memory(&self) -> AwakeMemory {
        self.inner.common.budget.memory().await
    }

    /// Measured use of a cluster. Cheap; it never wakes one.
    pub async fn usage(&self, id: ClusterId) -> Result<ClusterUsage, EngineError> {
        let cluster = self.cluster(id).await?;
        Ok(cluster.driver.usage(cluster.shared.any_run()).await)
    }

    /// Reason why the file system of the engines has no space to start one, if it has none.
    pub fn lacks_space(&self) -> Option<String> {
        let mut kinds = self.inner.kinds.iter();
        kinds.find_map(|kind| kind.lacks_space())
    }

    /// Greeting of a listener: that of the default kind.
    pub fn greeting(&self) -> KindGreeting {
        let first = self.inner.kinds.first();
        first.map_or_else(KindGreeting::default, |kind| kind.greeting())
    }

    /// Does now what the first creation of a cluster would wait for.
    pub async fn prepare(&self, progress: Progress<'_>) -> Result<(), EngineError> {
        for kind in &self.inner.kinds {
            kind.prepare(progress).await?;
        }
        Ok(())
    }

    /// Makes a new cluster, asleep. `stage2`: SHA1(SHA1(password)) of its `root`.
    pub async fn create(&self, spec: ClusterSpec, stage2: [u8; 20]) -> Result<(), EngineError> {
        self.kind_of(&spec).create(&spec, stage2).await?;
        self.adopt(spec, true).await
    }

    /// Starts the engine of a cluster that did not end cleanly, so that its accounts are known. It
    /// sleeps again by itself.
    pub async fn recover(&self, id: ClusterId) -> Result<(), EngineError> {
        if self.cluster(id).await?.shared.clean() {
            return Ok(());
        }
        self.wake(id).await
    }

    /// State of a cluster. One that is not in memory sleeps.
    pub fn state(&self, id: ClusterId) -> ClusterState {
        let known = self.in_memory(id);
        known.map_or(ClusterState::Asleep, |c| c.shared.status.borrow().state)
    }

    /// Clusters that are not asleep, with their states.
    pub fn not_asleep(&self) -> Vec<(ClusterId, ClusterState)> {
        let known = self.inner.clusters.all();
        let states = known
            .iter()
            .map(|cluster| (cluster.shared.id, cluster.shared.status.borrow().state));
        states
            .filter(|(_, state)| *state != ClusterState::Asleep)
            .collect()
    }

    /// Number of clusters in memory of this room.
    pub fn in_memory_count(&self) -> usize {
        self.inner.clusters.count()
    }

    /// Reason why the last start failed, if it did.
    pub fn failure(&self, id: ClusterId) -> Option<String> {
        let status = self.in_memory(id)?.shared.status.subscribe();
        let status = status.borrow();
        (status.state == ClusterState::Failed)
            .then(|| status.failure.as_deref().unwrap_or_default().to_owned())
    }

    /// The accounts of these users as a reading of the running engine saw them that began after
    /// `not_before`. An error if the cluster sleeps: its accounts are those recorded at its last
    /// sleep.
    pub async fn accounts(
        &self,
        id: ClusterId,
        users: Vec<String>,
        not_before: Instant,
    ) -> Result<Arc<AccountBook>, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.send(
            id,
            SupervisorCommand::Accounts {
                not_before,
                users,
                reply,
            },
        )
        .await?;
        answer
            .await
            .map_err(|_| EngineError::Stopping)?
            .map_err(EngineError::Reading)
    }

    /// Waits until the engine runs, starting it if need be.
    pub async fn wake(&self, id: ClusterId) -> Result<(), EngineError> {
        let cluster = self.cluster(id).await?;
        within(id, cluster.awake()).await
    }

    /// Waits while the engine starts or goes to sleep: a reading of its accounts can't begin then.
    pub async fn steady(&self, id: ClusterId) {
        let Some(cluster) = self.in_memory(id) else {
            return;
        };
        let mut status = cluster.shared.status.subscribe();
        let moving = |state| matches!(state, ClusterState::Waking | ClusterState::Draining);
        // A supervisor that is gone changes nothing any more.
        let _ = status.wait_for(|now| !moving(now.state)).await;
    }

    /// Puts a cluster to sleep now. Fails if a session is busy.
    pub async fn sleep(&self, id: ClusterId) -> Result<(), EngineError> {
        let (reply, answer) = oneshot::channel();
        self.send(id, SupervisorCommand::Sleep(reply)).await?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Sets the limits of a cluster, awake or asleep. They apply immediately.
    pub async fn set_limits(
        &self,
        id: ClusterId,
        limits: ClusterLimits,
    ) -> Result<(), EngineError> {
        self.cluster(id).await?.set_limits(limits).await
    }

    /// Sets the server variables that the next runs of a cluster begin with. `None`: none, and
    /// these runs can't change them.
    pub async fn keep_variables(
        &self,
        id: ClusterId,
        variables: Option<&ServerVariables>,
    ) -> Result<(), EngineError> {
        self.cluster(id).await?.driver.set_variables(variables);
        Ok(())
    }

    /// Keeps a cluster in memory, asleep or awake, for as long as the result exists.
    pub async fn hold(&self, id: ClusterId) -> Result<HeldCluster, EngineError> {
        Ok(HeldCluster::new(self.cluster(id).await?))
    }

    /// Changes the server variables of the running engine: all of them or, if it refuses one, none.
    /// False: it keeps those that it has, and its next start sets them.
    pub async fn change_variables(
        &self,
        id: ClusterId,
        variables: &ServerVariables,
    ) -> Result<bool, EngineError> {
        let Some(run) = self.cluster(id).await?.shared.any_run() else {
            return Ok(false);
        };
        run.set_variables(variables)
            .await
            .map_err(EngineError::Statement)
    }

    /// Events of a cluster, without waking it.
    pub async fn events(&self, id: ClusterId) -> Result<ClusterEvents, EngineError> {
        let cluster = self.cluster(id).await?;
        let run = cluster.shared.any_run();
        let now = match &run {
            Some(run) => run.events().await,
            None => None,
        };
        Ok(ClusterEvents {
            defined: now
                .map(|events| events.defined)
                .or_else(|| cluster.driver.last_events()),
            // Without an engine nothing runs.
            running: match run {
                Some(_) => now.map(|events| events.running),
                None => Some(false),
            },
        })
    }

    /// Allows a cluster at its disk limit to write for this long, so that rows can be deleted and
    /// tables dropped or truncated: a read-only engine refuses that too. Growing is not allowed
    /// beyond the room that deleting takes.
    pub async fn allow_shrink(&self, id: ClusterId, time: Duration) -> Result<(), EngineError> {
        let cluster = self.cluster(id).await?;
        cluster.driver.allow_shrink(time).await?;
        // Otherwise logins would get the old refusal until its time is over.
        cluster.shared.forget_refusal();
        Ok(())
    }

    /// Stops the engine, whatever its sessions do, and deletes everything of the cluster.
    pub async fn remove(&self, id: ClusterId) -> Result<(), EngineError> {
        let removed = self.cluster(id).await?.remove().await;
        if !matches!(removed, Err(EngineError::Stopping)) {
            self.inner.clusters.remove(id);
        }
        removed
    }

    /// Ends all engines, a bounded number at a time, and waits for all.
    pub async fn shutdown(&self) {
        let all = self.inner.clusters.close();
        let turns = Semaphore::new(STOPS_AT_ONCE);
        let end = async |cluster: Arc<SupervisedCluster>| {
            let turn = turns.acquire().await;
            let mut ending = std::pin::pin!(cluster.stop());
            if tokio::time::timeout(STOP_TURN, &mut ending).await.is_err() {
                // A slow stop gives up its turn and continues beside the others.
                drop(turn);
                ending.await;
            }
        };
        let running = all.iter().filter(|cluster| cluster.is_supervised()).count();
        let most = SHUTDOWN_MAX + SHUTDOWN_EACH * u32::try_from(running).unwrap_or(u32::MAX);
        let ended = futures_util::future::join_all(all.into_iter().map(end));
        if tokio::time::timeout(most, ended).await.is_err() {
            tracing::error!(
                "some engines did not end in time; they are killed, and recover at the next start"
            );
        }
    }

    async fn send(&self, id: ClusterId, command: SupervisorCommand) -> Result<(), EngineError> {
        self.cluster(id).await?.send(command).await
    }
}
