//! Certificates of test servers: a root, an intermediate and leaves, with any fault a test needs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

pub struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    middle: CertifiedIssuer<'static, KeyPair>,
    pub folder: tempfile::TempDir,
}

/// A chain to serve, and its key.
pub struct Served {
    pub chain: Vec<String>,
    pub key: String,
}

fn ca(name: &str, organisation: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::OrganizationName, organisation);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Pki {
    pub fn new() -> Self {
        Self::of("a company")
    }

    pub fn of(organisation: &str) -> Self {
        let root =
            CertifiedIssuer::self_signed(ca("root", organisation), KeyPair::generate().unwrap())
                .unwrap();
        let key = KeyPair::generate().unwrap();
        let middle = CertifiedIssuer::signed_by(ca("middle", organisation), key, &root).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        Self {
            root,
            middle,
            folder,
        }
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// Issues a leaf for `names`, valid from so many days ago for so many days, with its
    /// intermediate.
    pub fn leaf(&self, names: &[&str], ago: i64, days: i64) -> Served {
        let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let begin = OffsetDateTime::now_utc() - Duration::days(ago);
        (params.not_before, params.not_after) = (begin, begin + Duration::days(days));
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.middle).unwrap();
        Served {
            chain: vec![leaf.pem(), self.middle.pem()],
            key: key.serialize_pem(),
        }
    }

    pub fn good(&self) -> Served {
        self.leaf(&["localhost", "127.0.0.1"], 10, 90)
    }
}

/// Makes a self-signed certificate.
pub fn self_signed() -> Served {
    self_signed_with(|_| {})
}

/// Makes a self-signed certificate with changes.
pub fn self_signed_with(change: impl Fn(&mut CertificateParams)) -> Served {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let begin = OffsetDateTime::now_utc() - Duration::days(1);
    (params.not_before, params.not_after) = (begin, begin + Duration::days(90));
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    Served {
        chain: vec![certificate.pem()],
        key: key.serialize_pem(),
    }
}

impl Served {
    pub fn write(&self, folder: &Path) {
        std::fs::write(folder.join("chain.pem"), self.chain.concat()).unwrap();
        std::fs::write(folder.join("key.pem"), &self.key).unwrap();
    }
}
