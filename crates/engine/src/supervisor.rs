//! Supervisor of a cluster, one task each: feeds events to the lifecycle machine and carries out
//! its actions. It does not block: starts, drains and readings run in their own tasks and report
//! back.

mod reports;
mod work;

use crate::bound_task::BoundTask;
use crate::drain::DrainForce;
use crate::driver::{Driver, Run};
use crate::error::EngineError;
use crate::lifecycle::{Action, Event, Lifecycle};
use crate::limits::{
    DRAIN_AGAIN_MAX, DRAIN_AGAIN_MIN, REFUSAL_TOLD_TIMES, REPORTS_MAX, RETRY_FIRST, RETRY_LAST,
    SUPERVISOR_STAY,
};
use crate::messages::{SupervisorCommand, SupervisorReport};
use crate::readings::Readings;
use crate::status::SharedCluster;
use crate::supervisor_place::SupervisorPlace;
use crate::tasks::{SharedServices, run_ended, sleep_until};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tidegate_model::{ClusterLimits, ClusterState, RefusalKind, RunEpoch, error_chain, journal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Failure of a cluster whose supervision or one of its tasks panicked.
const PANICKED: &str = "internal error; hint: see the server's log";

struct Alive {
    run: Arc<dyn Run>,
    epoch: RunEpoch,
    since: Instant,
    /// Reports the run when it freezes.
    _health: BoundTask,
}

pub struct Supervisor {
    shared: Arc<SharedCluster>,
    driver: Arc<dyn Driver>,
    common: SharedServices,
    limits: ClusterLimits,
    inbox: mpsc::Receiver<SupervisorReport>,
    machine: Lifecycle,
    alive: Option<Alive>,
    start: Option<JoinHandle<()>>,
    start_began: Instant,
    readings: Readings,
    /// Task of the reading that runs.
    reading: Option<JoinHandle<()>>,
    reports: mpsc::Sender<SupervisorReport>,
    sleepers: Vec<oneshot::Sender<Result<(), EngineError>>>,
    backoff: Duration,
    drains: u64,
    /// No drain before this moment, after one that was refused.
    drain_again: Instant,
    /// Task that records the end of the last run late.
    recording: Option<(RunEpoch, BoundTask)>,
    /// The limit of connections changed during a start.
    raise_late: bool,
    place: Weak<SupervisorPlace>,
    end: Option<(bool, oneshot::Sender<Result<(), EngineError>>)>,
}

/// Beginning of a supervisor's work.
pub struct SupervisorStart {
    pub limits: ClusterLimits,
    /// Reason why the cluster can't be started at the moment.
    pub failure: Option<String>,
    pub place: Weak<SupervisorPlace>,
    pub commands: mpsc::Receiver<SupervisorCommand>,
}

impl Supervisor {
    /// Supervises a cluster until it ends, or until it sleeps and nobody has a way to the
    /// supervisor from its place. A panic here ends its engine and leaves the cluster failed;
    /// supervision goes on.
    pub fn spawn(
        shared: Arc<SharedCluster>,
        driver: Arc<dyn Driver>,
        common: SharedServices,
        start: SupervisorStart,
    ) -> JoinHandle<()> {
        let SupervisorStart {
            mut limits,
            mut failure,
            place,
            mut commands,
        } = start;
        tokio::spawn(async move {
            loop {
                let mut supervisor = Self::new(
                    Arc::clone(&shared),
                    Arc::clone(&driver),
                    common.clone(),
                    limits,
                    Weak::clone(&place),
                );
                if let Some(reason) = failure.take() {
                    supervisor.begin_failed(&reason);
                }
                if AssertUnwindSafe(supervisor.live(&mut commands))
                    .catch_unwind()
                    .await
                    .is_ok()
                {
                    return;
                }
                tracing::error!(
                    cluster = %shared.id,
                    "its supervision panicked; the engine is ended"
                );
                // Limits that were set since the server started stay valid after a panic.
                limits = supervisor.limits;
                shared.set_run(None);
                // The engine is killed with its supervisor, so its accounts must be read again.
                shared.set_clean(false);
                drop(shared.gate().close());
                failure = Some(PANICKED.to_owned());
            }
        })
    }

    fn new(
        shared: Arc<SharedCluster>,
        driver: Arc<dyn Driver>,
        common: SharedServices,
        limits: ClusterLimits,
        place: Weak<SupervisorPlace>,
    ) -> Self {
        let (reports, inbox) = mpsc::channel(REPORTS_MAX);
        Self {
            shared,
            driver,
            common,
            limits,
            inbox,
            machine: Lifecycle::default(),
            alive: None,
            start: None,
            start_began: Instant::now(),
            readings: Readings::default(),
            reading: None,
            reports,
            sleepers: Vec::new(),
            backoff: RETRY_FIRST,
            drains: 0,
            drain_again: Instant::now(),
            recording: None,
            raise_late: false,
            place,
            end: None,
        }
    }

    fn begin_failed(&mut self, reason: &str) {
        self.machine = Lifecycle::failed();
        self.remember_failure(reason);
        self.common.journal.record(&journal::Event::EngineFailed {
            cluster: self.shared.id,
            reason: reason.to_owned(),
        });
        self.shared.status.send_modify(|s| {
            s.state = ClusterState::Failed;
            s.told += 1;
        });
    }

    async fn live(&mut self, commands: &mut mpsc::Receiver<SupervisorCommand>) {
        let mut going = true;
        while going {
            let awake = self.machine.state() == ClusterState::Awake;
            let next_check = awake.then(|| self.next_sleep_check());
            let run = self
                .alive
                .as_ref()
                .filter(|_| awake)
                .map(|a| Arc::clone(&a.run));
            let leave_at = self.is_idle().then(|| Instant::now() + SUPERVISOR_STAY);
            let shared = Arc::clone(&self.shared);
            going = tokio::select! {
                Some(report) = self.inbox.recv() => self.report(report).await,
                command = commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    // Nobody is left who could send a command.
                    None => self.feed(Event::EndAsked).await,
                },
                () = shared.wanted.notified() => self.wanted().await,
                how = run_ended(run.as_deref()) => self.died(&how).await,
                () = sleep_until(next_check) => self.consider_sleep().await,
                () = sleep_until(leave_at) => !self.leave(commands),
            };
            // After every event, since each of them may have made a waiting request answerable.
            self.serve();
            // A request for sleep waits until the engine is awake; in other states this event
            // changes nothing.
            if going && !self.sleepers.is_empty() {
                going = self.feed(Event::SleepDue).await;
            }
        }
    }

    async fn wanted(&mut self) -> bool {
        // The waiter may have given up since its notification.
        if self.shared.waiting() == 0 {
            return true;
        }
        let may_retry = self
            .shared
            .status
            .borrow()
            .retry_at
            .is_none_or(|at| Instant::now() >= at);
        self.feed(Event::Wanted { may_retry }).await
    }

    /// Tells the running engine its new limit of connections. One that starts just now may have
    /// been called with the old one, and is told when it is up.
    fn raise(&mut self) {
        self.raise_late = self.start.is_some();
        let Some(run) = self.alive.as_ref().map(|alive| Arc::clone(&alive.run)) else {
            return;
        };
        let cluster = self.shared.id;
        let limits = self.limits;
        tokio::spawn(async move {
            // The gateway's limit of connections is valid anyway; the engine's are set at its next
            // start.
            if let Err(error) = run.set_limits(&limits).await {
                let error = error_chain(&error);
                tracing::warn!(%cluster, error, "the running engine did not take its new limits");
            }
        });
    }

    /// Returns when to check the sessions again: when sleep may be due, or soon if one is busy.
    fn next_sleep_check(&self) -> Instant {
        let now = Instant::now();
        let (held, newest) = self
            .shared
            .gate()
            .idle_state(self.limits.transaction_idle_max);
        let due = newest + self.limits.sleep_after;
        if held || due <= now {
            // Busy: a tenth of the time it may sleep after is exact enough.
            (now + (self.limits.sleep_after / 10).clamp(DRAIN_AGAIN_MIN, DRAIN_AGAIN_MAX))
                .max(self.drain_again)
        } else {
            due.max(self.drain_again)
        }
    }

    async fn consider_sleep(&mut self) -> bool {
        let (held, newest) = self
            .shared
            .gate()
            .idle_state(self.limits.transaction_idle_max);
        let due = newest.elapsed() >= self.limits.sleep_after && Instant::now() >= self.drain_again;
        // A waiter is about to get a lease: after a sleep it would have to wake the engine again.
        if held || !due || self.shared.waiting() > 0 || !self.driver.sleeps() {
            return true;
        }
        self.feed(Event::SleepDue).await
    }

    async fn command(&mut self, command: SupervisorCommand) -> bool {
        match command {
            SupervisorCommand::Sleep(reply) if !self.driver.sleeps() => {
                let _ = reply.send(Err(EngineError::Unsupported("sleep")));
                true
            }
            SupervisorCommand::Sleep(reply) => {
                self.sleepers.push(reply);
                true
            }
            SupervisorCommand::Yield(reply) => {
                self.sleepers.push(reply);
                self.feed(Event::YieldDue).await
            }
            SupervisorCommand::Accounts {
                not_before,
                users,
                reply,
            } => {
                self.readings.ask(not_before, users, reply);
                true
            }
            SupervisorCommand::Limits { limits, reply } => {
                self.limits = limits;
                self.driver.set_limits(&limits);
                self.shared.apply_limits(&limits, self.driver.sleeps());
                // A refusal because of the old limits says nothing about the new ones.
                self.shared.forget_refusal();
                self.raise();
                // The caller may have left; the limits are set all the same.
                let _ = reply.send(());
                true
            }
            SupervisorCommand::End { remove, reply } => {
                self.end = Some((remove, reply));
                self.shared.status.send_modify(|s| {
                    if remove {
                        s.gone = true
                    } else {
                        s.stopping = true
                    }
                });
                self.feed(Event::EndAsked).await
            }
        }
    }

    /// Stores a failure. The waiters are told of it when the machine says so.
    fn remember_failure(&mut self, reason: &str) {
        let retry_at = Instant::now() + self.backoff;
        self.shared.status.send_modify(|s| {
            s.failure = Some(reason.into());
            s.refusal = None;
            s.retry_at = Some(retry_at);
        });
    }

    /// Stores a refusal. It is repeated for a moment without a new try, longer if it took long to
    /// find out. Not for lack of memory: that takes long by waiting, and may be over at once.
    fn remember_refusal(&mut self, kind: RefusalKind, reason: &str) {
        let told_again = match kind {
            RefusalKind::AwakeBudget => RETRY_FIRST,
            _ => RETRY_FIRST.max(self.start_began.elapsed() * REFUSAL_TOLD_TIMES),
        };
        let retry_at = Instant::now() + told_again;
        tracing::warn!(
            cluster = %self.shared.id,
            kind = kind.entry().slug,
            reason,
            "the engine may not start now"
        );
        self.shared.status.send_modify(|s| {
            s.failure = Some(reason.into());
            s.refusal = Some(kind);
            s.retry_at = Some(retry_at);
        });
    }

    /// Feeds an event to the machine and carries out its actions. False when the work is over.
    async fn feed(&mut self, event: Event) -> bool {
        let actions = self.machine.on(event);
        let state = self.machine.state();
        // Before the actions, so that a waiter that is told of a failure finds the state `failed`.
        self.shared.status.send_modify(|s| s.state = state);
        let mut going = true;
        for action in &actions {
            match action {
                Action::Start => self.begin_start(),
                // The gate was opened with the run, or again with the leases, before the state says
                // so.
                Action::Open => {}
                Action::Close => {
                    self.shared.set_run(None);
                    drop(self.shared.gate().close());
                }
                Action::Drain => self.begin_drain(DrainForce::None),
                Action::DrainAnyway => self.begin_drain(DrainForce::Stop),
                Action::DrainForMemory => self.begin_drain(DrainForce::YieldMemory),
                Action::AbortStart => self.abort_start().await,
                Action::TellFailure => self.tell_failure(event),
                Action::TellRefusal => self.shared.status.send_modify(|s| s.told += 1),
                Action::Finish => going = false,
            }
        }
        if !going {
            self.finish().await;
        }
        going
    }

    fn tell_failure(&mut self, event: Event) {
        // Repeating an old failure to a waiter is no new failure.
        if !matches!(event, Event::Wanted { .. }) {
            self.backoff = (self.backoff * 2).min(RETRY_LAST);
            let reason = self
                .shared
                .status
                .borrow()
                .failure
                .as_deref()
                .unwrap_or_default()
                .to_owned();
            self.common.journal.record(&journal::Event::EngineFailed {
                cluster: self.shared.id,
                reason,
            });
        }
        self.shared.status.send_modify(|s| s.told += 1);
    }
}

#[cfg(test)]
#[path = "supervisor/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "supervisor/place_tests.rs"]
mod place_tests;
