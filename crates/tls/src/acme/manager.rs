//! Keeps the certificates of ACME fresh: looks at clock, pairs and records, and has a new one
//! ordered when it is time. It never orders what it has, and never touches what is served before
//! the new pair is on disk and judged.

use crate::acme::attempt::Attempt;
use crate::acme::judge::{Judge, carries_all};
use crate::acme::key::KeyKind;
use crate::acme::limits::{DOMAINS_MAX, HTTP_MAX, LOOK_MAX, LOOK_MIN};
use crate::acme::limits::{WINDOW_EVERY_MAX, WINDOW_EVERY_MIN, WINDOW_RETRY};
use crate::acme::record::Record;
use crate::acme::schedule::{self, Decision, Life};
use crate::acme::settings::{AcmeSettings, CaSettings};
use crate::acme::store::{Pair, Store};
use crate::acme::{account, random};
use crate::alarm::{Alarm, AlarmKind};
use crate::chain::Chain;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::identity::Identity;
use crate::master::Master;
use crate::names::Name;
use crate::settings::TlsSettings;
use crate::source::Served;
use futures_util::FutureExt;
use instant_acme::CertificateIdentifier;
use rustls::crypto::CryptoProvider;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Notify, oneshot};

pub struct Manager {
    pub(super) settings: AcmeSettings,
    pub(super) store: Store,
    pub(super) judge: Judge,
    /// Waits to be taken by the source.
    fresh: Mutex<Option<Served>>,
    /// Kinds of which a new certificate was asked for.
    pub(super) asked: Mutex<Vec<KeyKind>>,
    /// Whether windows were asked for since the start: then they are, whatever was agreed before.
    asked_windows: Mutex<bool>,
    /// What was last alarmed of, so that the same is not said at every look.
    pub(super) said: Mutex<Option<Alarm>>,
    /// Whether a CA is being asked at this moment.
    pub(super) under_way: AtomicBool,
    /// Held while files under `acme/` change.
    pub(super) busy: tokio::sync::Mutex<()>,
    pub(super) wake: Notify,
}

impl Manager {
    pub fn open(
        tls: &TlsSettings,
        acme: &AcmeSettings,
        provider: Arc<CryptoProvider>,
        master: Master,
    ) -> Result<Self, TlsError> {
        let mut settings = acme.clone();
        let canonical = |name: &String| Name::parse(name).map(|name| name.to_string());
        settings.domains = acme
            .domains
            .iter()
            .map(canonical)
            .collect::<Result<_, _>>()?;
        if settings.domains.len() > DOMAINS_MAX {
            return Err(TlsError::TooManyNames(DOMAINS_MAX));
        }
        Ok(Self {
            settings,
            store: Store::new(tls, master),
            judge: Judge::new(provider),
            fresh: Mutex::default(),
            asked: Mutex::default(),
            asked_windows: Mutex::default(),
            said: Mutex::default(),
            under_way: AtomicBool::default(),
            busy: tokio::sync::Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// ECDSA first: nothing of it ever waits for the other.
    pub(super) fn kinds(&self) -> &'static [KeyKind] {
        if self.settings.rsa {
            &[KeyKind::Ecdsa, KeyKind::Rsa]
        } else {
            &[KeyKind::Ecdsa]
        }
    }

    /// What lies on disk, whatever its dates: an ended certificate names the cause to clients by
    /// itself.
    pub fn stored(&self, now: OffsetDateTime) -> Result<Option<Served>, TlsError> {
        let Some(Pair { mut chain }) = self.store.pair(KeyKind::Ecdsa)? else {
            return Ok(None);
        };
        if self.settings.rsa
            && let Ok(Some(second)) = self.store.pair(KeyKind::Rsa)
            && second.chain.check_dates(now).is_ok()
        {
            chain.rsa = Some(second.chain.certified);
        }
        let trust = self.judge.trust(&chain, &self.settings, now);
        Ok(Some(Served { chain, trust }))
    }

    pub fn take_fresh(&self) -> Option<Served> {
        locked(&self.fresh).take()
    }

    /// Looks and orders until `gone` is; false after a panic, and a pause.
    pub async fn run_until(&self, identity: &Identity, gone: &mut oneshot::Receiver<()>) -> bool {
        let running = AssertUnwindSafe(self.run(identity)).catch_unwind();
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
    async fn run(&self, identity: &Identity) {
        loop {
            let mut wait = LOOK_MAX;
            for kind in self.kinds() {
                let _busy = self.busy.lock().await;
                wait = wait.min(self.tend(*kind, identity).await);
            }
            tokio::select! {
                () = tokio::time::sleep(wait.clamp(LOOK_MIN, LOOK_MAX)) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// One look; how long nothing is to be done.
    async fn tend(&self, kind: KeyKind, identity: &Identity) -> Duration {
        let now = identity.now();
        let unix = now.unix_timestamp();
        let mut record = self.store.record(kind, unix);
        let pair = self.store.pair(kind).unwrap_or_else(|error| {
            self.alarm(
                identity,
                AlarmKind::Lost,
                format!("the certificate that was kept is lost: {error}"),
            );
            None
        });
        if self.promote_held(kind, &record, identity) {
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
                seconds(until - unix)
            }
            Decision::WrongClock => {
                // By the day: the same is not to be said at every look.
                let what = format!(
                    "this machine's clock says {}, which can't be: nothing is ordered",
                    now.date()
                );
                self.alarm(identity, AlarmKind::Clock, what);
                LOOK_MAX
            }
            Decision::Enough(until) => {
                locked(&self.asked).retain(|asked| *asked != kind);
                let what =
                    "too many certificates were ordered this week, for other reasons than age";
                self.alarm(
                    identity,
                    AlarmKind::Limit,
                    format!("{what}; the next one not before {}", date(until)),
                );
                seconds(until - unix)
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
                let wait = self.attempt(attempt, identity).await;
                self.under_way.store(false, Ordering::Relaxed);
                wait
            }
        }
    }

    pub(super) fn life(&self, chain: &Chain) -> Life {
        Life {
            not_before: chain.not_before.unix_timestamp(),
            not_after: chain.not_after.unix_timestamp(),
            fits: carries_all(chain, &self.settings.domains),
        }
    }

    pub(super) fn issuer(&self, record: &Record) -> Option<&CaSettings> {
        self.settings
            .authorities
            .iter()
            .find(|ca| record.issuer.as_ref() == Some(&ca.directory))
    }

    /// Asks the CA when it would like to see this certificate renewed (RFC 9773). A CA that has no
    /// answer, or a wrong one, changes nothing: age renews as well.
    async fn ask_window(&self, kind: KeyKind, pair: &Pair, record: &mut Record, now: i64) {
        // A clock set back must not stop the questions either.
        let first = !std::mem::replace(&mut *locked(&self.asked_windows), true);
        if !first && now < record.ask_window_at.min(now + WINDOW_EVERY_MAX)
            || now < record.next_attempt
        {
            return;
        }
        let Some(ca) = self.issuer(record) else {
            return;
        };
        match tokio::time::timeout(HTTP_MAX, self.window(ca, pair)).await {
            Ok(Some((window, again))) => {
                let again = i64::try_from(again.as_secs()).unwrap_or(WINDOW_EVERY_MAX);
                record.ask_window_at = now + again.clamp(WINDOW_EVERY_MIN, WINDOW_EVERY_MAX);
                if record.window != Some(window) {
                    (record.window, record.renew_at) =
                        (Some(window), Some(schedule::within(window, random())));
                }
            }
            _ => record.ask_window_at = now + WINDOW_RETRY,
        }
        // Unwritten it is asked again at the next look; an attempt will tell of the storage.
        let _ = self.store.remember(kind, record);
    }

    async fn window(&self, ca: &CaSettings, pair: &Pair) -> Option<((i64, i64), Duration)> {
        let account = account::open_kept(ca, &self.store).await?;
        let id =
            CertificateIdentifier::try_from(pair.chain.certified.end_entity_cert().ok()?).ok()?;
        let (info, again) = account.renewal_info(&id).await.ok()?;
        let window = info.suggested_window;
        let span = (window.start.unix_timestamp(), window.end.unix_timestamp());
        (span.0 < span.1).then_some((span, again))
    }

    /// New handshakes get what lies on disk from here on.
    pub(super) fn serve_stored(&self, identity: &Identity) -> Result<(), TlsError> {
        if let Some(served) = self.stored(identity.now())? {
            *locked(&self.fresh) = Some(served);
            *locked(&self.said) = None;
            identity.look();
        }
        Ok(())
    }

    /// A pair that was kept back and may be served now, since its roots were configured or its time
    /// has come.
    fn promote_held(&self, kind: KeyKind, record: &Record, identity: &Identity) -> bool {
        let Ok(Some(Pair { chain })) = self.store.held(kind) else {
            return false;
        };
        let judged = self.issuer(record).map(|ca| {
            self.judge
                .judge(&chain, ca, &self.settings.domains, identity.now())
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
            .and_then(|()| self.serve_stored(identity))
        {
            self.alarm(identity, AlarmKind::Storage, error.to_string());
        }
        true
    }

    /// Says it once until something else is to be said.
    pub fn alarm(&self, identity: &Identity, kind: AlarmKind, what: String) {
        let alarm = Alarm { kind, what };
        let mut said = locked(&self.said);
        if said.as_ref() != Some(&alarm) {
            *said = Some(alarm.clone());
            drop(said);
            identity.tell(TlsEvent::Alarm {
                kind,
                what: alarm.what,
            });
        }
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}

/// For people.
pub(super) fn date(unix: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix).map_or_else(|_| unix.to_string(), |at| at.to_string())
}
