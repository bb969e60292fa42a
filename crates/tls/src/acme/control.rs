//! Operations of the ACME manager for operators: status, renewal, import of a pair, and a check of
//! everything that an order needs. Never returns a key.

use crate::acme::account;
use crate::acme::host::Host;
use crate::acme::key::KeyKind;
use crate::acme::limits::{CLOCK_FLOOR, DNS_MAX, HTTP_MAX};
use crate::acme::manager::Manager;
use crate::acme::record::{LastError, Record};
use crate::acme::schedule;
use crate::acme::settings::ChallengeKind;
use crate::acme::solve::Solver;
use crate::acme::times::date_text;
use crate::alarm::{Alarm, AlarmKind};
use crate::chain::Chain;
use crate::error::TlsError;
use crate::leaf::{LeafStatus, read_leaf};
use crate::lock::locked;
use crate::names::Name;
use rustls::SignatureAlgorithm;
use std::path::Path;
use std::sync::atomic::Ordering;
use tidegate_model::error_chain;
use tokio::time::timeout;

/// Status of ACME. Times are Unix seconds.
#[derive(Debug, Clone)]
pub struct AcmeStatus {
    pub domains: Vec<String>,
    pub certificates: Vec<KeptStatus>,
    /// Whether an order is running.
    pub under_way: bool,
    pub alarms: Vec<Alarm>,
}

/// Status of one kind of key and its certificate.
#[derive(Debug, Clone)]
pub struct KeptStatus {
    pub key: &'static str,
    pub leaf: Option<LeafStatus>,
    /// Directory of the CA that issued it.
    pub issued_by: Option<String>,
    pub renew_at: Option<i64>,
    pub failures: u32,
    pub next_attempt: Option<i64>,
    pub last_error: Option<LastError>,
    /// Text about the order that the CA still works on, if there is one.
    pub waiting: Option<String>,
    /// Whether a newer certificate is held back.
    pub held: bool,
}

/// Result of checking one thing that an order needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderCheck {
    pub what: String,
    pub good: bool,
    pub detail: String,
}

impl Manager {
    pub fn status(&self, now: i64) -> AcmeStatus {
        let certificates: Vec<_> = self
            .kinds()
            .iter()
            .map(|kind| self.kept(*kind, now))
            .collect();
        let mut alarms: Vec<Alarm> = certificates.iter().flat_map(alarms).collect();
        // The last alarm may be in no record: a file that can't be written, a wrong clock.
        if let Some(said) = locked(&self.last_alarm)
            .clone()
            .filter(|said| alarms.iter().all(|it| it.kind != said.kind))
        {
            alarms.push(said);
        }
        let under_way = self.under_way.load(Ordering::Relaxed);
        AcmeStatus {
            domains: self.settings.domains.clone(),
            certificates,
            under_way,
            alarms,
        }
    }

    fn kept(&self, kind: KeyKind, now: i64) -> KeptStatus {
        let record = self.store.record(kind, now);
        let pair = self.store.pair(kind).ok().flatten();
        let due = pair
            .as_ref()
            .map(|pair| schedule::due(self.life(&pair.chain), &record));
        KeptStatus {
            key: kind.as_str(),
            leaf: pair.and_then(|pair| read_leaf(&pair.chain).ok()),
            waiting: record.waiting_text(kind.as_str()),
            issued_by: record.issuer,
            renew_at: due,
            failures: record.failures,
            next_attempt: (record.failures > 0 || record.waiting_since.is_some())
                .then_some(record.next_attempt),
            last_error: record.last_error,
            held: matches!(self.store.held(kind), Ok(Some(_))),
        }
    }

    /// Requests a new certificate of every kind. The limits on orders still apply.
    pub fn ask(&self) {
        *locked(&self.asked) = self.kinds().to_vec();
        self.wake.notify_one();
    }

    /// Imports a pair as if a configured CA had issued it: it is judged and renewed in the same
    /// way.
    pub fn import(&self, chain_pem: &str, key_pem: &str, host: &dyn Host) -> Result<(), TlsError> {
        // Not awaited: an order may take minutes.
        let Ok(_busy) = self.busy.try_lock() else {
            return Err(TlsError::OrderUnderWay);
        };
        let chain = Chain::from_pem(
            chain_pem.as_bytes(),
            key_pem.as_bytes(),
            Path::new("the given file"),
        )?;
        let kind = match chain.certified.key.algorithm() {
            SignatureAlgorithm::RSA => KeyKind::Rsa,
            _ => KeyKind::Ecdsa,
        };
        if !self.kinds().contains(&kind) {
            return Err(TlsError::NotTaken(
                "its key is RSA and acme.rsa is not set; hint: set acme.rsa = \"yes\", or import \
                 one with an ECDSA key"
                    .to_owned(),
            ));
        }
        let now = host.now();
        self.judge_any(&chain, now)?;
        let record = self.store.record(kind, now.unix_timestamp());
        let renew_at = Some(schedule::by_age(self.life(&chain)));
        self.store.remember(
            kind,
            &Record {
                renew_at,
                ..record.settled()
            },
        )?;
        self.forget_restored(kind);
        self.store.keep(kind, chain_pem, key_pem)?;
        self.serve_stored(host)
    }

    /// Checks what an order needs, as far as this machine can see it. Orders nothing.
    pub async fn check(&self, host: &dyn Host) -> Vec<OrderCheck> {
        let now = host.now().unix_timestamp();
        let mut found = vec![
            finding(
                "clock",
                if now < CLOCK_FLOOR {
                    Err(date_text(now))
                } else {
                    Ok(date_text(now))
                },
            ),
            finding(
                "storage",
                self.store
                    .probe()
                    .map(|()| "writable".to_owned())
                    .map_err(|error| error_chain(&error)),
            ),
        ];
        for ca in &self.settings.authorities {
            let answered = timeout(HTTP_MAX, account::directory(ca)).await;
            let answered = match answered {
                Ok(answered) => answered.map_err(|failure| failure.reason),
                Err(_) => Err("no answer in time".to_owned()),
            };
            found.push(finding(&format!("CA {}", ca.directory), answered));
        }
        for kind in &self.settings.challenges {
            let opened = match self.busy.try_lock() {
                Ok(_busy) => Solver::open(*kind, &self.settings)
                    .await
                    .map_err(|failure| failure.reason)
                    .map(drop),
                // A running order has opened it.
                Err(_) => Ok(()),
            };
            found.push(finding(
                kind.as_str(),
                opened.map(|()| "can be answered".to_owned()),
            ));
        }
        for domain in &self.settings.domains {
            found.push(finding(
                &format!("name {domain}"),
                self.resolves(domain).await,
            ));
        }
        found
    }

    /// Checks that the name resolves, so that a CA can connect to it.
    async fn resolves(&self, domain: &str) -> Result<String, String> {
        let by_dns_only = self.settings.challenges == [ChallengeKind::Dns01];
        if by_dns_only || matches!(Name::parse(domain), Ok(Name::Ip(_))) {
            return Ok("needs no address".to_owned());
        }
        let found = timeout(DNS_MAX, tokio::net::lookup_host((domain, 80)))
            .await
            .map_err(|_| "no answer in time")?;
        let found: Vec<String> = found
            .map_err(|error| error_chain(&error))?
            .map(|at| at.ip().to_string())
            .collect();
        if found.is_empty() {
            Err("no address".to_owned())
        } else {
            Ok(found.join(", "))
        }
    }
}

fn finding(what: &str, result: Result<String, String>) -> OrderCheck {
    let good = result.is_ok();
    OrderCheck {
        what: what.to_owned(),
        good,
        detail: result.unwrap_or_else(|detail| detail),
    }
}

fn alarms(kept: &KeptStatus) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if let Some(slip) = kept.last_error.as_ref().filter(|_| kept.failures > 0) {
        let next = kept.next_attempt.map_or(String::new(), |at| {
            format!("; next attempt at {}", date_text(at))
        });
        let key = kept.key;
        let times = kept.failures;
        let what = format!(
            "no new {key} certificate after {times} attempts, last from {}: {}{next}",
            slip.directory, slip.reason
        );
        alarms.push(Alarm::new(AlarmKind::Failed, what));
    }
    if let Some(what) = &kept.waiting {
        alarms.push(Alarm::new(AlarmKind::Waiting, what));
    }
    if kept.held {
        let what = format!(
            "a newer {} certificate is held back: clients could not verify it",
            kept.key
        );
        alarms.push(Alarm::new(AlarmKind::Held, what));
    }
    alarms
}
