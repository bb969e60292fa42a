//! A certificate chain with its key: parsing, dates, names and verification. Never touches the disk
//! and never keeps a readable copy of the key.

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
    /// The leaf's subject alternative names, in their order.
    pub names: Vec<String>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

/// Names and dates of a leaf.
pub struct LeafFacts {
    pub names: Vec<String>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

impl Chain {
    /// Parses a chain, leaf first, and its key from PEM, and checks that they belong together.
    /// `path` is for error texts only.
    pub fn from_pem(chain: &[u8], key: &[u8], path: &Path) -> Result<Self, TlsError> {
        let certificates = certificates(chain, path)?;
        let mut key_der = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NotPem {
            what: "private key",
            path: path.to_path_buf(),
        })?;
        let signer = any_supported_type(&key_der);
        // The signer has its own copy, which aws-lc wipes.
        key_der.zeroize();
        let certified = CertifiedKey::new(certificates, signer.map_err(TlsError::Pair)?);
        match certified.keys_match() {
            // Unknown: keys of this kind can't be compared, which is no mismatch.
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

    /// Checks that the leaf is valid at `now`.
    pub fn check_dates(&self, now: OffsetDateTime) -> Result<(), TlsError> {
        if now < self.not_before {
            return Err(TlsError::NotYetValid(self.not_before));
        }
        if now >= self.not_after {
            return Err(TlsError::Expired(self.not_after));
        }
        Ok(())
    }

    /// Checks that the chain leads to one of `roots`. For an expired leaf the last moment of its
    /// life is taken, because [`Chain::check_dates`] checks the dates and this checks the origin
    /// only.
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
        let Some((leaf, above)) = self.certified.cert.split_first() else {
            return Err(Error::NoCertificatesPresented.into());
        };
        let leaf = ParsedCertificate::try_from(leaf)?;
        let algorithms = provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, roots, above, at, algorithms)
            .map_err(TlsError::Chain)
    }
}

/// Parses all certificates of a PEM text. A truncated one is an error.
pub fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        if found.len() == CHAIN_CERTIFICATES_MAX {
            return Err(TlsError::ChainTooLong(CHAIN_CERTIFICATES_MAX));
        }
        found.push(certificate.map_err(|_| no_certificate(path))?);
    }
    if found.is_empty() {
        Err(no_certificate(path))
    } else {
        Ok(found)
    }
}

/// Parses the roots of a PEM text.
pub fn roots(pem: &[u8], path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let mut any = false;
    // The number is not limited, since a system's bundle has far more roots than a chain has
    // certificates; the file's size is bounded.
    for certificate in CertificateDer::pem_slice_iter(pem) {
        store.add(certificate.map_err(|_| no_certificate(path))?)?;
        any = true;
    }
    if any {
        Ok(store)
    } else {
        Err(no_certificate(path))
    }
}

fn no_certificate(path: &Path) -> TlsError {
    TlsError::NotPem {
        what: "certificate",
        path: path.to_path_buf(),
    }
}

/// Returns the roots of Mozilla's list.
pub fn mozilla_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

pub fn leaf_facts(leaf: &CertificateDer<'_>) -> Result<LeafFacts, TlsError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf)?;
    let alternative = parsed.subject_alternative_name().map_err(TlsError::Parse)?;
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
