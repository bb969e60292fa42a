//! Keeps the certificates of ACME fresh: looks at clock, pairs and records, and has a new one
//! ordered when it is time. It never orders what it has, and never touches what is served before
//! the new pair is on disk and judged.

use crate::acme::account;
use crate::acme::failure::Failure;
use crate::acme::host::Host;
use crate::acme::http::Patience;
use crate::acme::judge::{Judge, carries_all};
use crate::acme::key::KeyKind;
use crate::acme::limits::DOMAINS_MAX;
use crate::acme::order::{Wish, place};
use crate::acme::record::Record;
use crate::acme::schedule::Life;
use crate::acme::settings::{AcmeSettings, CaSettings};
use crate::acme::store::{Pair, Store};
use crate::alarm::{Alarm, AlarmKind};
use crate::chain::Chain;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::lock::locked;
use crate::master::Master;
use crate::names::Name;
use crate::settings::TlsSettings;
use crate::source::Served;
use instant_acme::{Account, Order};
use rustls::crypto::CryptoProvider;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use tokio::sync::Notify;

pub struct Manager {
    pub(super) settings: AcmeSettings,
    pub(super) store: Store,
    pub(super) judge: Judge,
    /// Waits to be taken by the source.
    fresh: Mutex<Option<Served>>,
    /// Kinds of which a new certificate was asked for.
    pub(super) asked: Mutex<Vec<KeyKind>>,
    /// Whether windows were asked for since the start: then they are, whatever was agreed before.
    pub(super) asked_windows: Mutex<bool>,
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
        patience: &Patience,
    ) -> Result<Account, Failure> {
        let _one = self.settings.shared.one_account().await;
        account::open(ca, &self.store, patience).await
    }

    /// A CA that has lost us gets a new account.
    pub(super) async fn place_anew(
        &self,
        account: &mut Account,
        ca: &CaSettings,
        wish: &Wish<'_>,
        patience: &Patience,
    ) -> Result<Order, Failure> {
        match place(account, wish).await {
            Err(failure) if failure.lost_account() => {
                let _one = self.settings.shared.one_account().await;
                *account = account::create(ca, &self.store, patience).await?;
                place(account, wish).await
            }
            placed => placed,
        }
    }

    /// New handshakes get what lies on disk from here on.
    pub(super) fn serve_stored(&self, host: &dyn Host) -> Result<(), TlsError> {
        if let Some(served) = self.stored(host.now())? {
            *locked(&self.fresh) = Some(served);
            *locked(&self.said) = None;
            host.poll_source();
        }
        Ok(())
    }

    /// Says it once until something else is to be said.
    pub fn alarm(&self, host: &dyn Host, kind: AlarmKind, what: String) {
        let alarm = Alarm { kind, what };
        let mut said = locked(&self.said);
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
