//! A certificate chain with its key, read and judged: who it is for, until when, and why it may be
//! believed. Never touches the disk and never keeps a readable copy of the key.

use crate::error::TlsError;
use crate::limits::CHAIN_CERTIFICATES_MAX;
use crate::names;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use zeroize::Zeroize;

/// A chain that can be served.
#[derive(Debug, Clone)]
pub struct Chain {
    pub certified: Arc<CertifiedKey>,
    /// A second pair with an RSA key, for clients that take no ECDSA.
    pub rsa: Option<Arc<CertifiedKey>>,
    /// As the leaf's subject alternative names have them, in their order.
    pub names: Vec<String>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

/// What the leaf says about itself.
pub struct LeafFacts {
    pub names: Vec<String>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

impl Chain {
    /// From PEM: the chain, leaf first, and the key. That they belong together is checked.
    pub fn from_pem(chain: &[u8], key: &[u8], path: &Path) -> Result<Self, TlsError> {
        let certificates = certificates(chain, path)?;
        let mut key_der = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NotPem {
            what: "private key",
            path: path.to_path_buf(),
        })?;
        let signer = any_supported_type(&key_der);
        key_der.zeroize();
        let certified = CertifiedKey::new(certificates, signer.map_err(TlsError::Pair)?);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(error) => return Err(TlsError::Pair(error)),
        }
        let facts = leaf_facts(certified.end_entity_cert()?)?;
        if facts.names.is_empty() {
            return Err(TlsError::NoNames);
        }
        Ok(Self {
            certified: Arc::new(certified),
            rsa: None,
            names: facts.names,
            not_before: facts.not_before,
            not_after: facts.not_after,
        })
    }

    /// Whether the leaf is valid at `now`.
    pub fn check_dates(&self, now: OffsetDateTime) -> Result<(), TlsError> {
        if now < self.not_before {
            return Err(TlsError::NotYetValid(self.not_before));
        }
        if now >= self.not_after {
            return Err(TlsError::Expired(self.not_after));
        }
        Ok(())
    }

    /// Whether the chain as served leads to one of `roots`. An expired leaf is asked about the last
    /// moment of its life: its dates are judged by [`Chain::check_dates`], its origin here.
    pub fn verify(
        &self,
        roots: &RootCertStore,
        provider: &CryptoProvider,
        now: OffsetDateTime,
    ) -> Result<(), TlsError> {
        let within = now
            .min(self.not_after - time::Duration::SECOND)
            .max(self.not_before);
        let seconds = u64::try_from(within.unix_timestamp()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let leaf = ParsedCertificate::try_from(self.certified.end_entity_cert()?)?;
        let above = self.certified.cert.get(1..).unwrap_or_default();
        let algorithms = provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, roots, above, at, algorithms)
            .map_err(TlsError::Chain)
    }
}

/// All certificates of a PEM text; a cut-off one is an error, not an end.
pub fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let not_pem = || TlsError::NotPem {
        what: "certificate",
        path: path.to_path_buf(),
    };
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        if found.len() == CHAIN_CERTIFICATES_MAX {
            return Err(TlsError::ChainTooLong(CHAIN_CERTIFICATES_MAX));
        }
        found.push(certificate.map_err(|_| not_pem())?);
    }
    if found.is_empty() {
        Err(not_pem())
    } else {
        Ok(found)
    }
}

/// The roots in a PEM text.
pub fn roots(pem: &[u8], path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let mut any = false;
    // A system bundle holds far more than a chain may: no count here, the file's size is bounded.
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let not_pem = || TlsError::NotPem {
            what: "certificate",
            path: path.to_path_buf(),
        };
        store.add(certificate.map_err(|_| not_pem())?)?;
        any = true;
    }
    if any {
        Ok(store)
    } else {
        Err(TlsError::NotPem {
            what: "certificate",
            path: path.to_path_buf(),
        })
    }
}

/// The roots of Mozilla's list.
pub fn mozilla_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

pub fn leaf_facts(leaf: &CertificateDer<'_>) -> Result<LeafFacts, TlsError> {
    let unreadable = |error: &dyn std::fmt::Display| TlsError::Certificate(error.to_string());
    let (_, parsed) =
        x509_parser::parse_x509_certificate(leaf).map_err(|error| unreadable(&error))?;
    let alternative = parsed
        .subject_alternative_name()
        .map_err(|error| unreadable(&error))?;
    let names = alternative.map(|san| {
        san.value
            .general_names
            .iter()
            .filter_map(name_text)
            .collect()
    });
    Ok(LeafFacts {
        names: names.unwrap_or_default(),
        not_before: parsed.validity().not_before.to_datetime(),
        not_after: parsed.validity().not_after.to_datetime(),
    })
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(dns) => Some(dns.to_ascii_lowercase()),
        GeneralName::IPAddress(octets) => names::address(octets).map(|address| address.to_string()),
        _ => None,
    }
}
