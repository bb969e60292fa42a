//! Reactions of a supervisor to the reports of its tasks and to the end of an engine.

use super::{Alive, Supervisor};
use crate::drain::{DrainEnd, RunEnd};
use crate::driver::{Driver, Run};
use crate::error::EngineError;
use crate::lifecycle::Event;
use crate::limits::{DRAIN_AGAIN_MAX, DRAIN_AGAIN_MIN, RECOVERED_STAY, RETRY_FIRST, SETTLED_AFTER};
use crate::messages::SupervisorReport;
use crate::tasks::{Started, record_end, watch_health};
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::{EngineEndpoint, RunEpoch, journal};

/// End of a frozen engine, for the journal.
const FROZEN: &str = "it was frozen (no greeting and no CPU time used) and was killed";

/// Returns the way to reach this run.
fn endpoint(driver: &dyn Driver, run: &dyn Run) -> EngineEndpoint {
    EngineEndpoint {
        address: Arc::new(driver.address()),
        certificate: run.certificate(),
    }
}

impl Supervisor {
    pub(super) async fn died(&mut self, how: &str) -> bool {
        let Some(alive) = self.alive.take() else {
            return true;
        };
        self.common.journal.record(&journal::Event::EngineDied {
            cluster: self.shared.id,
            run: alive.epoch,
            status: how.to_owned(),
        });
        let settled = alive.since.elapsed() >= SETTLED_AFTER;
        // Not part of a crash loop: the next failure begins with the first pause again.
        if settled {
            self.backoff = RETRY_FIRST;
        }
        // Stored for each crash; the waiters get it only if the machine stops restarting the
        // engine.
        self.remember_failure(&format!("the engine crashed repeatedly, last: {how}"));
        self.feed(Event::Died { settled }).await
    }

    pub(super) async fn report(&mut self, report: SupervisorReport) -> bool {
        match report {
            SupervisorReport::Started(Ok(started)) => self.started(started).await,
            SupervisorReport::Started(Err(e)) => {
                self.start = None;
                if let Some(kind) = e.refusal {
                    self.remember_refusal(kind, &e.report());
                    return self.feed(Event::StartRefused).await;
                }
                self.remember_failure(&e.report());
                self.feed(Event::StartFailed { killed: e.killed }).await
            }
            SupervisorReport::Drained(DrainEnd::Refused { leases }) => {
                let again = (self.limits.sleep_after / 10).clamp(DRAIN_AGAIN_MIN, DRAIN_AGAIN_MAX);
                // A busy cluster would otherwise be drained again in a loop.
                self.drain_again = Instant::now() + again;
                if let Some(alive) = &self.alive {
                    let engine = endpoint(self.driver.as_ref(), alive.run.as_ref());
                    self.shared.gate().reopen(alive.epoch, engine, leases);
                }
                let sleepers = std::mem::take(&mut self.sleepers);
                // Before the answers, so that whoever gets one finds the cluster awake.
                let going = self.feed(Event::DrainRefused).await;
                for sleeper in sleepers {
                    let _ = sleeper.send(Err(EngineError::Busy));
                }
                going
            }
            SupervisorReport::Drained(DrainEnd::Stopped { end, evicted }) => {
                self.stopped(end, evicted).await
            }
            SupervisorReport::Recorded(run) => {
                // A start that began meanwhile has dropped this task.
                if self.recording.take_if(|(epoch, _)| *epoch == run).is_some() {
                    self.shared.set_clean(true);
                }
                true
            }
            SupervisorReport::Frozen(epoch) => {
                self.frozen(epoch);
                true
            }
            SupervisorReport::Read(answer) => {
                self.reading = None;
                self.readings.done(&answer);
                true
            }
        }
    }

    async fn started(&mut self, started: Started) -> bool {
        self.start = None;
        self.shared
            .set_run(Some((started.epoch, Arc::downgrade(&started.run))));
        self.common.journal.record(&journal::Event::EngineStarted {
            cluster: self.shared.id,
            run: started.epoch,
            took: started.took,
            recovery: started.recovery,
        });
        // Nobody has asked for an engine that was recovered: it may sleep soon.
        let now = Instant::now();
        let early = self.limits.sleep_after.saturating_sub(RECOVERED_STAY);
        let newest = if started.recovery {
            now.checked_sub(early).unwrap_or(now)
        } else {
            now
        };
        let engine = endpoint(self.driver.as_ref(), started.run.as_ref());
        self.shared
            .gate()
            .open(started.epoch, engine, newest, started.run.at_disk_limit());
        let health = watch_health(
            Arc::clone(&started.run),
            started.epoch,
            &self.common,
            self.reports.clone(),
        );
        let run = started.run;
        let epoch = started.epoch;
        self.alive = Some(Alive {
            run,
            epoch,
            since: now,
            _health: health,
        });
        // The engine's command line may have been built before the new limits were set.
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

    /// Kills a frozen engine. Its end is then noticed as any other.
    fn frozen(&mut self, epoch: RunEpoch) {
        // The report may be about an earlier run.
        let Some(alive) = self.alive.as_ref().filter(|alive| alive.epoch == epoch) else {
            return;
        };
        let cluster = self.shared.id;
        let silent = self.common.frozen_after;
        self.common.journal.record(&journal::Event::EngineFrozen {
            cluster,
            run: epoch,
            silent,
        });
        alive.run.kill_because(FROZEN.to_owned());
    }

    async fn stopped(&mut self, end: RunEnd, evicted: usize) -> bool {
        // An end that is not recorded yet needs no recovery while this server runs: it knows the
        // accounts.
        let clean = !matches!(end, RunEnd::Unclean);
        if clean {
            self.backoff = RETRY_FIRST;
        }
        self.shared.set_run(None);
        if let Some(alive) = self.alive.take() {
            let cluster = self.shared.id;
            let run = alive.epoch;
            self.common.journal.record(&if clean {
                journal::Event::EngineSlept {
                    cluster,
                    run,
                    sessions_evicted: evicted,
                }
            } else {
                let status = "it was stopped without a last reading of its accounts".to_owned();
                journal::Event::EngineDied {
                    cluster,
                    run,
                    status,
                }
            });
        }
        // Unclean until the ledger has the end. A recovery that would not be necessary is safe.
        self.shared.set_clean(matches!(end, RunEnd::Recorded));
        if let RunEnd::Unrecorded { run, book } = end {
            self.recording = Some((
                run,
                record_end(
                    self.shared.id,
                    run,
                    book,
                    &self.common,
                    self.reports.clone(),
                ),
            ));
        }
        let sleepers = std::mem::take(&mut self.sleepers);
        let queued = self.shared.waiting() > 0;
        let going = self.feed(Event::Stopped { clean, queued }).await;
        // Answered last, so that whoever asks for the state next sees the new one.
        for sleeper in sleepers {
            let _ = sleeper.send(Ok(()));
        }
        going
    }
}
