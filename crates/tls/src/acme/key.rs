//! Keys of certificates. Each order generates a new one, for one certificate. Account keys are
//! elsewhere.

use crate::acme::failure::{Failure, Step};
use crate::names::Name;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RsaKeySize,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

/// Maximum length of a common name (X.520, ub-common-name).
const COMMON_NAME_MAX: usize = 64;

/// Algorithm of a leaf's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// P-256: small, fast, and supported by every client of the last ten years.
    Ecdsa,
    /// 2048 bits, for clients that support nothing else.
    Rsa,
}

impl KeyKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }

    /// Generates a key as PEM. RSA takes up to a second of processor time, so call it on no async
    /// worker thread.
    pub fn generate(self) -> Result<Zeroizing<String>, Failure> {
        let made = match self {
            Self::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        let mut key = made.map_err(Failure::at(Step::Finalize))?;
        let pem = Zeroizing::new(key.serialize_pem());
        key.zeroize();
        Ok(pem)
    }
}

/// Makes a certificate signing request for these names, DER.
pub fn signing_request(
    names: &[String],
    key_pem: &str,
    with_common_name: bool,
) -> Result<Vec<u8>, Failure> {
    let mut key = KeyPair::from_pem(key_pem).map_err(Failure::at(Step::Finalize))?;
    let made = params(names, with_common_name).and_then(|params| {
        let request = params
            .serialize_request(&key)
            .map_err(Failure::at(Step::Finalize))?;
        Ok(request.der().to_vec())
    });
    key.zeroize();
    made
}

fn params(names: &[String], with_common_name: bool) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for name in names {
        let name = Name::parse(name).map_err(Failure::at(Step::Finalize))?;
        // Clients from before 2018 check the common name only. A CA whose profile has none leaves
        // it out.
        if let Name::Dns(dns) = &name
            && with_common_name
            && params.distinguished_name.iter().next().is_none()
            && dns.len() <= COMMON_NAME_MAX
        {
            params
                .distinguished_name
                .push(DnType::CommonName, dns.as_str());
        }
        params
            .subject_alt_names
            .push(name.to_san().map_err(Failure::at(Step::Finalize))?);
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_the_same_and_each_makes_a_request() {
        let names = ["db.example.com".to_owned(), "127.0.0.1".to_owned()];
        for kind in [KeyKind::Ecdsa, KeyKind::Rsa] {
            let one = kind.generate().unwrap();
            let two = kind.generate().unwrap();
            assert_ne!(*one, *two);
            assert!(!signing_request(&names, &one, true).unwrap().is_empty());
        }
    }
}
