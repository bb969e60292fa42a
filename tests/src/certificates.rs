//! Certificates created by the tests: a company's CA and its leaves, valid, expired or for another
//! name. Does not sign with a key of the product.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use std::path::Path;

pub struct Company {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A leaf certificate with its key, as PEM.
pub struct Leaf {
    pub certificate: String,
    pub key: String,
    pub der: Vec<u8>,
}

/// Validity from the first of January of one year to that of another.
pub type Years = (i32, i32);
pub const VALID: Years = (2020, 2100);
pub const EXPIRED: Years = (2020, 2021);

impl Default for Company {
    fn default() -> Self {
        Self::new()
    }
}

impl Company {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "a company");
        params.not_before = rcgen::date_time_ymd(VALID.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(VALID.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate"),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Returns a leaf for `localhost` and `127.0.0.1`.
    pub fn leaf(&self, years: Years) -> Leaf {
        self.leaf_with(years, &[])
    }

    /// Returns a leaf with more names.
    pub fn leaf_with(&self, years: Years, more: &[&str]) -> Leaf {
        let names = ["localhost"].iter().chain(more).map(ToString::to_string);
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).expect("names");
        params
            .subject_alt_names
            .push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        params
            .extended_key_usages
            .push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
        params.use_authority_key_identifier_extension = true;
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Leaf {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }
}

impl Leaf {
    /// Writes both files as a careful operator replaces them: the key first.
    pub fn write(&self, folder: &Path) {
        write_private(&folder.join("key.pem"), &self.key);
        write_private(&folder.join("chain.pem"), &self.certificate);
    }
}

/// Replaces a whole file by rename.
pub fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("our own folder");
    std::fs::set_permissions(&new, PermissionsExt::from_mode(0o600)).expect("our own file");
    std::fs::rename(&new, path).expect("our own folder");
}
