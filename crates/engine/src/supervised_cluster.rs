//! A cluster of this room. While it sleeps and nobody asks for it, it has no supervisor: no task,
//! no channel, only its driver and the state that others read.

use crate::driver::Driver;
use crate::error::EngineError;
use crate::limits::COMMANDS_MAX;
use crate::messages::SupervisorCommand;
use crate::status::SharedCluster;
use crate::supervisor::{Supervisor, SupervisorStart};
use crate::supervisor_place::SupervisorPlace;
use crate::tasks::SharedServices;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tidegate_model::{AttachError, AttachRequest, ClusterId, ClusterLimits, ClusterState, Lease};
use tokio::sync::{mpsc, oneshot};

pub struct SupervisedCluster {
    pub shared: Arc<SharedCluster>,
    pub driver: Arc<dyn Driver>,
    common: SharedServices,
    limits: Mutex<ClusterLimits>,
    place: Arc<SupervisorPlace>,
}

impl SupervisedCluster {
    /// Returns a cluster without a supervisor. `clean`: its last run ended with an orderly sleep.
    /// One that can't be prepared is failed, and has a supervisor that tries again.
    pub fn new(
        id: ClusterId,
        clean: bool,
        driver: Arc<dyn Driver>,
        limits: ClusterLimits,
        common: SharedServices,
    ) -> Self {
        let shared = Arc::new(SharedCluster::new(id, clean));
        shared.apply_limits(&limits, driver.sleeps());
        let failure = driver.prepare().err().map(|e| e.report());
        let cluster = Self {
            shared,
            driver,
            common,
            limits: Mutex::new(limits),
            place: Arc::default(),
        };
        if failure.is_some() {
            cluster.place.occupy(|| cluster.spawn(failure));
        }
        cluster
    }

    fn limits(&self) -> ClusterLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, failure: Option<String>) -> mpsc::Sender<SupervisorCommand> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let budget = &self.common.budget;
        budget.join(Arc::clone(&self.shared), commands.downgrade());
        Supervisor::spawn(
            Arc::clone(&self.shared),
            Arc::clone(&self.driver),
            self.common.clone(),
            SupervisorStart {
                limits: self.limits(),
                failure,
                place: Arc::downgrade(&self.place),
                commands: inbox,
            },
        );
        commands
    }

    /// Makes the supervisor if there is none. It stays for as long as the result exists. `None`:
    /// the cluster is removed, or the server stops.
    pub fn supervise(&self) -> Option<mpsc::Sender<SupervisorCommand>> {
        self.place.occupy(|| self.spawn(None))
    }

    pub fn is_supervised(&self) -> bool {
        self.place.occupant().is_some()
    }

    /// Whether nothing is lost if it is read from the store again: it sleeps, and nothing waits for
    /// its next start.
    pub fn is_forgettable(&self) -> bool {
        let told = {
            let status = self.shared.status.borrow();
            let asleep = status.state == ClusterState::Asleep;
            !asleep || status.retry_at.is_some_and(|at| Instant::now() < at)
        };
        !told && !self.is_supervised() && self.driver.is_forgettable()
    }

    pub async fn send(&self, command: SupervisorCommand) -> Result<(), EngineError> {
        let commands = self.supervise().ok_or(EngineError::Stopping)?;
        let sent = commands.send(command).await;
        sent.map_err(|_| EngineError::Stopping)
    }

    /// Waits for the engine, and returns a lease on it for a session.
    pub async fn attach(&self, request: &AttachRequest<'_>) -> Result<Lease, AttachError> {
        let _supervisor = self.supervise();
        self.shared.attach(request).await
    }

    /// As [`Self::attach`], for an operator's work, which the limit on connections does not hinder.
    pub async fn attach_operator(&self) -> Result<Lease, AttachError> {
        let _supervisor = self.supervise();
        self.shared.attach_operator().await
    }

    /// Waits until the engine runs.
    pub async fn awake(&self) -> Result<(), AttachError> {
        let _supervisor = self.supervise();
        self.shared.awake().await
    }

    /// Sets the limits, awake or asleep.
    pub async fn set_limits(&self, limits: ClusterLimits) -> Result<(), EngineError> {
        // Before the supervisor is looked for: one that is made now gets the new ones.
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        let Some(commands) = self.place.occupant() else {
            self.driver.set_limits(&limits);
            self.shared.apply_limits(&limits, self.driver.sleeps());
            return Ok(());
        };
        let (reply, answer) = oneshot::channel();
        let sent = commands
            .send(SupervisorCommand::Limits { limits, reply })
            .await;
        sent.map_err(|_| EngineError::Stopping)?;
        answer.await.map_err(|_| EngineError::Stopping)
    }

    /// Stops the engine, whatever its sessions do, and deletes everything of the cluster.
    pub async fn remove(&self) -> Result<(), EngineError> {
        let (reply, answer) = oneshot::channel();
        let end = SupervisorCommand::End {
            remove: true,
            reply,
        };
        self.send(end).await?;
        let removed = answer.await.map_err(|_| EngineError::Stopping)?;
        // Its supervisor has ended with this command, and no other one may be made.
        self.place.end();
        self.common.budget.leave(self.shared.id);
        removed
    }

    /// Ends the engine, and waits for that.
    pub async fn stop(&self) {
        let Some(commands) = self.place.end() else {
            // Nobody may wait for an engine that is not started any more.
            self.shared.status.send_modify(|s| s.stopping = true);
            return;
        };
        let (reply, answer) = oneshot::channel();
        let end = SupervisorCommand::End {
            remove: false,
            reply,
        };
        if commands.send(end).await.is_ok() {
            let _ = answer.await;
        }
    }
}
