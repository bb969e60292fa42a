//! The certificate in requests and answers. A private key is only in requests.

use super::Secret;
use crate::timestamp::rfc3339_date;
use serde::{Deserialize, Serialize};
use tidegate_tls::{
    AcmeStatus, CertificateStatus, HistoryEntry, HistoryEvent, KeptStatus, LeafStatus,
};
use utoipa::ToSchema;

/// Certificate of new connections, and the state of its renewal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// Source of certificates: `acme`, `files` or `local`.
    #[schema(example = "acme")]
    pub source: String,
    /// `local`, `private` or `public`.
    #[schema(example = "public")]
    pub trust: String,
    pub served: LeafCertificate,
    /// Second certificate, for clients that accept only RSA.
    pub served_rsa: Option<LeafCertificate>,
    /// Null if certificates do not come from ACME.
    pub acme: Option<Acme>,
    /// Problems that need attention.
    pub alarms: Vec<String>,
    /// Latest changes first, also those before a restart. The list is bounded.
    pub history: Vec<CertificateChange>,
    /// Certificate of the console, if it has a separate one.
    #[schema(no_recursion)]
    pub console: Option<Box<Certificate>>,
}

/// Change of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Change)]
pub struct CertificateChange {
    /// RFC 3339, UTC.
    pub at: String,
    /// `served`, `rejected` or `alarm`.
    #[schema(example = "served")]
    pub what: String,
    /// Key type of a certificate that is served from then on.
    pub key: Option<String>,
    pub names: Vec<String>,
    pub serial: Option<String>,
    pub issuer: Option<String>,
    pub not_after: Option<String>,
    /// Reason why a certificate was rejected, or the problem.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Leaf)]
pub struct LeafCertificate {
    #[schema(example = "ecdsa")]
    pub key: String,
    pub names: Vec<String>,
    pub serial: String,
    /// SHA-256 of the certificate, in hex with colons, as browsers show it.
    #[serde(default)]
    pub fingerprint: String,
    pub issuer: String,
    /// RFC 3339, UTC.
    pub not_before: String,
    pub not_after: String,
}

/// State of ACME.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Acme {
    /// Names that a certificate must have.
    pub domains: Vec<String>,
    /// Stored certificates, by key type.
    pub certificates: Vec<KeptCertificate>,
    /// Whether an order is in progress.
    pub under_way: bool,
}

/// Stored certificate of one key type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Kept)]
pub struct KeptCertificate {
    #[schema(example = "ecdsa")]
    pub key: String,
    pub certificate: Option<LeafCertificate>,
    /// Directory URL of the CA that issued it; null for an imported certificate.
    pub issued_by: Option<String>,
    pub renew_at: Option<String>,
    /// Number of failed attempts in a row.
    pub failures: u32,
    /// Time of the next attempt; set while attempts fail, and while the CA works on an order.
    pub next_attempt: Option<String>,
    pub last_error: Option<AcmeError>,
    /// Whether a newer certificate is not served because clients could not verify it.
    pub held: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcmeError {
    pub at: String,
    /// Directory URL of the CA.
    pub directory: String,
    /// `storage`, `directory`, `account`, `order`, `challenge`, `finalize` or `judge`.
    #[schema(example = "challenge")]
    pub step: String,
    pub reason: String,
}

/// Certificate chain and key from elsewhere, as PEM.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pair)]
pub struct CertificatePair {
    /// Certificate chain, leaf first.
    pub chain: String,
    #[schema(value_type = String)]
    pub key: Secret,
}

/// Check of what an order needs.
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
        Self {
            source: status.source.to_owned(),
            trust: status.trust.word().to_owned(),
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
        let at = rfc3339_date(entry.at);
        match entry.what {
            HistoryEvent::Served {
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
                reason: None,
                ..Self::without_certificate(at, "served", String::new())
            },
            HistoryEvent::Rejected { reason } => Self::without_certificate(at, "rejected", reason),
            HistoryEvent::Alarm { reason, .. } => Self::without_certificate(at, "alarm", reason),
        }
    }
}

impl CertificateChange {
    fn without_certificate(at: String, what: &str, reason: String) -> Self {
        Self {
            at,
            what: what.to_owned(),
            key: None,
            names: Vec::new(),
            serial: None,
            issuer: None,
            not_after: None,
            reason: Some(reason),
        }
    }
}

impl From<LeafStatus> for LeafCertificate {
    fn from(leaf: LeafStatus) -> Self {
        Self {
            key: leaf.key.to_owned(),
            names: leaf.names,
            serial: leaf.serial,
            fingerprint: leaf.fingerprint,
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
