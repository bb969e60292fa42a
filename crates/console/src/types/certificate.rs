//! The certificate in requests and answers. A key is in requests only, and no `Debug` prints it.

use super::Secret;
use crate::timestamp::rfc3339_date;
use serde::{Deserialize, Serialize};
use tidegate_model::Trust;
use tidegate_tls::{
    AcmeStatus, CertificateStatus, Happening, HistoryEntry, KeptStatus, LeafStatus,
};
use utoipa::ToSchema;

/// The certificate that new connections get, and how the next one stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// `acme`, `files` or `local`: where certificates come from.
    #[schema(example = "acme")]
    pub source: String,
    /// `local`, `private` or `public`.
    #[schema(example = "public")]
    pub trust: String,
    pub served: LeafCertificate,
    /// The second one, for clients that take RSA only.
    pub served_rsa: Option<LeafCertificate>,
    /// Null where certificates do not come by ACME.
    pub acme: Option<Acme>,
    /// What somebody must look at; empty if all is well.
    pub alarms: Vec<String>,
    /// What happened to it, latest first, over restarts; bounded.
    pub history: Vec<CertificateChange>,
    /// The console's own, where it has one.
    #[schema(no_recursion)]
    pub console: Option<Box<Certificate>>,
}

/// One thing that happened to a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Change)]
pub struct CertificateChange {
    /// RFC 3339, UTC.
    pub at: String,
    /// `served`, `rejected` or `alarm`.
    #[schema(example = "served")]
    pub what: String,
    /// Of one that is served from here on.
    pub key: Option<String>,
    pub names: Vec<String>,
    pub serial: Option<String>,
    pub issuer: Option<String>,
    pub not_after: Option<String>,
    /// Why one was not taken, or what somebody must look at.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Leaf)]
pub struct LeafCertificate {
    #[schema(example = "ecdsa")]
    pub key: String,
    pub names: Vec<String>,
    pub serial: String,
    pub issuer: String,
    /// RFC 3339, UTC.
    pub not_before: String,
    pub not_after: String,
}

/// How ACME stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Acme {
    /// The names a certificate shall carry.
    pub domains: Vec<String>,
    /// One per kind of key.
    pub certificates: Vec<KeptCertificate>,
    /// A CA is being asked at this moment.
    pub under_way: bool,
}

/// One kind of key, and its certificate that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Kept)]
pub struct KeptCertificate {
    #[schema(example = "ecdsa")]
    pub key: String,
    pub certificate: Option<LeafCertificate>,
    /// The directory of the CA that issued it; null for one that was imported.
    pub issued_by: Option<String>,
    pub renew_at: Option<String>,
    /// Attempts in a row that brought nothing.
    pub failures: u32,
    /// Set while attempts fail.
    pub next_attempt: Option<String>,
    pub last_error: Option<AcmeError>,
    /// A newer certificate is kept back, since clients could not verify it.
    pub held: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcmeError {
    pub at: String,
    /// The CA's directory.
    pub directory: String,
    /// `storage`, `directory`, `account`, `order`, `challenge`, `finalize` or `judge`.
    #[schema(example = "challenge")]
    pub step: String,
    pub reason: String,
}

/// A pair that was got elsewhere, PEM.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pair)]
pub struct CertificatePair {
    /// The chain, leaf first.
    pub chain: String,
    #[schema(value_type = String)]
    pub key: Secret,
}

/// What an order needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckResult {
    pub findings: Vec<CheckFinding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckFinding {
    #[schema(example = "http-01")]
    pub what: String,
    pub good: bool,
    #[schema(example = "listening on 0.0.0.0:80: Permission denied")]
    pub detail: String,
}

impl From<CertificateStatus> for Certificate {
    fn from(status: CertificateStatus) -> Self {
        let trust = match status.trust {
            Trust::Public => "public",
            Trust::Private(_) => "private",
            Trust::Local(_) => "local",
        };
        Self {
            source: status.source.to_owned(),
            trust: trust.to_owned(),
            served: status.served.into(),
            served_rsa: status.served_rsa.map(LeafCertificate::from),
            acme: status.acme.map(Acme::from),
            alarms: status.alarms.into_iter().map(|alarm| alarm.what).collect(),
            history: status
                .history
                .into_iter()
                .map(CertificateChange::from)
                .collect(),
            console: None,
        }
    }
}

impl From<HistoryEntry> for CertificateChange {
    fn from(entry: HistoryEntry) -> Self {
        let happened = |what: &str, reason: Option<String>| Self {
            at: rfc3339_date(entry.at),
            what: what.to_owned(),
            key: None,
            names: Vec::new(),
            serial: None,
            issuer: None,
            not_after: None,
            reason,
        };
        match entry.what {
            Happening::Served {
                key,
                names,
                serial,
                issuer,
                not_after,
            } => Self {
                key: Some(key),
                names,
                serial: Some(serial),
                issuer: Some(issuer),
                not_after: Some(rfc3339_date(not_after)),
                ..happened("served", None)
            },
            Happening::Rejected { reason } => happened("rejected", Some(reason)),
            Happening::Alarm { reason, .. } => happened("alarm", Some(reason)),
        }
    }
}

impl From<LeafStatus> for LeafCertificate {
    fn from(leaf: LeafStatus) -> Self {
        Self {
            key: leaf.key.to_owned(),
            names: leaf.names,
            serial: leaf.serial,
            issuer: leaf.issuer,
            not_before: rfc3339_date(leaf.not_before),
            not_after: rfc3339_date(leaf.not_after),
        }
    }
}

impl From<AcmeStatus> for Acme {
    fn from(status: AcmeStatus) -> Self {
        let certificates = status
            .certificates
            .into_iter()
            .map(KeptCertificate::from)
            .collect();
        Self {
            domains: status.domains,
            certificates,
            under_way: status.under_way,
        }
    }
}

impl From<KeptStatus> for KeptCertificate {
    fn from(kept: KeptStatus) -> Self {
        Self {
            key: kept.key.to_owned(),
            certificate: kept.leaf.map(LeafCertificate::from),
            issued_by: kept.issued_by,
            renew_at: kept.renew_at.map(rfc3339_date),
            failures: kept.failures,
            next_attempt: kept.next_attempt.map(rfc3339_date),
            last_error: kept.last_error.map(|slip| AcmeError {
                at: rfc3339_date(slip.at),
                directory: slip.directory,
                step: slip.step,
                reason: slip.reason,
            }),
            held: kept.held,
        }
    }
}
