//! The manager's loop: checks clock, pairs and records, and orders a certificate when it is due.

use crate::acme::attempt::Attempt;
use crate::acme::host::Host;
use crate::acme::key::KeyKind;
use crate::acme::limits::{CHECK_DELAY_MAX, CHECK_DELAY_MIN};
use crate::acme::manager::Manager;
use crate::acme::record::Record;
use crate::acme::schedule::{self, Decision};
use crate::acme::store::StoredPair;
use crate::acme::times::{date_text, wait_of};
use crate::alarm::AlarmKind;
use crate::lock::locked;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tidegate_model::error_chain;
use tokio::sync::oneshot;

impl Manager {
    /// Runs the manager until the sender of `gone` is dropped. Returns false after a panic and a
    /// delay.
    pub async fn run_until(&self, host: &dyn Host, gone: &mut oneshot::Receiver<()>) -> bool {
        let running = AssertUnwindSafe(self.run(host)).catch_unwind();
        let panicked = tokio::select! {
            ended = running => ended.is_err(),
            _ = &mut *gone => return true,
        };
        tokio::select! {
            () = tokio::time::sleep(CHECK_DELAY_MAX) => !panicked,
            _ = gone => true,
        }
    }

    /// Runs the manager until the future is dropped.
    async fn run(&self, host: &dyn Host) {
        self.restore_answers(host).await;
        loop {
            let mut wait = CHECK_DELAY_MAX;
            for kind in self.kinds() {
                // An import must not replace the files in the middle of an order.
                let _busy = self.busy.lock().await;
                wait = wait.min(self.check_kind(*kind, host).await);
            }
            tokio::select! {
                () = tokio::time::sleep(wait.clamp(CHECK_DELAY_MIN, CHECK_DELAY_MAX)) => {}
                // An operator asked for a certificate.
                () = self.wake.notified() => {}
            }
        }
    }

    /// Checks one kind of key and orders a certificate if it is due. Returns the delay until the
    /// next check.
    async fn check_kind(&self, kind: KeyKind, host: &dyn Host) -> Duration {
        let now = host.now();
        let unix = now.unix_timestamp();
        let mut record = self.store.record(kind, unix);
        if record.pending.is_none() {
            self.forget_restored(kind);
        }
        let pair = self.store.pair(kind).unwrap_or_else(|error| {
            self.alarm(
                host,
                AlarmKind::Lost,
                format!(
                    "the stored certificate can't be read: {}",
                    error_chain(&error)
                ),
            );
            None
        });
        if self.promote_held(kind, &record, host) {
            return CHECK_DELAY_MIN;
        }
        let life = pair.as_ref().map(|pair| self.life(&pair.chain));
        if let Some(pair) = &pair {
            self.ask_window(kind, pair, &mut record, unix).await;
        }
        let asked = locked(&self.asked).contains(&kind);
        match schedule::decide(unix, life, &record, asked) {
            Decision::Wait(until) => {
                // The cause of these alarms is over.
                locked(&self.last_alarm)
                    .take_if(|said| matches!(said.kind, AlarmKind::Clock | AlarmKind::Limit));
                wait_of(until - unix)
            }
            Decision::WrongClock => {
                // The text has the date only, so that the alarm stays the same at every check of a
                // day.
                let what = format!(
                    "this machine's clock is wrong ({}): no certificate is ordered",
                    now.date()
                );
                self.alarm(host, AlarmKind::Clock, what);
                CHECK_DELAY_MAX
            }
            Decision::Enough(until) => {
                locked(&self.asked).retain(|asked| *asked != kind);
                let what =
                    "too many certificates were ordered this week for reasons other than age";
                self.alarm(
                    host,
                    AlarmKind::Limit,
                    format!("{what}; the next one not before {}", date_text(until)),
                );
                wait_of(until - unix)
            }
            Decision::Order(why) => {
                let attempt = Attempt {
                    kind,
                    why,
                    pair,
                    record,
                    now,
                    spent: false,
                };
                let wait = self.run_attempt(attempt, host).await;
                self.under_way.store(false, Ordering::Relaxed);
                wait
            }
        }
    }

    /// Serves a pair that was held back and may be served now: its roots were configured, or it has
    /// become valid.
    fn promote_held(&self, kind: KeyKind, record: &Record, host: &dyn Host) -> bool {
        let Ok(Some(StoredPair { chain })) = self.store.held(kind) else {
            return false;
        };
        let judged = self.issuer(record).map(|ca| {
            self.judge
                .judge_chain(&chain, ca, &self.settings.domains, host.now())
        });
        if !matches!(judged, Some(Ok(_))) || self.store.promote_held(kind).is_err() {
            return false;
        }
        let renew_at = Some(schedule::by_age(self.life(&chain)));
        let record = Record {
            renew_at,
            issuer: record.issuer.clone(),
            ..record.settled()
        };
        if let Err(error) = self
            .store
            .remember(kind, &record)
            .and_then(|()| self.serve_stored(host))
        {
            self.alarm(host, AlarmKind::Storage, error_chain(&error));
        }
        true
    }
}
