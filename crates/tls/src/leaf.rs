//! Names, serial number and dates of one leaf certificate. Never contains a key.

use crate::chain::Chain;
use crate::error::TlsError;
use rustls::SignatureAlgorithm;
use sha2::{Digest, Sha256};

/// Leaf certificate. Times are Unix seconds.
#[derive(Debug, Clone)]
pub struct LeafStatus {
    /// Algorithm of the key: `ecdsa`, `rsa`, `ed25519` or `other`.
    pub key: &'static str,
    pub names: Vec<String>,
    /// Serial number in hex with colons between bytes, as other tools print it.
    pub serial: String,
    /// SHA-256 of the certificate, in hex with colons, as browsers show it.
    pub fingerprint: String,
    pub issuer: String,
    pub not_before: i64,
    pub not_after: i64,
}

/// Reads the chain's main leaf.
pub fn read_leaf(chain: &Chain) -> Result<LeafStatus, TlsError> {
    let der = chain.certified.end_entity_cert()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(der)?;
    Ok(LeafStatus {
        key: match chain.certified.key.algorithm() {
            SignatureAlgorithm::ECDSA => "ecdsa",
            SignatureAlgorithm::RSA => "rsa",
            SignatureAlgorithm::ED25519 => "ed25519",
            _ => "other",
        },
        names: chain.names.clone(),
        serial: parsed.raw_serial_as_string(),
        fingerprint: hex_with_colons(&Sha256::digest(der)),
        issuer: parsed.issuer().to_string(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
    })
}

/// Reads the second leaf, the one with an RSA key, where there is one.
pub fn read_rsa_leaf(chain: &Chain) -> Result<Option<LeafStatus>, TlsError> {
    let Some(rsa) = &chain.rsa else {
        return Ok(None);
    };
    let chain = Chain {
        certified: rsa.clone(),
        rsa: None,
        ..chain.clone()
    };
    read_leaf(&chain).map(Some)
}

fn hex_with_colons(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}
