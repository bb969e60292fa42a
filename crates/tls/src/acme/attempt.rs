//! An attempt to get one certificate: asks every CA in turn, until one issues a chain that may be
//! served. The attempt is recorded before it begins, so that a process that crashes in the middle
//! waits or resumes after its restart.

use crate::acme::failure::{Failure, Step};
use crate::acme::host::Host;
use crate::acme::http::RetryAfter;
use crate::acme::key::KeyKind;
use crate::acme::limits::{
    GIVE_UP_AFTER, RETRY_AFTER_MAX, STORAGE_RETRY, WAITING_MAX, WAITING_RETRY, WAITING_RETRY_MIN,
};
use crate::acme::manager::Manager;
use crate::acme::order::{Carried, OrderRequest, carry_out, is_undecided};
use crate::acme::record::{LastError, PendingOrder, Record};
use crate::acme::schedule::{self, OrderReason};
use crate::acme::settings::{CaSettings, ChallengeKind};
use crate::acme::solve::Solver;
use crate::acme::store::StoredPair;
use crate::acme::times::{date_text, wait_of};
use crate::acme::{random, rehearse};
use crate::alarm::AlarmKind;
use crate::chain::Chain;
use crate::lock::locked;
use instant_acme::{Account, CertificateIdentifier, Order, OrderStatus};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The state from which an attempt starts.
pub struct Attempt {
    pub kind: KeyKind,
    pub why: OrderReason,
    pub pair: Option<StoredPair>,
    pub record: Record,
    pub now: OffsetDateTime,
    /// Whether a CA may have issued a certificate that is not served.
    pub spent: bool,
}

/// Result of an order that did not fail.
enum Ordered {
    /// The certificate is issued, judged and stored.
    Stored,
    /// The CA still works on it.
    Waiting(Option<Duration>),
}

impl Manager {
    /// Runs an attempt. Returns the delay until the next check.
    pub(super) async fn run_attempt(&self, mut attempt: Attempt, host: &dyn Host) -> Duration {
        if let Err(failure) = self.record_start(&mut attempt) {
            self.alarm(host, AlarmKind::Storage, failure.to_string());
            return STORAGE_RETRY;
        }
        self.under_way.store(true, Ordering::Relaxed);
        // A failed attempt answers the request as well; the record then delays the next one.
        locked(&self.asked).retain(|asked| *asked != attempt.kind);
        for ca in &self.settings.authorities {
            let patience = RetryAfter::default();
            let challenge = self.challenge(attempt.kind, &attempt.record);
            if let Some(stage) = rehearse::stage(ca, &attempt.record) {
                let tried = timeout(
                    self.settings.order_max(),
                    self.rehearse(&stage, challenge, attempt.kind, &patience),
                )
                .await;
                if let Ok(Err(failure)) = tried {
                    self.record_failure(&stage, &mut attempt, &failure, &patience, host);
                    continue;
                }
                // A Retry-After of the staging directory does not apply to the real one.
                locked(&patience).take();
            }
            let tried = timeout(
                self.settings.order_max(),
                self.order(ca, challenge, &mut attempt, &patience),
            )
            .await;
            // After a timeout it is unknown how far the order came, so the last step is assumed.
            let tried =
                tried.unwrap_or_else(|_| Err(Failure::new(Step::Finalize, "it took too long")));
            match tried {
                Ok(Ordered::Stored) => return self.install(ca, challenge, attempt, host),
                Ok(Ordered::Waiting(wait)) => return self.wait_for_ca(attempt, wait, host),
                Err(failure) => self.record_failure(ca, &mut attempt, &failure, &patience, host),
            }
        }
        self.return_quota(&mut attempt, host);
        wait_of(attempt.record.next_attempt - host.now().unix_timestamp())
    }

    /// Records the attempt as failed. A success clears the record.
    fn record_start(&self, attempt: &mut Attempt) -> Result<(), Failure> {
        let at = attempt.now.unix_timestamp();
        let life = attempt.pair.as_ref().map(|pair| self.life(&pair.chain));
        let record = &mut attempt.record;
        record.failures = record.failures.saturating_add(1);
        let wait = schedule::wait(record.failures, at, life);
        record.next_attempt = at + schedule::jittered(wait, random()).max(1);
        record.unplanned = schedule::recent(&record.unplanned, at).collect();
        // A resumed order was counted when it was placed.
        if attempt.why == OrderReason::Need && record.pending.is_none() {
            record.unplanned.push(at);
        }
        self.store
            .remember(attempt.kind, record)
            .map_err(Failure::at(Step::Storage))
    }

    /// Takes the attempt out of the weekly limit if no CA can have issued a certificate: the limit
    /// is about certificates, and a name that leads nowhere yet must not use it up.
    fn return_quota(&self, attempt: &mut Attempt, host: &dyn Host) {
        let at = attempt.now.unix_timestamp();
        let counted = attempt
            .record
            .unplanned
            .iter()
            .rposition(|counted| *counted == at);
        if let Some(counted) = counted.filter(|_| !attempt.spent) {
            attempt.record.unplanned.remove(counted);
            if let Err(error) = self.store.remember(attempt.kind, &attempt.record) {
                self.alarm(
                    host,
                    AlarmKind::Storage,
                    Failure::caused(Step::Storage, &error).to_string(),
                );
            }
        }
    }

    /// Returns the challenge to use: that of a pending order, or the one that worked last, or after
    /// failures the next one.
    fn challenge(&self, kind: KeyKind, record: &Record) -> ChallengeKind {
        if let Some((challenge, _)) = self.pending_answers(kind, record) {
            return challenge;
        }
        let ways = &self.settings.challenges;
        let worked = record
            .challenge
            .as_deref()
            .and_then(|last| ways.iter().position(|way| way.as_str() == last));
        let turn = usize::try_from(record.failures.saturating_sub(1)).unwrap_or(0);
        let at = (worked.unwrap_or(0) + turn) % ways.len().max(1);
        ways.get(at).copied().unwrap_or(ChallengeKind::Http01)
    }

    async fn order(
        &self,
        ca: &CaSettings,
        challenge: ChallengeKind,
        attempt: &mut Attempt,
        patience: &RetryAfter,
    ) -> Result<Ordered, Failure> {
        let mut account = self.account(ca, patience).await?;
        let names = &self.settings.domains;
        let request = OrderRequest {
            names,
            profile: ca.profile.as_deref(),
            replaces: replaced(ca, attempt),
            challenge,
        };
        let (mut order, key) = match self.resume(ca, attempt, &account).await {
            Some(pending) => pending,
            None => {
                let placed = self.place_anew(&mut account, ca, &request, patience).await;
                self.store_order(ca, attempt, placed?)?
            }
        };
        // Dropped at the end, so that a validator gets an answer all the time.
        let restored = locked(&self.restored).remove(&attempt.kind);
        let carried = match Solver::open(challenge, &self.settings).await {
            Ok(mut solver) => {
                solver.store_answers(&self.store, attempt.kind, order.url());
                carry_out(&mut order, &request, &key, &mut solver).await
            }
            Err(failure) => Err(failure),
        };
        drop(restored);
        // If this fails, the next order replaces them.
        let _ = self.store.forget_answers(attempt.kind);
        let chain = match carried {
            Ok(Carried::Waiting(wait)) => return Ok(Ordered::Waiting(wait)),
            Err(failure)
                if is_undecided(&mut order, &failure)
                    && !attempt.record.failures.is_multiple_of(GIVE_UP_AFTER) =>
            {
                return Err(failure);
            }
            Ok(Carried::Issued(chain)) => Ok(chain),
            Err(failure) => Err(failure),
        };
        // This order is over. One that the CA has not decided, or that a crash left, is resumed.
        attempt.record.pending = None;
        attempt.record.waiting_since = None;
        self.judge_issued(ca, attempt, &chain?, &key)?;
        Ok(Ordered::Stored)
    }

    /// Keeps an order that the CA still works on, over restarts, until it says when to ask again.
    /// That is no failure and no new order. Returns the delay until then.
    fn wait_for_ca(
        &self,
        mut attempt: Attempt,
        wait: Option<Duration>,
        host: &dyn Host,
    ) -> Duration {
        let wait = wait
            .unwrap_or(WAITING_RETRY)
            .clamp(WAITING_RETRY_MIN, RETRY_AFTER_MAX);
        let now = host.now().unix_timestamp();
        let record = &mut attempt.record;
        // Counted when the attempt began.
        record.failures = record.failures.saturating_sub(1);
        record.next_attempt = now + i64::try_from(wait.as_secs()).unwrap_or(0);
        record.waiting_since.get_or_insert(now);
        if record.failures == 0 {
            record.last_error = None;
        }
        let what = record.waiting_text(attempt.kind.as_str());
        if let Err(error) = self.store.remember(attempt.kind, record) {
            let what = Failure::caused(Step::Storage, &error).to_string();
            self.alarm(host, AlarmKind::Storage, what);
        }
        self.alarm(host, AlarmKind::Waiting, what.unwrap_or_default());
        wait
    }

    /// Resumes an order that an earlier process left.
    async fn resume(
        &self,
        ca: &CaSettings,
        attempt: &Attempt,
        account: &Account,
    ) -> Option<(Order, Zeroizing<String>)> {
        let pending = attempt.record.pending.as_ref()?;
        // The configuration may have changed since then: such an order is for another CA or other
        // names.
        if pending.directory != ca.directory || pending.names != self.settings.domains {
            return None;
        }
        let longest = i64::try_from(WAITING_MAX.as_secs()).unwrap_or(i64::MAX);
        let since = attempt.record.waiting_since.unwrap_or(i64::MAX);
        if attempt.now.unix_timestamp().saturating_sub(since) > longest {
            return None;
        }
        let key = self.store.pending_key(attempt.kind).ok()??;
        let mut order = account.order(pending.url.clone()).await.ok()?;
        (order.state().status != OrderStatus::Invalid).then_some((order, key))
    }

    /// Stores a placed order and the key of its certificate.
    fn store_order(
        &self,
        ca: &CaSettings,
        attempt: &mut Attempt,
        order: Order,
    ) -> Result<(Order, Zeroizing<String>), Failure> {
        // The key is stored before the order: an order without its key could never be completed.
        let key = attempt.kind.generate()?;
        self.store
            .keep_pending_key(attempt.kind, &key)
            .map_err(Failure::at(Step::Storage))?;
        let directory = ca.directory.clone();
        let url = order.url().to_owned();
        attempt.record.pending = Some(PendingOrder {
            directory,
            url,
            names: self.settings.domains.clone(),
        });
        attempt.record.waiting_since = None;
        self.store
            .remember(attempt.kind, &attempt.record)
            .map_err(Failure::at(Step::Storage))?;
        Ok((order, key))
    }

    fn judge_issued(
        &self,
        ca: &CaSettings,
        attempt: &mut Attempt,
        chain_pem: &str,
        key: &str,
    ) -> Result<(), Failure> {
        let chain = Chain::from_pem(
            chain_pem.as_bytes(),
            key.as_bytes(),
            Path::new(&ca.directory),
        )
        .map_err(Failure::at(Step::Judge))?;
        // An order takes time, so the certificate may have become valid after the attempt began.
        let now = self.when_issued(&chain, attempt.now);
        match self
            .judge
            .judge_chain(&chain, ca, &self.settings.domains, now)
        {
            Ok(_) => self
                .store
                .keep(attempt.kind, chain_pem, key)
                .map_err(Failure::at(Step::Storage)),
            Err(failure) => {
                // The certificate counts against the CA's limits, so it is kept until it may be
                // served.
                let record = &mut attempt.record;
                if attempt.why == OrderReason::Age {
                    record.unplanned.push(attempt.now.unix_timestamp());
                }
                record.held = record.held.saturating_add(1);
                record.issuer = Some(ca.directory.clone());
                self.store
                    .hold(attempt.kind, chain_pem, key)
                    .map_err(Failure::at(Step::Storage))?;
                Err(failure)
            }
        }
    }

    fn install(
        &self,
        ca: &CaSettings,
        challenge: ChallengeKind,
        attempt: Attempt,
        host: &dyn Host,
    ) -> Duration {
        let kept = self.store.pair(attempt.kind).ok().flatten();
        let life = kept.map(|pair| self.life(&pair.chain));
        let record = Record {
            issuer: Some(ca.directory.clone()),
            renew_at: life.map(schedule::by_age),
            challenge: Some(challenge.as_str().to_owned()),
            ..attempt.record.settled()
        };
        // The pair is already on disk, so it is served even if the record can't be written.
        let served = self.serve_stored(host);
        let kept = served.and_then(|()| self.store.remember(attempt.kind, &record));
        if let Err(error) = kept.and_then(|()| self.store.forget_pending_key(attempt.kind)) {
            self.alarm(
                host,
                AlarmKind::Storage,
                Failure::caused(Step::Storage, &error).to_string(),
            );
        }
        // No delay: the CA can be asked for the renewal window at once.
        Duration::ZERO
    }

    fn record_failure(
        &self,
        ca: &CaSettings,
        attempt: &mut Attempt,
        failure: &Failure,
        patience: &RetryAfter,
        host: &dyn Host,
    ) {
        let now = host.now().unix_timestamp();
        attempt.spent |= !failure.cost_nothing();
        let record = &mut attempt.record;
        let asked_for =
            locked(patience).map_or(0, |wait| i64::try_from(wait.as_secs()).unwrap_or(0));
        // The CA's Retry-After makes the delay longer, never shorter.
        record.next_attempt = record.next_attempt.max(now + asked_for);
        record.last_error = Some(LastError {
            at: now,
            directory: ca.directory.clone(),
            step: failure.step.as_str().to_owned(),
            reason: failure.to_string(),
        });
        let again = date_text(record.next_attempt);
        let written = self.store.remember(attempt.kind, record);
        // Every failed attempt is reported, also with the same text: attempts are rare.
        *locked(&self.last_alarm) = None;
        let what = format!(
            "no certificate from {}: {failure}; next attempt at {again}",
            ca.directory
        );
        self.alarm(host, AlarmKind::Failed, what);
        if let Err(error) = written {
            self.alarm(
                host,
                AlarmKind::Storage,
                Failure::caused(Step::Storage, &error).to_string(),
            );
        }
    }
}

/// Returns the certificate that the new one replaces, if this CA issued it.
fn replaced(ca: &CaSettings, attempt: &Attempt) -> Option<CertificateIdentifier<'static>> {
    let pair = attempt
        .pair
        .as_ref()
        .filter(|_| attempt.record.issuer.as_ref() == Some(&ca.directory))?;
    let leaf = pair.chain.certified.end_entity_cert().ok()?;
    CertificateIdentifier::try_from(leaf)
        .ok()
        .map(CertificateIdentifier::into_owned)
}
