//! The manager's loop: looks at clock, pairs and records, and has a new certificate ordered when it
//! is time. It never orders what it has.

use crate::acme::attempt::Attempt;
use crate::acme::host::Host;
use crate::acme::key::KeyKind;
use crate::acme::limits::{LOOK_MAX, LOOK_MIN};
use crate::acme::manager::Manager;
use crate::acme::record::Record;
use crate::acme::schedule::{self, Decision};
use crate::acme::store::Pair;
use crate::acme::times::{date_text, wait_of};
use crate::alarm::AlarmKind;
use crate::lock::locked;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;

impl Manager {
    /// Looks and orders until `gone` is; false after a panic, and a pause.
    pub async fn run_until(&self, host: &dyn Host, gone: &mut oneshot::Receiver<()>) -> bool {
        let running = AssertUnwindSafe(self.run(host)).catch_unwind();
        let panicked = tokio::select! {
            ended = running => ended.is_err(),
            _ = &mut *gone => return true,
        };
        tokio::select! {
            () = tokio::time::sleep(LOOK_MAX) => !panicked,
            _ = gone => true,
        }
    }

    /// Looks and orders, until dropped.
    async fn run(&self, host: &dyn Host) {
        loop {
            let mut wait = LOOK_MAX;
            for kind in self.kinds() {
                let _busy = self.busy.lock().await;
                wait = wait.min(self.tend(*kind, host).await);
            }
            tokio::select! {
                () = tokio::time::sleep(wait.clamp(LOOK_MIN, LOOK_MAX)) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// One look; how long nothing is to be done.
    async fn tend(&self, kind: KeyKind, host: &dyn Host) -> Duration {
        let now = host.now();
        let unix = now.unix_timestamp();
        let mut record = self.store.record(kind, unix);
        let pair = self.store.pair(kind).unwrap_or_else(|error| {
            self.alarm(
                host,
                AlarmKind::Lost,
                format!("the certificate that was kept is lost: {error}"),
            );
            None
        });
        if self.promote_held(kind, &record, host) {
            return LOOK_MIN;
        }
        let life = pair.as_ref().map(|pair| self.life(&pair.chain));
        if let Some(pair) = &pair {
            self.ask_window(kind, pair, &mut record, unix).await;
        }
        let asked = locked(&self.asked).contains(&kind);
        match schedule::decide(unix, life, &record, asked) {
            Decision::Wait(until) => {
                // Whatever they were about is over.
                locked(&self.said)
                    .take_if(|said| matches!(said.kind, AlarmKind::Clock | AlarmKind::Limit));
                wait_of(until - unix)
            }
            Decision::WrongClock => {
                // By the day: the same is not to be said at every look.
                let what = format!(
                    "this machine's clock says {}, which can't be: nothing is ordered",
                    now.date()
                );
                self.alarm(host, AlarmKind::Clock, what);
                LOOK_MAX
            }
            Decision::Enough(until) => {
                locked(&self.asked).retain(|asked| *asked != kind);
                let what =
                    "too many certificates were ordered this week, for other reasons than age";
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
                let wait = self.attempt(attempt, host).await;
                self.under_way.store(false, Ordering::Relaxed);
                wait
            }
        }
    }

    /// A pair that was kept back and may be served now, since its roots were configured or its time
    /// has come.
    fn promote_held(&self, kind: KeyKind, record: &Record, host: &dyn Host) -> bool {
        let Ok(Some(Pair { chain })) = self.store.held(kind) else {
            return false;
        };
        let judged = self.issuer(record).map(|ca| {
            self.judge
                .judge(&chain, ca, &self.settings.domains, host.now())
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
            self.alarm(host, AlarmKind::Storage, error.to_string());
        }
        true
    }
}
