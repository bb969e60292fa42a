//! One task per cluster: feeds the lifecycle machine and does what it says. Never blocks: starts, drains and readings
//! run beside it and report back.

use crate::drain::{Drain, DrainEnd, RunEnd, drain};
use crate::driver::{Driver, Run};
use crate::error::EngineError;
use crate::hears::{Command, Report};
use crate::lifecycle::{Action, Event, Lifecycle};
use crate::limits::{
    DRAIN_AGAIN_MAX, DRAIN_AGAIN_MIN, RECOVERED_STAY, REFUSAL_TOLD_TIMES, REPORTS_MAX, RETRY_FIRST, RETRY_LAST,
    SETTLED_AFTER,
};
use crate::readings::Readings;
use crate::status::Shared;
use crate::tasks::{Beside, Common, Started, at, ended, note_end, read, start, watch_health};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_model::{ClusterLimits, ClusterState, RefusalKind, RunEpoch, journal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How a frozen engine died.
const FROZEN: &str = "it was frozen (no greeting and no CPU time used) and was killed";

struct Alive {
    run: Arc<dyn Run>,
    epoch: RunEpoch,
    since: Instant,
    frozen: bool,
    /// Watch its health and its disk use.
    _watches: [Beside; 2],
}

pub struct Supervisor {
    shared: Arc<Shared>,
    driver: Arc<dyn Driver>,
    common: Common,
    limits: ClusterLimits,
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
    pub fn spawn(
        shared: Arc<Shared>,
        driver: Arc<dyn Driver>,
        common: Common,
        limits: ClusterLimits,
        commands: mpsc::Receiver<Command>,
    ) -> JoinHandle<()> {
        let (reports, inbox) = mpsc::channel(REPORTS_MAX);
        shared.set_always_on(&limits);
        let supervisor = Self {
            shared,
            driver,
            common,
            limits,
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
        };
        tokio::spawn(supervisor.live(commands, inbox))
    }

    async fn live(mut self, mut commands: mpsc::Receiver<Command>, mut inbox: mpsc::Receiver<Report>) {
        let mut going = true;
        while going {
            let awake = self.machine.state() == ClusterState::Awake;
            let look = if awake { Some(self.next_look()) } else { None };
            let run = self.alive.as_ref().filter(|_| awake).map(|a| Arc::clone(&a.run));
            let shared = Arc::clone(&self.shared);
            going = tokio::select! {
                Some(report) = inbox.recv() => self.report(report).await,
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
        let may_retry = self.shared.status.borrow().retry_at.is_none_or(|at| Instant::now() >= at);
        self.feed(Event::Wanted { may_retry }).await
    }

    async fn died(&mut self, how: &str) -> bool {
        let Some(alive) = self.alive.take() else { return true };
        let how = if alive.frozen { FROZEN } else { how };
        self.common.journal.record(&journal::Event::EngineDied {
            cluster: self.shared.id,
            run: alive.epoch,
            status: how.to_owned(),
        });
        self.remember_failure(&format!("it died again and again, last: {how}"));
        self.feed(Event::Died { settled: alive.since.elapsed() >= SETTLED_AFTER }).await
    }

    /// Tells the running engine its new limit of connections. One that starts just now may have been called with the
    /// old one, and is told when it is up.
    fn raise(&mut self) {
        self.raise_late = self.start.is_some();
        let Some(run) = self.alive.as_ref().map(|alive| Arc::clone(&alive.run)) else { return };
        let (cluster, limits) = (self.shared.id, self.limits);
        tokio::spawn(async move {
            // The gateway's limit of connections is valid anyway; the engine's are set at its next start.
            if let Err(error) = run.set_limits(&limits).await {
                tracing::warn!(%cluster, %error, "the running engine did not take its new limits");
            }
        });
    }

    /// When to look at the sessions again: at the moment sleep may be due, or soon if somebody is busy.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let (held, newest) = self.shared.gate().look(self.limits.transaction_idle_max);
        let due = newest + self.limits.sleep_after;
        if held || due <= now {
            // Busy: a tenth of the time it may sleep after is exact enough.
            (now + (self.limits.sleep_after / 10).clamp(DRAIN_AGAIN_MIN, DRAIN_AGAIN_MAX)).max(self.drain_again)
        } else {
            due.max(self.drain_again)
        }
    }

    async fn look(&mut self) -> bool {
        let (held, newest) = self.shared.gate().look(self.limits.transaction_idle_max);
        let due = newest.elapsed() >= self.limits.sleep_after && Instant::now() >= self.drain_again;
        if held || !due || self.shared.waiting() > 0 {
            return true;
        }
        self.feed(Event::SleepDue).await
    }

    async fn command(&mut self, command: Command) -> bool {
        match command {
            Command::Sleep(reply) => {
                self.sleepers.push(reply);
                true
            }
            Command::Accounts { not_before, users, reply } => {
                self.readings.ask(not_before, users, reply);
                true
            }
            Command::Limits(limits) => {
                self.limits = limits;
                self.driver.set_limits(&limits);
                self.shared.set_always_on(&limits);
                self.shared.forget_refusal();
                self.raise();
                true
            }
            Command::End { remove, reply } => {
                self.end = Some((remove, reply));
                self.shared.status.send_modify(|s| if remove { s.gone = true } else { s.stopping = true });
                self.feed(Event::EndAsked).await
            }
        }
    }

    async fn report(&mut self, report: Report) -> bool {
        match report {
            Report::Started(Ok(started)) => self.started(started).await,
            Report::Started(Err(e)) => {
                self.start = None;
                if let Some(kind) = e.refusal {
                    self.remember_refusal(kind, &e.reason);
                    return self.feed(Event::StartRefused).await;
                }
                self.remember_failure(&e.reason);
                self.feed(Event::StartFailed { killed: e.killed }).await
            }
            Report::Drained(DrainEnd::Refused { leases }) => {
                let again = (self.limits.sleep_after / 10).clamp(DRAIN_AGAIN_MIN, DRAIN_AGAIN_MAX);
                self.drain_again = Instant::now() + again;
                if let Some(alive) = &self.alive {
                    self.shared.gate().reopen(alive.epoch, self.driver.socket(), leases);
                }
                let sleepers = std::mem::take(&mut self.sleepers);
                let going = self.feed(Event::DrainRefused).await;
                for sleeper in sleepers {
                    let _ = sleeper.send(Err(EngineError::Busy));
                }
                going
            }
            Report::Drained(DrainEnd::Stopped { end, evicted }) => self.stopped(end, evicted).await,
            Report::Noted(run) => {
                // Not if a start has given it up meanwhile.
                if self.noting.take_if(|(noting, _)| *noting == run).is_some() {
                    self.shared.set_clean(true);
                }
                true
            }
            Report::Frozen(epoch) => {
                self.frozen(epoch);
                true
            }
            Report::Read(answer) => {
                self.reading = None;
                self.readings.done(&answer);
                true
            }
        }
    }

    async fn started(&mut self, started: Started) -> bool {
        self.start = None;
        self.backoff = RETRY_FIRST;
        self.shared.set_run(Some((started.epoch, Arc::downgrade(&started.run))));
        self.common.journal.record(&journal::Event::EngineStarted {
            cluster: self.shared.id,
            run: started.epoch,
            took: started.took,
            recovery: started.recovery,
        });
        // One that was recovered was wanted by nobody yet: it may sleep soon.
        let now = Instant::now();
        let early = self.limits.sleep_after.saturating_sub(RECOVERED_STAY);
        let newest = if started.recovery { now.checked_sub(early).unwrap_or(now) } else { now };
        self.shared.gate().open(started.epoch, self.driver.socket(), newest);
        let health = watch_health(Arc::clone(&started.run), started.epoch, &self.common, self.reports.clone());
        let disk = Beside::spawn(self.driver.disk().watch(Arc::downgrade(&started.run)));
        let (run, epoch) = (started.run, started.epoch);
        self.alive = Some(Alive { run, epoch, since: now, frozen: false, _watches: [health, disk] });
        if std::mem::take(&mut self.raise_late) {
            self.raise();
        }
        self.shared.status.send_modify(|s| {
            s.failure = None;
            s.refusal = None;
            s.retry_at = None;
        });
        self.feed(Event::Ready).await
    }

    /// Its end is noticed as any other.
    fn frozen(&mut self, epoch: RunEpoch) {
        let Some(alive) = self.alive.as_mut().filter(|alive| alive.epoch == epoch) else { return };
        alive.frozen = true;
        let (cluster, silent) = (self.shared.id, self.common.frozen_after);
        self.common.journal.record(&journal::Event::EngineFrozen { cluster, run: epoch, silent });
        alive.run.kill();
    }

    async fn stopped(&mut self, end: RunEnd, evicted: usize) -> bool {
        // An end that is not noted yet needs no recovery while this server lives.
        let clean = !matches!(end, RunEnd::Unclean);
        self.shared.set_run(None);
        if let Some(alive) = self.alive.take() {
            let (cluster, run) = (self.shared.id, alive.epoch);
            self.common.journal.record(&if clean {
                journal::Event::EngineSlept { cluster, run, sessions_evicted: evicted }
            } else {
                let status = "it was stopped without a last reading of its accounts".to_owned();
                journal::Event::EngineDied { cluster, run, status }
            });
        }
        self.shared.set_clean(matches!(end, RunEnd::Noted));
        if let RunEnd::Unnoted { run, book } = end {
            self.noting = Some((run, note_end(self.shared.id, run, book, &self.common, self.reports.clone())));
        }
        let sleepers = std::mem::take(&mut self.sleepers);
        let queued = self.shared.waiting() > 0;
        let going = self.feed(Event::Stopped { clean, queued }).await;
        // Told last: who asks for the state next sees it.
        for sleeper in sleepers {
            let _ = sleeper.send(Ok(()));
        }
        going
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
        let retry_at = Instant::now() + RETRY_FIRST.max(self.start_began.elapsed() * REFUSAL_TOLD_TIMES);
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
                // The gate was opened with the run, or again with the leases, before the state says so.
                Action::Open => {}
                Action::Close => {
                    self.shared.set_run(None);
                    drop(self.shared.gate().close());
                }
                Action::Drain => self.begin_drain(false),
                Action::DrainAnyway => self.begin_drain(true),
                Action::AbortStart => {
                    if let Some(start) = self.start.take() {
                        start.abort();
                        let _ = start.await;
                    }
                }
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
            let reason = self.shared.status.borrow().failure.as_deref().unwrap_or_default().to_owned();
            self.common.journal.record(&journal::Event::EngineFailed { cluster: self.shared.id, reason });
        }
        self.shared.status.send_modify(|s| s.told += 1);
    }

    fn begin_start(&mut self) {
        let (driver, common, shared) = (Arc::clone(&self.driver), self.common.clone(), Arc::clone(&self.shared));
        let reports = self.reports.clone();
        self.start_began = Instant::now();
        // The new run's beginning replaces the note of the old one's end.
        self.noting = None;
        self.start = Some(tokio::spawn(async move {
            let result = start(driver.as_ref(), &common, &shared).await;
            let _ = reports.send(Report::Started(result)).await;
        }));
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
        let (reports, reading) = (self.reports.clone(), self.reading.take());
        tokio::spawn(async move {
            // Else its older accounts could be noted after the last ones.
            if let Some(reading) = reading {
                let _ = reading.await;
            }
            let end = drain(order).await;
            let _ = reports.send(Report::Drained(end)).await;
        });
    }

    /// What waits for a state: operators who asked for sleep, logins who asked for a reading.
    fn serve(&mut self) {
        let state = self.machine.state();
        let status = self.shared.status.borrow().clone();
        match state {
            ClusterState::Awake => {
                let Some(alive) = &self.alive else { return };
                if let Some(due) = self.readings.begin() {
                    let (run, epoch, reports) = (Arc::clone(&alive.run), alive.epoch, self.reports.clone());
                    self.reading = Some(tokio::spawn(async move {
                        let answer = read(run.as_ref(), epoch, &due).await;
                        let _ = reports.send(Report::Read(answer)).await;
                    }));
                }
            }
            ClusterState::Asleep | ClusterState::Failed => {
                let answer = match (state, self.shared.clean()) {
                    (ClusterState::Asleep, true) => Err("it sleeps: its accounts are those in the store".to_owned()),
                    (ClusterState::Asleep, false) => Err("the engine has not been recovered yet".to_owned()),
                    _ => Err(status.failure.as_deref().unwrap_or("it failed to start").to_owned()),
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
        self.readings.answer_all(&Err("the server is stopping".to_owned()));
        if let Some((remove, reply)) = self.end.take() {
            let result = if remove { self.driver.remove().await.map_err(EngineError::Admin) } else { Ok(()) };
            let _ = reply.send(result);
        }
    }
}
