//! Keeps the certificates of ACME fresh: looks at clock, pair and record, and orders when it is time. It writes down
//! that it tries before it tries, never orders what it has, and never touches what is served before the new pair is
//! on disk and judged.

use crate::acme::failure::{Failure, Step};
use crate::acme::http::Patience;
use crate::acme::judge::{Judge, carries_all};
use crate::acme::key::KeyKind;
use crate::acme::limits::{DOMAINS_MAX, LOOK_MAX, LOOK_MIN, ORDER_MAX, STORAGE_RETRY};
use crate::acme::order::{Wish, carry_out, place};
use crate::acme::record::{PendingOrder, Record, Slip};
use crate::acme::schedule::{self, Decision, Life, Why};
use crate::acme::settings::{AcmeSettings, CaSettings, ChallengeKind};
use crate::acme::solve::Solver;
use crate::acme::store::{Pair, Store};
use crate::acme::{account, random};
use crate::chain::Chain;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::identity::Identity;
use crate::names::Name;
use crate::settings::TlsSettings;
use crate::source::Served;
use instant_acme::{Account, Order};
use rustls::crypto::CryptoProvider;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::timeout;
use zeroize::Zeroizing;

pub struct Manager {
    settings: AcmeSettings,
    store: Store,
    judge: Judge,
    /// Waits to be taken by the source.
    fresh: Mutex<Option<Served>>,
    /// Kinds of which a new certificate was asked for.
    asked: Mutex<Vec<KeyKind>>,
    /// What was last alarmed of, so that the same is not said at every look.
    said: Mutex<Option<String>>,
    wake: Notify,
}

impl Manager {
    pub fn open(tls: &TlsSettings, acme: &AcmeSettings, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut settings = acme.clone();
        settings.domains =
            acme.domains.iter().map(|name| Ok(Name::parse(name)?.to_string())).collect::<Result<_, TlsError>>()?;
        if settings.domains.len() > DOMAINS_MAX {
            return Err(TlsError::TooManyNames(DOMAINS_MAX));
        }
        Ok(Self {
            settings,
            store: Store::new(&tls.data),
            judge: Judge::new(provider),
            fresh: Mutex::default(),
            asked: Mutex::default(),
            said: Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// The pair on disk, whatever its dates: an ended one names the cause to clients by itself.
    pub fn stored(&self, now: OffsetDateTime) -> Result<Option<Served>, TlsError> {
        let pair = self.store.pair(KeyKind::Ecdsa)?;
        Ok(pair.map(|pair| self.served(pair.chain, now)))
    }

    fn served(&self, chain: Chain, now: OffsetDateTime) -> Served {
        let trust = self.judge.trust(&chain, &self.settings, now);
        Served { chain, trust }
    }

    pub fn take_fresh(&self) -> Option<Served> {
        locked(&self.fresh).take()
    }

    /// Looks and orders, until dropped.
    pub async fn run(&self, identity: &Identity) {
        loop {
            let wait = self.tend(KeyKind::Ecdsa, identity).await;
            tokio::select! {
                () = tokio::time::sleep(wait.clamp(LOOK_MIN, LOOK_MAX)) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// One look; how long nothing is to be done.
    async fn tend(&self, kind: KeyKind, identity: &Identity) -> Duration {
        let now = identity.now();
        let record = self.store.record(kind, now.unix_timestamp());
        let pair = match self.store.pair(kind) {
            Ok(pair) => pair,
            Err(error) => {
                self.alarm(identity, format!("the certificate that was kept is lost: {error}"));
                None
            }
        };
        if self.promote_held(kind, &record, identity) {
            return LOOK_MIN;
        }
        let life = pair.as_ref().map(|pair| self.life(&pair.chain));
        let asked = locked(&self.asked).contains(&kind);
        match schedule::decide(now.unix_timestamp(), life, &record, asked) {
            Decision::Wait(until) => seconds(until - now.unix_timestamp()),
            Decision::WrongClock => {
                self.alarm(
                    identity,
                    format!("this machine's clock says {now}, which can't be: nothing is ordered by it"),
                );
                LOOK_MAX
            }
            Decision::Enough(until) => {
                locked(&self.asked).retain(|asked| *asked != kind);
                let again =
                    OffsetDateTime::from_unix_timestamp(until).map_or(String::new(), |at| format!(" before {at}"));
                self.alarm(identity, format!("no certificate is ordered{again}: too many were, this week"));
                seconds(until - now.unix_timestamp())
            }
            Decision::Order(why) => self.attempt(Attempt { kind, why, pair, record, now }, identity).await,
        }
    }

    fn life(&self, chain: &Chain) -> Life {
        Life {
            not_before: chain.not_before.unix_timestamp(),
            not_after: chain.not_after.unix_timestamp(),
            fits: carries_all(chain, &self.settings.domains),
        }
    }

    /// One attempt at every CA in turn, until one gives a certificate that may be served.
    async fn attempt(&self, mut attempt: Attempt, identity: &Identity) -> Duration {
        let at = attempt.now.unix_timestamp();
        let record = &mut attempt.record;
        record.failures = record.failures.saturating_add(1);
        record.next_attempt = at + schedule::jittered(schedule::backoff(record.failures), random());
        record.unplanned = schedule::recent(&record.unplanned, at).collect();
        if attempt.why == Why::Need && record.pending.is_none() {
            record.unplanned.push(at);
        }
        // Before anything is asked of a CA: whoever dies in the middle finds this and waits.
        if let Err(error) = self.store.remember(attempt.kind, record) {
            self.alarm(identity, Failure::new(Step::Storage, error).to_string());
            return STORAGE_RETRY;
        }
        locked(&self.asked).retain(|asked| *asked != attempt.kind);
        for ca in &self.settings.authorities {
            let patience = Patience::default();
            let tried = timeout(ORDER_MAX, self.order(ca, &mut attempt, &patience, identity)).await;
            let tried = tried.unwrap_or_else(|_| Err(Failure::new(Step::Order, "it took too long")));
            match tried {
                Ok(served) => return self.install(served, ca, attempt, identity),
                Err(failure) => self.failed(ca, &mut attempt, &failure, &patience, identity),
            }
        }
        seconds(attempt.record.next_attempt - identity.now().unix_timestamp())
    }

    async fn order(
        &self,
        ca: &CaSettings,
        attempt: &mut Attempt,
        patience: &Patience,
        identity: &Identity,
    ) -> Result<Served, Failure> {
        let mut account = account::open(ca, &self.store, patience).await?;
        let wish = Wish {
            names: &self.settings.domains,
            profile: ca.profile.as_deref(),
            replaces: None,
            challenge: self.settings.challenges.first().copied().unwrap_or(ChallengeKind::Http01),
        };
        let (mut order, key) = match self.resume(ca, attempt, &account).await {
            Some(pending) => pending,
            None => {
                let mut placed = place(&account, &wish).await;
                // A CA that has lost us (a test CA that was restarted, an account that was closed) gets a new account.
                if placed.as_ref().is_err_and(lost_account) {
                    account = account::create(ca, &self.store, patience).await?;
                    placed = place(&account, &wish).await;
                }
                self.stand(ca, attempt, placed?)?
            }
        };
        let mut solver = Solver::open(wish.challenge, &self.settings)?;
        let carried = carry_out(&mut order, &wish, &key, &mut solver).await;
        // Whatever came of it, this order is at its end; only a crash leaves it to be resumed.
        attempt.record.pending = None;
        let chain_pem = carried?;
        self.judged(ca, attempt, &chain_pem, &key, identity.now())
    }

    /// An order that an earlier process left behind.
    async fn resume(
        &self,
        ca: &CaSettings,
        attempt: &Attempt,
        account: &Account,
    ) -> Option<(Order, Zeroizing<String>)> {
        let pending = attempt.record.pending.as_ref()?;
        if pending.directory != ca.directory || pending.names != self.settings.domains {
            return None;
        }
        let key = self.store.pending_key(attempt.kind).ok()??;
        let mut order = account.order(pending.url.clone()).await.ok()?;
        (order.state().status != instant_acme::OrderStatus::Invalid).then_some((order, key))
    }

    /// Writes down a placed order and the key of its certificate.
    fn stand(
        &self,
        ca: &CaSettings,
        attempt: &mut Attempt,
        order: Order,
    ) -> Result<(Order, Zeroizing<String>), Failure> {
        let key = attempt.kind.generate()?;
        self.store.keep_pending_key(attempt.kind, &key).map_err(Failure::at(Step::Storage))?;
        let (directory, url) = (ca.directory.clone(), order.url().to_owned());
        attempt.record.pending = Some(PendingOrder { directory, url, names: self.settings.domains.clone() });
        self.store.remember(attempt.kind, &attempt.record).map_err(Failure::at(Step::Storage))?;
        Ok((order, key))
    }

    fn judged(
        &self,
        ca: &CaSettings,
        attempt: &mut Attempt,
        chain_pem: &str,
        key: &str,
        now: OffsetDateTime,
    ) -> Result<Served, Failure> {
        let chain = Chain::from_pem(chain_pem.as_bytes(), key.as_bytes(), Path::new(&ca.directory))
            .map_err(Failure::at(Step::Judge))?;
        match self.judge.judge(&chain, ca, &self.settings.domains, now) {
            Ok(trust) => {
                self.store.keep(attempt.kind, chain_pem, key).map_err(Failure::at(Step::Storage))?;
                Ok(Served { chain, trust })
            }
            Err(failure) => {
                // It cost one of the CA's few: counted, and kept for the day when it may be served.
                if attempt.why == Why::Age {
                    attempt.record.unplanned.push(attempt.now.unix_timestamp());
                }
                self.store.hold(attempt.kind, chain_pem, key).map_err(Failure::at(Step::Storage))?;
                attempt.record.issuer = Some(ca.directory.clone());
                Err(failure)
            }
        }
    }

    fn install(&self, served: Served, ca: &CaSettings, mut attempt: Attempt, identity: &Identity) -> Duration {
        let life = self.life(&served.chain);
        let record = &mut attempt.record;
        (record.failures, record.next_attempt, record.last_error) = (0, 0, None);
        record.issuer = Some(ca.directory.clone());
        record.renew_at = Some(schedule::by_age(life));
        self.serve(served, identity);
        let kept = self.store.remember(attempt.kind, &attempt.record);
        if let Err(error) = kept.and_then(|()| self.store.forget_pending_key(attempt.kind)) {
            self.alarm(identity, Failure::new(Step::Storage, error).to_string());
        }
        seconds(schedule::due(life, &attempt.record) - identity.now().unix_timestamp())
    }

    /// New handshakes get it from here on.
    fn serve(&self, served: Served, identity: &Identity) {
        *locked(&self.fresh) = Some(served);
        *locked(&self.said) = None;
        identity.look();
    }

    fn failed(
        &self,
        ca: &CaSettings,
        attempt: &mut Attempt,
        failure: &Failure,
        patience: &Patience,
        identity: &Identity,
    ) {
        let now = identity.now().unix_timestamp();
        let record = &mut attempt.record;
        let asked_for = locked(patience).map_or(0, |wait| i64::try_from(wait.as_secs()).unwrap_or(0));
        record.next_attempt = record.next_attempt.max(now + asked_for);
        record.last_error = Some(Slip {
            at: now,
            directory: ca.directory.clone(),
            step: failure.step.as_str().to_owned(),
            reason: failure.to_string(),
        });
        let again = OffsetDateTime::from_unix_timestamp(record.next_attempt).map_or(String::new(), |at| at.to_string());
        // Each attempt is told of: they are rare.
        *locked(&self.said) = None;
        self.alarm(identity, format!("no certificate from {}: {failure}; next attempt at {again}", ca.directory));
        if let Err(error) = self.store.remember(attempt.kind, record) {
            self.alarm(identity, Failure::new(Step::Storage, error).to_string());
        }
    }

    /// A pair that was kept back and may be served now: its roots were configured, its time has come, or there is
    /// nothing better any more.
    fn promote_held(&self, kind: KeyKind, record: &Record, identity: &Identity) -> bool {
        let Ok(Some(Pair { chain })) = self.store.held(kind) else { return false };
        let now = identity.now();
        let ca = self.settings.authorities.iter().find(|ca| record.issuer.as_ref() == Some(&ca.directory));
        let judged = ca.map(|ca| self.judge.judge(&chain, ca, &self.settings.domains, now));
        let Some(Ok(trust)) = judged else { return false };
        if self.store.promote_held(kind).is_err() {
            return false;
        }
        let life = self.life(&chain);
        let record = Record {
            failures: 0,
            next_attempt: 0,
            last_error: None,
            renew_at: Some(schedule::by_age(life)),
            ..record.clone()
        };
        if let Err(error) = self.store.remember(kind, &record) {
            self.alarm(identity, Failure::new(Step::Storage, error).to_string());
        }
        self.serve(Served { chain, trust }, identity);
        true
    }

    /// Says it once until something else is to be said.
    fn alarm(&self, identity: &Identity, what: String) {
        let mut said = locked(&self.said);
        if said.as_ref() != Some(&what) {
            *said = Some(what.clone());
            drop(said);
            identity.tell(TlsEvent::Alarm { what });
        }
    }
}

/// One attempt and what it starts from.
struct Attempt {
    kind: KeyKind,
    why: Why,
    #[expect(dead_code, reason = "`replaces` is made from it")]
    pair: Option<Pair>,
    record: Record,
    now: OffsetDateTime,
}

fn lost_account(failure: &Failure) -> bool {
    matches!(failure.problem.as_deref(), Some("accountDoesNotExist" | "unauthorized"))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}
