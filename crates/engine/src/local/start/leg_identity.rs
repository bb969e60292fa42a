//! Key pair and certificate of one run, for sessions whose account requires TLS (`REQUIRE SSL`).
//! The gateway accepts exactly this certificate, so it needs no issuer and no name, and never
//! expires.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use tidegate_model::EngineCertificate;
use zeroize::{Zeroize, Zeroizing};

/// Common name, which nobody compares. Tenants can't see it.
const COMMON_NAME: &str = "Tidegate engine";

/// Identity of one run.
pub struct LegIdentity {
    pub certificate: EngineCertificate,
    /// Certificate and key, in the form that the engine reads.
    pub pem: Zeroizing<String>,
}

impl LegIdentity {
    /// Makes a new key, of the type whose signature is the fastest.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, COMMON_NAME);
        let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&key);
        let key_pem = Zeroizing::new(key.serialize_pem());
        // The copy that rcgen keeps; aws-lc wipes its own.
        key.zeroize();
        let certificate = certificate?;
        let certificate_pem = certificate.pem();
        // At its full length: a string that grows leaves copies in memory that are not erased.
        let length = certificate_pem.len() + key_pem.len();
        let mut pem = Zeroizing::new(String::with_capacity(length));
        pem.push_str(&certificate_pem);
        pem.push_str(&key_pem);
        Ok(Self {
            certificate: EngineCertificate(certificate.der().to_vec()),
            pem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_key_of_its_own_and_both_parts_are_in_one_text() {
        let [one, two] = [(); 2].map(|()| LegIdentity::generate().unwrap());
        assert_ne!(one.certificate, two.certificate);
        assert_ne!(*one.pem, *two.pem);
        for part in ["CERTIFICATE", "PRIVATE KEY"] {
            assert_eq!(
                one.pem.matches(&format!("-----BEGIN {part}-----")).count(),
                1
            );
        }
        assert_eq!(one.pem.capacity(), one.pem.len(), "no copy was left behind");
    }
}
