//! Work that a supervisor starts and ends: starts, drains and readings in tasks beside it, and the
//! answers to requests that wait for a state.

use super::{PANICKED, Supervisor};
use crate::drain::{DrainEnd, DrainForce, DrainOrder, RunEnd, drain};
use crate::error::{ReadingError, StartError};
use crate::limits::RETRY_FIRST;
use crate::messages::{SupervisorCommand, SupervisorReport};
use crate::tasks::{read_due_accounts, spawn_reporting, start_engine};
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::ClusterState;
use tokio::sync::mpsc;

impl Supervisor {
    /// Whether a supervisor that is made later would be in the same state.
    pub(super) fn is_idle(&self) -> bool {
        self.machine.is_new()
            && self.reading.is_none()
            && self.readings.is_quiet()
            && self.sleepers.is_empty()
            && self.recording.is_none()
            && self.backoff == RETRY_FIRST
    }

    /// Gives up the place if nobody needs a supervisor.
    pub(super) fn leave(&self, commands: &mpsc::Receiver<SupervisorCommand>) -> bool {
        let budget = &self.common.budget;
        let place = self.place.upgrade();
        place.is_some_and(|place| place.vacate(commands, || budget.leave(self.shared.id)))
    }

    pub(super) async fn abort_start(&mut self) {
        let Some(start) = self.start.take() else {
            return;
        };
        start.abort();
        // The driver kills its process when the future is dropped, which is done when the task has
        // ended.
        let _ = start.await;
        // A start that has just ended is on its way to us. Its engine holds the cluster's lock.
        while let Ok(report) = self.inbox.try_recv() {
            if let SupervisorReport::Started(Ok(started)) = report {
                started.run.stop().await;
            }
        }
    }

    pub(super) fn begin_start(&mut self) {
        let driver = Arc::clone(&self.driver);
        let common = self.common.clone();
        let shared = Arc::clone(&self.shared);
        self.start_began = Instant::now();
        // The record of the new run's beginning replaces that of the old one's end.
        self.recording = None;
        let work = async move {
            SupervisorReport::Started(start_engine(driver.as_ref(), &common, &shared).await)
        };
        let panicked = || SupervisorReport::Started(Err(StartError::new(PANICKED)));
        self.start = Some(spawn_reporting(self.reports.clone(), work, panicked));
    }

    pub(super) fn begin_drain(&mut self, force: DrainForce) {
        let Some(alive) = &self.alive else { return };
        self.drains += 1;
        let order = DrainOrder {
            cluster: self.shared.id,
            epoch: alive.epoch,
            run: Arc::clone(&alive.run),
            // Nobody may attach to an engine that is about to stop.
            leases: self.shared.gate().close(),
            ledger: Arc::clone(&self.common.ledger),
            number: self.drains,
            transaction_idle_max: self.limits.transaction_idle_max,
            force,
        };
        let run = Arc::clone(&alive.run);
        let reading = self.reading.take();
        let work = async move {
            // Otherwise its older accounts could be recorded after the last ones.
            if let Some(reading) = reading {
                let _ = reading.await;
            }
            SupervisorReport::Drained(drain(order).await)
        };
        let panicked = move || {
            // After a panic the state of its sessions and accounts is unknown.
            run.kill_because(PANICKED.to_owned());
            SupervisorReport::Drained(DrainEnd::Stopped {
                end: RunEnd::Unclean,
                evicted: 0,
            })
        };
        spawn_reporting(self.reports.clone(), work, panicked);
    }

    /// Answers requests that wait for a state: of operators for sleep, of logins for a reading.
    pub(super) fn serve(&mut self) {
        let state = self.machine.state();
        let status = self.shared.status.borrow().clone();
        match state {
            ClusterState::Awake => {
                let Some(alive) = &self.alive else { return };
                if let Some(users) = self.readings.begin() {
                    let run = Arc::clone(&alive.run);
                    let epoch = alive.epoch;
                    let work = async move {
                        SupervisorReport::Read(read_due_accounts(run.as_ref(), epoch, &users).await)
                    };
                    let panicked = || SupervisorReport::Read(Err(ReadingError::Inside));
                    self.reading = Some(spawn_reporting(self.reports.clone(), work, panicked));
                }
            }
            ClusterState::Asleep | ClusterState::Failed => {
                let answer = match (state, self.shared.clean()) {
                    (ClusterState::Asleep, true) => Err(ReadingError::Asleep),
                    (ClusterState::Asleep, false) => Err(ReadingError::NotRecovered),
                    _ => {
                        let failure = status
                            .failure
                            .unwrap_or_else(|| "it failed to start".into());
                        Err(ReadingError::Failed(failure))
                    }
                };
                self.readings.answer_all(&answer);
                for sleeper in self.sleepers.drain(..) {
                    let _ = sleeper.send(Ok(()));
                }
            }
            ClusterState::Waking | ClusterState::Draining => {}
        }
    }

    pub(super) async fn finish(&mut self) {
        // Dropping the run kills an engine that is still alive.
        self.alive = None;
        self.readings.answer_all(&Err(ReadingError::Stopping));
        if let Some((remove, reply)) = self.end.take() {
            let result = if remove {
                self.driver.remove().await
            } else {
                Ok(())
            };
            let _ = reply.send(result);
        }
    }
}
