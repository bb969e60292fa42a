//! Making and reading the certificates of the local CA, in memory. Never touches the disk, never
//! keeps the root's key beyond the one signature it makes.

use crate::chain::{Chain, certificates, roots};
use crate::error::TlsError;
use crate::limits::{BACKDATE_HOURS, CA_DAYS, LEAF_DAYS};
use crate::names::{Name, Permitted};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey,
};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::path::Path;
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use zeroize::{Zeroize, Zeroizing};

/// What the common name of every local root begins with; a mark of its own follows.
pub const ROOT_NAME: &str = "Tidegate Local Root";

/// The longest CN there may be (X.520, ub-common-name).
const COMMON_NAME_MAX: usize = 64;
const CERTIFICATE_END: &str = "-----END CERTIFICATE-----\n";

/// A key pair whose readable copy is wiped when dropped (aws-lc wipes its own).
struct WipedKey(KeyPair);

impl Drop for WipedKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl WipedKey {
    fn generate() -> Result<Self, TlsError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?))
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).ok()?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256);
        der.zeroize();
        key.ok().map(Self)
    }

    fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }
}

impl PublicKeyData for WipedKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        PublicKeyData::algorithm(&self.0)
    }
}

impl SigningKey for WipedKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

/// The issuing CA with its key and its root, ready to sign a leaf. Lives only as long as one needs
/// to.
pub struct Authority {
    pub root_pem: String,
    pub permitted: Permitted,
    issuing_pem: String,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    root: RootCertStore,
    issuer: Issuer<'static, WipedKey>,
}

/// A new CA: root certificate, issuing certificate and the issuing key, as PEM in this order. The
/// root's key is dropped, and wiped, at the end of this function; nothing can be signed by it
/// again.
pub fn make_authority(
    now: OffsetDateTime,
    permitted: &Permitted,
) -> Result<Zeroizing<String>, TlsError> {
    let root_key = WipedKey::generate()?;
    let issuing_key = WipedKey::generate()?;
    // Stores tell CAs apart by subject: two machines' CAs in one store must not share it.
    let mark: String = root_key
        .0
        .public_key_raw()
        .iter()
        .rev()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let root =
        CertifiedIssuer::self_signed(ca_params(now, &format!("{ROOT_NAME} {mark}"), 1), root_key)?;
    let mut params = ca_params(now, &format!("Tidegate Local Issuing CA {mark}"), 0);
    params.use_authority_key_identifier_extension = true;
    // Names constrain no certificate that carries none: without this a stolen issuing key could
    // sign programs for whoever put the root into the machine's store.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Here and not in the root: Java ignores constraints in a root and honours them in an
    // intermediate.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted.to_subtrees(),
        excluded_subtrees: Vec::new(),
    });
    let issuing = params.signed_by(&issuing_key, &root)?;
    Ok(join(&[&root.pem(), &issuing.pem(), &issuing_key.to_pem()]))
}

fn ca_params(now: OffsetDateTime, name: &str, path_length: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::hours(BACKDATE_HOURS);
    params.not_after = now + Duration::days(CA_DAYS);
    params
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "Tidegate");
    subject.push(DnType::CommonName, name);
    subject
}

/// Joins PEM texts without leaving a half-grown copy of a key behind.
fn join(parts: &[&str]) -> Zeroizing<String> {
    let mut whole = Zeroizing::new(String::with_capacity(
        parts.iter().map(|part| part.len()).sum(),
    ));
    for part in parts {
        whole.push_str(part);
    }
    whole
}

impl Authority {
    /// Reads what [`make_authority`] wrote and proves that it is whole: three parts, a key that is
    /// the issuing CA's, a chain that leads to the root, and time left. `path` is for error texts
    /// only.
    pub fn parse(
        text: &[u8],
        provider: &CryptoProvider,
        now: OffsetDateTime,
        path: &Path,
    ) -> Result<Self, TlsError> {
        let broken = |what| TlsError::NotPem {
            what,
            path: path.to_path_buf(),
        };
        let text = std::str::from_utf8(text).map_err(|_| broken("text"))?;
        let mut parts = text.split_inclusive(CERTIFICATE_END);
        let (Some(root_pem), Some(issuing_pem), Some(key_pem), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(broken("CA"));
        };
        let key = WipedKey::from_pem(key_pem).ok_or_else(|| broken("private key"))?;
        let [issuing] = <[_; 1]>::try_from(certificates(issuing_pem.as_bytes(), path)?)
            .map_err(|_| broken("CA"))?;
        let facts = issuing_facts(&issuing)?;
        if facts.public_key != key.0.public_key_raw() {
            return Err(TlsError::Certificate(
                "the key is not the issuing CA's".to_owned(),
            ));
        }
        if now >= facts.not_after {
            return Err(TlsError::Expired(facts.not_after));
        }
        let authority = Self {
            root_pem: root_pem.to_owned(),
            issuing_pem: issuing_pem.to_owned(),
            root: roots(root_pem.as_bytes(), path)?,
            issuer: Issuer::from_ca_cert_der(&issuing, key)?,
            permitted: facts.permitted,
            not_before: facts.not_before,
            not_after: facts.not_after,
        };
        // The proof that issuing CA and root belong together is a leaf that verifies.
        let at = authority.no_earlier(now);
        let probe = authority.issue(&Name::loopback(), at)?;
        authority
            .chain(probe.as_bytes(), path)?
            .verify(&authority.root, provider, at)?;
        Ok(authority)
    }

    /// `now`, but not before this CA was made: a clock that runs behind must not cost anyone their
    /// CA, nor give out a leaf older than the CA is.
    pub fn no_earlier(&self, now: OffsetDateTime) -> OffsetDateTime {
        now.max(self.not_before + Duration::hours(BACKDATE_HOURS))
    }

    /// A new leaf with a key of its own, as PEM: leaf, issuing CA, key.
    pub fn issue(
        &self,
        names: &[Name],
        now: OffsetDateTime,
    ) -> Result<Zeroizing<String>, TlsError> {
        let key = WipedKey::generate()?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(Name::to_san).collect::<Result<_, _>>()?;
        // Never empty, or the alternative names would have to be critical; and a host name, since
        // clients of before 2018 look nowhere else.
        let first = names.iter().find_map(|name| match name {
            Name::Dns(dns) if dns.len() <= COMMON_NAME_MAX => Some(dns.as_str()),
            _ => None,
        });
        params.distinguished_name = subject(first.unwrap_or("localhost"));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = now - Duration::hours(BACKDATE_HOURS);
        params.not_after = (now + Duration::days(LEAF_DAYS)).min(self.not_after);
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(join(&[&leaf.pem(), &self.issuing_pem, &key.to_pem()]))
    }

    /// Reads what [`Authority::issue`] wrote.
    pub fn chain(&self, text: &[u8], path: &Path) -> Result<Chain, TlsError> {
        Chain::from_pem(text, text, path)
    }

    pub fn root(&self) -> &RootCertStore {
        &self.root
    }
}

struct IssuingFacts {
    public_key: Vec<u8>,
    permitted: Permitted,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

fn issuing_facts(issuing: &CertificateDer<'_>) -> Result<IssuingFacts, TlsError> {
    let unreadable = |error: &dyn std::fmt::Display| TlsError::Certificate(error.to_string());
    let (_, parsed) =
        x509_parser::parse_x509_certificate(issuing).map_err(|error| unreadable(&error))?;
    let constraints = parsed
        .name_constraints()
        .map_err(|error| unreadable(&error))?;
    let subtrees = constraints
        .and_then(|found| found.value.permitted_subtrees.as_deref())
        .unwrap_or_default();
    let dns = subtrees.iter().filter_map(|subtree| match &subtree.base {
        GeneralName::DNSName(dns) => Some(*dns),
        _ => None,
    });
    let ip = subtrees.iter().filter_map(|subtree| match &subtree.base {
        GeneralName::IPAddress(octets) => Some(*octets),
        _ => None,
    });
    Ok(IssuingFacts {
        public_key: parsed.public_key().subject_public_key.data.to_vec(),
        permitted: Permitted::from_parts(dns, ip),
        not_before: parsed.validity().not_before.to_datetime(),
        not_after: parsed.validity().not_after.to_datetime(),
    })
}
