//! One task per cluster: feeds the lifecycle machine and does what it says. Never blocks: starts,
//! drains and readings run beside it and report back.

mod reports;

use crate::drain::{Drain, DrainEnd, RunEnd, drain};
use crate::driver::{Driver, Run};
use crate::error::{EngineError, StartError};
use crate::hears::{Command, Report};
use crate::lifecycle::{Action, Event, Lifecycle};
use crate::limits::{
    DRAIN_AGAIN_MAX, DRAIN_AGAIN_MIN, REFUSAL_TOLD_TIMES, REPORTS_MAX, RETRY_FIRST, RETRY_LAST,
};
use crate::readings::Readings;
use crate::status::Shared;
use crate::tasks::{Beside, Common, at, ended, read, spawn_reporting, start};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_model::{ClusterLimits, ClusterState, RefusalKind, RunEpoch, journal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Failure of a cluster whose supervision or one of its tasks panicked.
const PANICKED: &str = "an error inside Tidegate; the server's log has it";

struct Alive {
    run: Arc<dyn Run>,
    epoch: RunEpoch,
    since: Instant,
    /// Reports the run when it freezes.
    _health: Beside,
}

pub struct Supervisor {
    shared: Arc<Shared>,
    driver: Arc<dyn Driver>,
    common: Common,
    limits: ClusterLimits,
    inbox: mpsc::Receiver<Report>,
    machine: Lifecycle,
    alive: Option<Alive>,
    start: Option<JoinHandle<()>>,
    start_began: Instant,
    readings: Readings,
    /// The task of the one that runs.
    reading: Option<JoinHandle<()>>,
    reports: mpsc::Sender<Report>,
    sleepers: Vec<oneshot::Sender<Result<(), EngineError>>>,
    backoff: Duration,
    drains: u64,
    /// After a refusal, no drain before this.
    drain_again: Instant,
    /// Notes the end of the last run late.
    noting: Option<(RunEpoch, Beside)>,
    /// The limit of connections changed during a start.
    raise_late: bool,
    end: Option<(bool, oneshot::Sender<Result<(), EngineError>>)>,
}

impl Supervisor {
    /// Watches over one cluster until it ends. `failure`: it can't be started at the moment, and
    /// why. A panic of ours ends its engine, leaves the cluster failed, and the watch goes on.
    pub fn spawn(
        shared: Arc<Shared>,
        driver: Arc<dyn Driver>,
        common: Common,
        mut limits: ClusterLimits,
        mut failure: Option<String>,
        mut commands: mpsc::Receiver<Command>,
    ) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                let mut supervisor = Self::new(
                    Arc::clone(&shared),
                    Arc::clone(&driver),
                    common.clone(),
                    limits,
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
                tracing::error!(cluster = %shared.id, "its supervision panicked; the engine is ended");
                limits = supervisor.limits;
                shared.set_run(None);
                shared.set_clean(false);
                drop(shared.gate().close());
                failure = Some(PANICKED.to_owned());
            }
        })
    }

    fn new(
        shared: Arc<Shared>,
        driver: Arc<dyn Driver>,
        common: Common,
        limits: ClusterLimits,
    ) -> Self {
        let (reports, inbox) = mpsc::channel(REPORTS_MAX);
        shared.set_always_on(&limits, driver.sleeps());
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
            noting: None,
            raise_late: false,
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

    async fn live(&mut self, commands: &mut mpsc::Receiver<Command>) {
        let mut going = true;
        while going {
            let awake = self.machine.state() == ClusterState::Awake;
            let look = if awake { Some(self.next_look()) } else { None };
            let run = self
                .alive
                .as_ref()
                .filter(|_| awake)
                .map(|a| Arc::clone(&a.run));
            let shared = Arc::clone(&self.shared);
            going = tokio::select! {
                Some(report) = self.inbox.recv() => self.report(report).await,
                command = commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    // Everybody who could ask is gone.
                    None => self.feed(Event::EndAsked).await,
                },
                () = shared.wanted.notified() => self.wanted().await,
                how = ended(run.as_deref()) => self.died(&how).await,
                () = at(look) => self.look().await,
            };
            self.serve();
            if going && !self.sleepers.is_empty() {
                going = self.feed(Event::SleepDue).await;
            }
        }
    }

    async fn wanted(&mut self) -> bool {
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
        let (cluster, limits) = (self.shared.id, self.limits);
        tokio::spawn(async move {
            // The gateway's limit of connections is valid anyway; the engine's are set at its next
            // start.
            if let Err(error) = run.set_limits(&limits).await {
                tracing::warn!(%cluster, %error, "the running engine did not take its new limits");
            }
        });
    }

    /// When to look at the sessions again: at the moment sleep may be due, or soon if somebody is
    /// busy.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let (held, newest) = self.shared.gate().look(self.limits.transaction_idle_max);
        let due = newest + self.limits.sleep_after;
        if held || due <= now {
            // Busy: a tenth of the time it may sleep after is exact enough.
            (now + (self.limits.sleep_after / 10).clamp(DRAIN_AGAIN_MIN, DRAIN_AGAIN_MAX))
                .max(self.drain_again)
        } else {
            due.max(self.drain_again)
        }
    }

    async fn look(&mut self) -> bool {
        let (held, newest) = self.shared.gate().look(self.limits.transaction_idle_max);
        let due = newest.elapsed() >= self.limits.sleep_after && Instant::now() >= self.drain_again;
        if held || !due || self.shared.waiting() > 0 || !self.driver.sleeps() {
            return true;
        }
        self.feed(Event::SleepDue).await
    }

    async fn command(&mut self, command: Command) -> bool {
        match command {
            Command::Sleep(reply) if !self.driver.sleeps() => {
                let _ = reply.send(Err(EngineError::Unsupported("sleep")));
                true
            }
            Command::Sleep(reply) => {
                self.sleepers.push(reply);
                true
            }
            Command::Accounts {
                not_before,
                users,
                reply,
            } => {
                self.readings.ask(not_before, users, reply);
                true
            }
            Command::Limits(limits) => {
                self.limits = limits;
                self.driver.set_limits(&limits);
                self.shared.set_always_on(&limits, self.driver.sleeps());
                self.shared.forget_refusal();
                self.raise();
                true
            }
            Command::End { remove, reply } => {
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

    /// Kept until it is told; told only if the machine says so.
    fn remember_failure(&mut self, reason: &str) {
        let retry_at = Instant::now() + self.backoff;
        self.shared.status.send_modify(|s| {
            s.failure = Some(reason.into());
            s.refusal = None;
            s.retry_at = Some(retry_at);
        });
    }

    /// The refusal is told again for a moment, longer if it took long to find out.
    fn remember_refusal(&mut self, kind: RefusalKind, reason: &str) {
        let retry_at =
            Instant::now() + RETRY_FIRST.max(self.start_began.elapsed() * REFUSAL_TOLD_TIMES);
        tracing::warn!(cluster = %self.shared.id, kind = kind.entry().slug, reason, "the engine may not start now");
        self.shared.status.send_modify(|s| {
            s.failure = Some(reason.into());
            s.refusal = Some(kind);
            s.retry_at = Some(retry_at);
        });
    }

    /// One event into the machine, its actions done. False when the work is over.
    async fn feed(&mut self, event: Event) -> bool {
        let actions = self.machine.on(event);
        let state = self.machine.state();
        // Before the actions, so that who is told of a failure finds the state that goes with it.
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
                Action::Drain => self.begin_drain(false),
                Action::DrainAnyway => self.begin_drain(true),
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

    async fn abort_start(&mut self) {
        let Some(start) = self.start.take() else {
            return;
        };
        start.abort();
        let _ = start.await;
        // A start that has just ended is on its way to us. Its engine holds the cluster's lock.
        while let Ok(report) = self.inbox.try_recv() {
            if let Report::Started(Ok(started)) = report {
                started.run.stop().await;
            }
        }
    }

    fn begin_start(&mut self) {
        let (driver, common, shared) = (
            Arc::clone(&self.driver),
            self.common.clone(),
            Arc::clone(&self.shared),
        );
        self.start_began = Instant::now();
        // The new run's beginning replaces the note of the old one's end.
        self.noting = None;
        let work = async move { Report::Started(start(driver.as_ref(), &common, &shared).await) };
        let panicked = || Report::Started(Err(StartError::new(PANICKED)));
        self.start = Some(spawn_reporting(self.reports.clone(), work, panicked));
    }

    fn begin_drain(&mut self, anyway: bool) {
        let Some(alive) = &self.alive else { return };
        self.drains += 1;
        let order = Drain {
            cluster: self.shared.id,
            epoch: alive.epoch,
            run: Arc::clone(&alive.run),
            leases: self.shared.gate().close(),
            ledger: Arc::clone(&self.common.ledger),
            number: self.drains,
            transaction_idle_max: self.limits.transaction_idle_max,
            anyway,
        };
        let (run, reading) = (Arc::clone(&alive.run), self.reading.take());
        let work = async move {
            // Else its older accounts could be noted after the last ones.
            if let Some(reading) = reading {
                let _ = reading.await;
            }
            Report::Drained(drain(order).await)
        };
        let panicked = move || {
            run.kill_because(PANICKED.to_owned());
            Report::Drained(DrainEnd::Stopped {
                end: RunEnd::Unclean,
                evicted: 0,
            })
        };
        spawn_reporting(self.reports.clone(), work, panicked);
    }

    /// What waits for a state: operators who asked for sleep, logins who asked for a reading.
    fn serve(&mut self) {
        let state = self.machine.state();
        let status = self.shared.status.borrow().clone();
        match state {
            ClusterState::Awake => {
                let Some(alive) = &self.alive else { return };
                if let Some(due) = self.readings.begin() {
                    let (run, epoch) = (Arc::clone(&alive.run), alive.epoch);
                    let work = async move { Report::Read(read(run.as_ref(), epoch, &due).await) };
                    let panicked = || Report::Read(Err(PANICKED.to_owned()));
                    self.reading = Some(spawn_reporting(self.reports.clone(), work, panicked));
                }
            }
            ClusterState::Asleep | ClusterState::Failed => {
                let answer = match (state, self.shared.clean()) {
                    (ClusterState::Asleep, true) => {
                        Err("it sleeps: its accounts are those in the store".to_owned())
                    }
                    (ClusterState::Asleep, false) => {
                        Err("the engine has not been recovered yet".to_owned())
                    }
                    _ => Err(status
                        .failure
                        .as_deref()
                        .unwrap_or("it failed to start")
                        .to_owned()),
                };
                self.readings.answer_all(&answer);
                for sleeper in self.sleepers.drain(..) {
                    let _ = sleeper.send(Ok(()));
                }
            }
            ClusterState::Waking | ClusterState::Draining => {}
        }
    }

    async fn finish(&mut self) {
        self.alive = None;
        self.readings
            .answer_all(&Err("the server is stopping".to_owned()));
        if let Some((remove, reply)) = self.end.take() {
            let result = if remove {
                self.driver.remove().await.map_err(EngineError::Admin)
            } else {
                Ok(())
            };
            let _ = reply.send(result);
        }
    }
}

#[cfg(test)]
#[path = "supervisor/tests.rs"]
mod tests;
