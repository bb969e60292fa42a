//! A certificate chain as the server sent it: its certificates, its order and its trust. It reads
//! certificates only, never a socket.

use crate::clean::hex;
use crate::limits::{CHAIN_MAX, RSA_BITS_MIN};
use crate::self_signed;
use crate::settings::Roots;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use std::net::IpAddr;
use std::time::Duration;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

/// Names, dates, key and signature of one certificate.
#[derive(Debug, Clone)]
pub(crate) struct ChainFacts {
    pub subject: String,
    pub issuer: String,
    subject_der: Vec<u8>,
    issuer_der: Vec<u8>,
    pub names: Vec<String>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    pub key: KeyFacts,
    /// Object identifier of an unknown algorithm.
    signature: String,
    /// Whether it has a URL of its issuer, as certificates of public CAs do.
    issuer_is_published: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyFacts {
    Rsa(usize),
    Ec(usize),
    Other(String),
}

/// The chain as sent, leaf first.
#[derive(Debug)]
pub(crate) struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    pub facts: Vec<ChainFacts>,
}

/// Completeness and order of the sent certificates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChainShape {
    Whole {
        certificates: usize,
        top: String,
    },
    /// Complete, but out of order or with certificates that are not needed.
    Untidy(String),
    /// The issuer of this name was not sent and is not a known root.
    Missing(String),
    /// As `Missing`, for an issuer that may be a private CA's root, which need not be sent.
    Unknown(String),
}

pub(crate) enum Trust {
    Public,
    Private,
    /// The leaf is its own root, and in the CA file.
    SelfSigned {
        is_refused_by_rustls: bool,
    },
    None(String),
}

pub(crate) fn mozilla() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

impl Chain {
    pub fn read(certificates: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        if certificates.is_empty() {
            return Err("no certificate was sent".to_owned());
        }
        let facts = certificates
            .iter()
            .take(CHAIN_MAX)
            .map(ChainFacts::read)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            certificates,
            facts,
        })
    }

    pub fn leaf(&self) -> Option<&ChainFacts> {
        self.facts.first()
    }

    pub fn shape(&self, roots: &[&RootCertStore]) -> ChainShape {
        let Some(mut top) = self.leaf() else {
            return ChainShape::Missing("a leaf".to_owned());
        };
        let mut walked = vec![0];
        let mut root = top.root_above(roots);
        while !top.is_self_issued() {
            let above = self
                .facts
                .iter()
                .enumerate()
                .find(|(i, f)| f.subject_der == top.issuer_der && !walked.contains(i));
            let Some((index, facts)) = above else { break };
            walked.push(index);
            top = facts;
            // Chains of public CAs continue above a known root to older ones that some clients
            // still have.
            root = top.root_above(roots).or(root);
        }
        let Some(root) = root else {
            let issuer = top.issuer.clone();
            return if top.issuer_is_published {
                ChainShape::Missing(issuer)
            } else {
                ChainShape::Unknown(issuer)
            };
        };
        if walked.len() < self.certificates.len() {
            return ChainShape::Untidy(format!(
                "{} of {} certificates are needed",
                walked.len(),
                self.certificates.len()
            ));
        }
        if !walked.is_sorted() {
            return ChainShape::Untidy("the issuers are not in order".to_owned());
        }
        ChainShape::Whole {
            certificates: walked.len(),
            top: root,
        }
    }

    pub fn trust(&self, private: Option<&Roots>, now: OffsetDateTime) -> Trust {
        let public = self.verify(&mozilla(), now);
        let Err(reason) = public else {
            return Trust::Public;
        };
        let Some(roots) = private else {
            return Trust::None(reason);
        };
        if let Some(leaf) = self.self_signed_leaf(roots) {
            return self.trust_self_signed(leaf, roots, now);
        }
        match self.verify(&roots.store, now) {
            Ok(()) => Trust::Private,
            Err(private) => Trust::None(private),
        }
    }

    /// Returns the leaf, if it is self-signed and one of these roots.
    fn self_signed_leaf(&self, roots: &Roots) -> Option<&CertificateDer<'static>> {
        let leaf = self.certificates.first()?;
        let is_own_root = self.leaf()?.is_self_issued() && roots.certificates.contains(leaf);
        is_own_root.then_some(leaf)
    }

    fn trust_self_signed(
        &self,
        leaf: &CertificateDer<'static>,
        roots: &Roots,
        now: OffsetDateTime,
    ) -> Trust {
        if let Some(fault) = self_signed::usage_fault(leaf) {
            return Trust::None(fault.to_owned());
        }
        Trust::SelfSigned {
            is_refused_by_rustls: self.verify_path(&roots.store, now).is_err(),
        }
    }

    /// Verifies the chain with these roots only. For an expired leaf the last moment of its life is
    /// taken, because its dates are another finding.
    pub fn verify(&self, roots: &RootCertStore, now: OffsetDateTime) -> Result<(), String> {
        if self.leaf().is_some_and(ChainFacts::is_self_issued) && self.certificates.len() == 1 {
            return Err("it is signed by itself".to_owned());
        }
        self.verify_path(roots, now)
    }

    /// Verifies the chain as webpki does, with these roots only.
    fn verify_path(&self, roots: &RootCertStore, now: OffsetDateTime) -> Result<(), String> {
        let (Some(leaf), Some(facts)) = (self.certificates.first(), self.leaf()) else {
            return Err("no certificate was sent".to_owned());
        };
        let within = now
            .min(facts.not_after - time::Duration::SECOND)
            .max(facts.not_before);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(
            within.unix_timestamp().try_into().unwrap_or(0),
        ));
        let parsed = ParsedCertificate::try_from(leaf).map_err(|e| e.to_string())?;
        // A chain of one certificate has none above it.
        let above = match self.certificates.as_slice() {
            [_, above @ ..] => above.get(..CHAIN_MAX - 1).unwrap_or(above),
            [] => &[],
        };
        let algorithms = crate::tls::provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, above, at, algorithms)
            .map_err(|e| reason(&e))
    }

    pub fn is_for(&self, name: &ServerName<'_>) -> bool {
        let leaf = self.certificates.first().map(ParsedCertificate::try_from);
        matches!(leaf, Some(Ok(leaf)) if verify_server_name(&leaf, name).is_ok())
    }

    /// Whether Let's Encrypt issued a certificate of this chain.
    pub fn is_lets_encrypt(&self) -> bool {
        self.facts
            .iter()
            .any(|f| f.issuer.contains("Let's Encrypt") || f.issuer.contains("ISRG"))
    }
}

fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "no trusted root is above it".to_owned()
        }
        other => other.to_string(),
    }
}

/// webpki stores names without the outer sequence header.
fn same_name(root: &TrustAnchor<'_>, der: &[u8]) -> bool {
    let subject: &[u8] = root.subject.as_ref();
    der == subject
        || der
            .strip_suffix(subject)
            .is_some_and(|head| matches!(head, [0x30, _] | [0x30, 0x81, _] | [0x30, 0x82, _, _]))
}

impl ChainFacts {
    fn read(der: &CertificateDer<'static>) -> Result<Self, String> {
        let (_, cert) = x509_parser::parse_x509_certificate(der)
            .map_err(|e| format!("a certificate can't be read: {e}"))?;
        Ok(Self {
            subject: named(cert.subject()),
            issuer: named(cert.issuer()),
            subject_der: cert.subject().as_raw().to_vec(),
            issuer_der: cert.issuer().as_raw().to_vec(),
            names: alternative_names(&cert),
            not_before: cert.validity().not_before.to_datetime(),
            not_after: cert.validity().not_after.to_datetime(),
            key: key(&cert),
            signature: cert.signature_algorithm.algorithm.to_id_string(),
            issuer_is_published: is_issuer_published(&cert),
        })
    }

    /// Returns the name of the known root that signed this certificate or is identical to it.
    fn root_above(&self, roots: &[&RootCertStore]) -> Option<String> {
        let is_below = self.is_self_issued() || roots.iter().any(|store| self.is_issued_by(store));
        is_below.then(|| self.issuer.clone())
    }

    /// Whether one of these roots has the issuer's name.
    fn is_issued_by(&self, store: &RootCertStore) -> bool {
        store.roots.iter().any(|r| same_name(r, &self.issuer_der))
    }

    pub fn is_named_in(&self, roots: &RootCertStore) -> bool {
        roots
            .roots
            .iter()
            .any(|root| same_name(root, &self.subject_der))
    }

    pub fn is_self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }

    /// Whether it is signed with SHA-1 or MD5, by RSA, DSA or ECDSA.
    pub fn has_weak_signature(&self) -> bool {
        const WEAK: &[&str] = &[
            "1.2.840.113549.1.1.2",
            "1.2.840.113549.1.1.4",
            "1.2.840.113549.1.1.5",
            "1.3.14.3.2.29",
            "1.2.840.10040.4.3",
            "1.2.840.10045.4.1",
        ];
        WEAK.contains(&self.signature.as_str())
    }
}

impl KeyFacts {
    pub fn is_weak(&self) -> bool {
        match self {
            Self::Rsa(bits) => *bits < RSA_BITS_MIN,
            Self::Ec(bits) => *bits < 256,
            Self::Other(_) => false,
        }
    }
}

impl std::fmt::Display for KeyFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec(bits) => write!(f, "EC {bits}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

fn key(cert: &X509Certificate<'_>) -> KeyFacts {
    let algorithm = cert.public_key().algorithm.algorithm.to_id_string();
    match cert.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => KeyFacts::Rsa(rsa.key_size()),
        Ok(PublicKey::EC(point)) => KeyFacts::Ec(point.key_size()),
        _ if algorithm == "1.3.101.112" => KeyFacts::Other("Ed25519".to_owned()),
        _ => KeyFacts::Other(algorithm),
    }
}

/// Returns the common name, or the whole name if it has none.
fn named(name: &X509Name<'_>) -> String {
    let common = name
        .iter_common_name()
        .next()
        .and_then(|cn| cn.as_str().ok())
        .map(str::to_owned);
    let organisation = name
        .iter_organization()
        .next()
        .and_then(|o| o.as_str().ok());
    match (common, organisation) {
        (Some(common), Some(organisation)) => format!("{common} ({organisation})"),
        (Some(common), None) => common,
        _ if name.iter().next().is_none() => "(no name)".to_owned(),
        _ => name.to_string(),
    }
}

fn alternative_names(cert: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = cert.subject_alternative_name() else {
        return Vec::new();
    };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(dns) => Some((*dns).to_owned()),
        GeneralName::IPAddress(octets) => {
            Some(address(octets).map_or_else(|| hex(octets), |ip| ip.to_string()))
        }
        _ => None,
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(text)
        .take(100)
        .collect()
}

fn is_issuer_published(cert: &X509Certificate<'_>) -> bool {
    cert.extensions()
        .iter()
        .any(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => {
                access.accessdescs.iter().any(|description| {
                    description.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS
                })
            }
            _ => false,
        })
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}
