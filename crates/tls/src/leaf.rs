//! Facts about one leaf, as an operator sees them. Never a key.

use crate::chain::Chain;
use crate::error::TlsError;
use rustls::SignatureAlgorithm;

/// One leaf, as it is served or kept. Times are seconds of the Unix clock.
#[derive(Debug, Clone)]
pub struct LeafStatus {
    /// `ecdsa`, `rsa` or another.
    pub key: &'static str,
    pub names: Vec<String>,
    /// As people compare it: hex, colons between bytes.
    pub serial: String,
    pub issuer: String,
    pub not_before: i64,
    pub not_after: i64,
}

/// Reads the status of a chain's first leaf; the one with an RSA key beside it is
/// [`read_rsa_leaf`]'s.
pub fn read_leaf(chain: &Chain) -> Result<LeafStatus, TlsError> {
    let unreadable = |error: &dyn std::fmt::Display| TlsError::Certificate(error.to_string());
    let der = chain.certified.end_entity_cert()?;
    let (_, parsed) =
        x509_parser::parse_x509_certificate(der).map_err(|error| unreadable(&error))?;
    Ok(LeafStatus {
        key: match chain.certified.key.algorithm() {
            SignatureAlgorithm::ECDSA => "ecdsa",
            SignatureAlgorithm::RSA => "rsa",
            SignatureAlgorithm::ED25519 => "ed25519",
            _ => "other",
        },
        names: chain.names.clone(),
        serial: parsed.raw_serial_as_string(),
        issuer: parsed.issuer().to_string(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
    })
}

/// Reads the status of the second leaf, the one with an RSA key, where there is one.
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
