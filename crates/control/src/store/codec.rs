//! How the nouns stand in columns. Never lenient: what it can't read is an error that names the cluster.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tidegate_model::Verifier;
use zeroize::{Zeroize, Zeroizing};

/// One verifier as JSON. Plugin names are what a tenant wrote, so no separator of ours would be safe.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    /// The stage 2 hash in hexadecimal.
    Native(String),
    Empty,
    Unsupported(String),
}

impl Drop for Stored {
    fn drop(&mut self) {
        if let Self::Native(text) = self {
            text.zeroize();
        }
    }
}

pub fn verifiers_to_text(verifiers: &[Verifier]) -> Result<Zeroizing<String>, String> {
    let stored: Vec<Stored> = verifiers
        .iter()
        .map(|v| match v {
            Verifier::Native(hash) => Stored::Native(hex(hash)),
            Verifier::Empty => Stored::Empty,
            Verifier::Unsupported(plugin) => Stored::Unsupported(plugin.clone()),
        })
        .collect();
    serde_json::to_string(&stored).map(Zeroizing::new).map_err(|e| e.to_string())
}

pub fn verifiers_from_text(text: &str) -> Result<Vec<Verifier>, String> {
    // The parser's message may quote what it read, and that may be a hash.
    let stored: Vec<Stored> = serde_json::from_str(text).map_err(|_| "verifiers are not readable".to_owned())?;
    stored
        .iter()
        .map(|s| match s {
            Stored::Native(text) => unhex(text).map(Verifier::Native).ok_or("a hash is not 20 bytes".to_owned()),
            Stored::Empty => Ok(Verifier::Empty),
            Stored::Unsupported(plugin) => Ok(Verifier::Unsupported(plugin.clone())),
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    out
}

fn unhex(text: &str) -> Option<[u8; 20]> {
    let mut out = [0u8; 20];
    if text.len() != 40 || !text.is_ascii() {
        return None;
    }
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

/// Databases count in signed 64 bits; our numbers never come near the top.
pub fn to_i64(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub fn to_ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_come_back_as_they_went() {
        let all =
            vec![Verifier::Native([0xa7; 20]), Verifier::Empty, Verifier::Unsupported("ed25519\",{}'".to_owned())];
        let text = verifiers_to_text(&all).unwrap();
        assert_eq!(verifiers_from_text(&text).unwrap(), all);
    }

    #[test]
    fn a_damaged_hash_is_an_error_that_does_not_quote_it() {
        let text = verifiers_to_text(&[Verifier::Native([0xa7; 20])]).unwrap();
        for bad in [text.replace("a7a7\"", "a7\""), text.replace("a7a7\"", "a7zz\""), text.replace(']', "")] {
            let e = verifiers_from_text(&bad).unwrap_err();
            assert!(!e.contains("a7a7"), "{e}");
        }
    }
}
