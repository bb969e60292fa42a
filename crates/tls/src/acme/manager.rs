//! The ACME manager: its settings, files and state. A new pair is served only after it was judged
//! and written to disk.

use crate::acme::account;
use crate::acme::failure::Failure;
use crate::acme::host::Host;
use crate::acme::http::RetryAfter;
use crate::acme::judge::{ChainJudge, carries_all};
use crate::acme::key::KeyKind;
use crate::acme::limits::DOMAINS_MAX;
use crate::acme::order::{OrderRequest, place};
use crate::acme::record::Record;
use crate::acme::schedule::Life;
use crate::acme::settings::{AcmeSettings, CaSettings};
use crate::acme::solve::Solver;
use crate::acme::store::{AcmeFiles, StoredPair};
use crate::alarm::{Alarm, AlarmKind};
use crate::chain::Chain;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::lock::locked;
use crate::master::MasterKey;
use crate::names::Name;
use crate::settings::TlsSettings;
use crate::source::Served;
use instant_acme::{Account, Order};
use rustls::crypto::CryptoProvider;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tidegate_model::ValueWatch;
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

pub struct Manager {
    pub(super) settings: AcmeSettings,
    pub(super) store: AcmeFiles,
    pub(super) judge: ChainJudge,
    /// Watchers of the stored pairs.
    pairs: Mutex<Vec<Box<dyn ValueWatch>>>,
    /// Solvers of orders that an earlier process left in the middle of the validation.
    pub(super) restored: Mutex<BTreeMap<KeyKind, Solver>>,
    /// Kinds of key for which an operator requested a new certificate.
    pub(super) asked: Mutex<Vec<KeyKind>>,
    /// Whether a renewal window was asked for since the start. The first time it is, even if it is
    /// not due.
    pub(super) asked_windows: Mutex<bool>,
    /// The last alarm, so that the same one is not reported at every check.
    pub(super) last_alarm: Mutex<Option<Alarm>>,
    /// Whether an order is running.
    pub(super) under_way: AtomicBool,
    /// Locked while files in `acme/` change.
    pub(super) busy: tokio::sync::Mutex<()>,
    pub(super) wake: Notify,
}

impl Manager {
    pub fn open(
        tls: &TlsSettings,
        acme: &AcmeSettings,
        provider: Arc<CryptoProvider>,
        master: MasterKey,
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
        let store = AcmeFiles::new(tls, master);
        for ca in &settings.authorities {
            for directory in std::iter::once(&ca.directory).chain(&ca.staging) {
                // Reading writes an account of a former version in today's form, which a rotation
                // of the master key needs. One that can't be read is a problem of its order.
                let _ = store.account(directory);
            }
        }
        let kinds = kinds(settings.rsa);
        let pairs = kinds.iter().map(|kind| store.watch_pair(*kind)).collect();
        Ok(Self {
            settings,
            store,
            judge: ChainJudge::new(provider),
            pairs: Mutex::new(pairs),
            restored: Mutex::default(),
            asked: Mutex::default(),
            asked_windows: Mutex::default(),
            last_alarm: Mutex::default(),
            under_way: AtomicBool::default(),
            busy: tokio::sync::Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// Returns the kinds of key to order.
    pub(super) fn kinds(&self) -> &'static [KeyKind] {
        kinds(self.settings.rsa)
    }

    /// Loads the stored pairs, whatever their dates: with an expired certificate clients report the
    /// cause themselves.
    pub fn stored(&self, now: OffsetDateTime) -> Result<Option<Served>, TlsError> {
        let Some(StoredPair { mut chain }) = self.store.pair(KeyKind::Ecdsa)? else {
            return Ok(None);
        };
        if self.settings.rsa
            && let Ok(Some(second)) = self.store.pair(KeyKind::Rsa)
            // Only the ECDSA pair is required, so an expired RSA leaf is left out.
            && second.chain.check_dates(now).is_ok()
        {
            chain.rsa = Some(second.chain.certified);
        }
        let trust = self.judge.trust(&chain, &self.settings, now);
        Ok(Some(Served { chain, trust }))
    }

    /// Loads the stored pairs if one was replaced since the last call, by this manager or by
    /// another program.
    ///
    /// # Errors
    /// If the new pair must not be served.
    pub fn replaced(&self, now: OffsetDateTime) -> Result<Option<Served>, TlsError> {
        let mut changed = false;
        for pair in locked(&self.pairs).iter_mut() {
            changed |= pair.has_changed();
        }
        let stored = if changed { self.stored(now)? } else { None };
        if let Some(served) = &stored {
            // A CA's clock may be ahead of this machine's.
            self.judge_any(&served.chain, self.when_issued(&served.chain, now))?;
        }
        Ok(stored)
    }

    /// Checks that a chain may be served as one of a configured CA.
    pub(super) fn judge_any(&self, chain: &Chain, now: OffsetDateTime) -> Result<(), TlsError> {
        let mut reason = String::new();
        for ca in &self.settings.authorities {
            match self
                .judge
                .judge_chain(chain, ca, &self.settings.domains, now)
            {
                Ok(_) => return Ok(()),
                Err(failure) => reason = failure.reason,
            }
        }
        Err(TlsError::NotTaken(reason))
    }

    /// Returns the time at which a chain is judged that may have been issued after `now`.
    pub(super) fn when_issued(&self, chain: &Chain, now: OffsetDateTime) -> OffsetDateTime {
        let longest = Duration::seconds_f64(self.settings.order_max().as_secs_f64());
        now.max(chain.not_before.min(now + longest))
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

    pub(super) async fn account(
        &self,
        ca: &CaSettings,
        patience: &RetryAfter,
    ) -> Result<Account, Failure> {
        let _one = self.settings.shared.one_account().await;
        account::open(ca, &self.store, patience).await
    }

    /// Places an order. If the CA no longer knows the account, a new one is created.
    pub(super) async fn place_anew(
        &self,
        account: &mut Account,
        ca: &CaSettings,
        request: &OrderRequest<'_>,
        patience: &RetryAfter,
    ) -> Result<Order, Failure> {
        match place(account, request).await {
            Err(failure) if failure.lost_account() => {
                let _one = self.settings.shared.one_account().await;
                *account = account::create(ca, &self.store, patience).await?;
                place(account, request).await
            }
            placed => placed,
        }
    }

    /// Serves the stored pair in new handshakes from now on.
    pub(super) fn serve_stored(&self, host: &dyn Host) -> Result<(), TlsError> {
        if self.stored(host.now())?.is_some() {
            // The problem is over: if it comes back, it is reported again.
            *locked(&self.last_alarm) = None;
            host.poll_source();
        }
        Ok(())
    }

    /// Reports an alarm, unless it is the same as the last one.
    pub fn alarm(&self, host: &dyn Host, kind: AlarmKind, what: String) {
        let alarm = Alarm { kind, what };
        let mut said = locked(&self.last_alarm);
        if said.as_ref() != Some(&alarm) {
            *said = Some(alarm.clone());
            drop(said);
            host.tell(TlsEvent::Alarm {
                kind,
                what: alarm.what,
            });
        }
    }
}

/// Returns the kinds of key to order, ECDSA first, so that it never waits for RSA.
fn kinds(rsa: bool) -> &'static [KeyKind] {
    if rsa {
        &[KeyKind::Ecdsa, KeyKind::Rsa]
    } else {
        &[KeyKind::Ecdsa]
    }
}
