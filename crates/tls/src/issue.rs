//! Issues and parses the certificates of the local CA, in memory. The root's key makes one
//! signature and is then wiped.

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

/// Prefix of every local root's common name. A mark that is unique to the root follows.
pub const ROOT_NAME: &str = "Tidegate Local Root";

/// Maximum length of a common name (X.520, ub-common-name).
const COMMON_NAME_MAX: usize = 64;
const CERTIFICATE_END: &str = "-----END CERTIFICATE-----\n";

/// A key pair whose serialized copy is wiped when dropped (aws-lc wipes its own).
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

/// The issuing CA with its key and its root, ready to sign a leaf. It is loaded for one operation
/// and then dropped.
pub struct Authority {
    pub root_pem: String,
    pub permitted: Permitted,
    issuing_pem: String,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    root: RootCertStore,
    issuer: Issuer<'static, WipedKey>,
}

/// Makes a new CA and returns root certificate, issuing certificate and issuing key as PEM, in this
/// order. The root's key is wiped at the end of this function, so nothing can be signed with it
/// again.
pub fn make_authority(
    now: OffsetDateTime,
    permitted: &Permitted,
) -> Result<Zeroizing<String>, TlsError> {
    let root_key = WipedKey::generate()?;
    let issuing_key = WipedKey::generate()?;
    // Trust stores tell CAs apart by their subject, so the CAs of two machines must not have the
    // same one.
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
    // Name constraints don't apply to a certificate without names: without this usage a stolen
    // issuing key could sign programs for every machine that trusts the root.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // The constraints are in the intermediate and not in the root, because Java ignores those of a
    // root.
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

/// Joins PEM texts. The capacity is set in advance, so that no partial copy of a key stays in freed
/// memory.
fn join(parts: &[&str]) -> Zeroizing<String> {
    let mut whole = Zeroizing::new(String::with_capacity(
        parts.iter().map(|part| part.len()).sum(),
    ));
    for part in parts {
        whole.push_str(part);
    }
    whole
}

fn not_pem(what: &'static str, path: &Path) -> TlsError {
    TlsError::NotPem {
        what,
        path: path.to_path_buf(),
    }
}

impl Authority {
    /// Parses the text of [`make_authority`] and checks that it is complete: three parts, the
    /// issuing CA's own key, a chain that leads to the root, and not expired. `path` is for error
    /// texts only.
    pub fn parse(
        text: &[u8],
        provider: &CryptoProvider,
        now: OffsetDateTime,
        path: &Path,
    ) -> Result<Self, TlsError> {
        let text = std::str::from_utf8(text).map_err(|_| not_pem("text", path))?;
        let mut parts = text.split_inclusive(CERTIFICATE_END);
        let (Some(root_pem), Some(issuing_pem), Some(key_pem), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(not_pem("CA", path));
        };
        let key = WipedKey::from_pem(key_pem).ok_or_else(|| not_pem("private key", path))?;
        let [issuing] = <[_; 1]>::try_from(certificates(issuing_pem.as_bytes(), path)?)
            .map_err(|_| not_pem("CA", path))?;
        let facts = issuing_facts(&issuing)?;
        if facts.public_key != key.0.public_key_raw() {
            return Err(TlsError::ForeignKey);
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
        // A leaf that verifies proves that issuing CA and root belong together.
        let at = authority.no_earlier(now);
        let probe = authority.issue(&Name::loopback(), at)?;
        authority
            .chain(probe.as_bytes(), path)?
            .verify(&authority.root, provider, at)?;
        Ok(authority)
    }

    /// Returns `now`, or the time when this CA was made if that is later. A slow clock must not
    /// make the CA unusable, nor issue a leaf older than the CA.
    pub fn no_earlier(&self, now: OffsetDateTime) -> OffsetDateTime {
        now.max(self.not_before + Duration::hours(BACKDATE_HOURS))
    }

    /// Issues a leaf with a new key. Returns leaf, issuing CA and key as PEM.
    pub fn issue(
        &self,
        names: &[Name],
        now: OffsetDateTime,
    ) -> Result<Zeroizing<String>, TlsError> {
        let key = WipedKey::generate()?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(Name::to_san).collect::<Result<_, _>>()?;
        // The subject is never empty, or the alternative names would have to be critical. Its
        // common name is a host name, because clients from before 2018 check only that.
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

    /// Parses the text of [`Authority::issue`].
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
    let (_, parsed) = x509_parser::parse_x509_certificate(issuing)?;
    let constraints = parsed.name_constraints().map_err(TlsError::Parse)?;
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
