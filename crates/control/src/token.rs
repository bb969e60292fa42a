//! Tokens of links, web sessions and API keys: generated here, returned once, stored as SHA-256
//! only. Each has 256 random bits, so its hash doesn't reveal it, and the time of a lookup by hash
//! reveals nothing useful.

use crate::store::Hash;
use sha2::{Digest, Sha256};
use tidegate_model::id::RandomError;
use zeroize::Zeroizing;

const BYTES: usize = 32;

/// Prefix of API keys, so that people and secret scanners recognize them.
pub const KEY_MARK: &str = "tg_";

/// Generates a token with this prefix, in hexadecimal, which needs no escaping in a URL, a header
/// or a cookie.
pub fn generate(mark: &str) -> Result<Zeroizing<String>, RandomError> {
    let mut bytes = Zeroizing::new([0u8; BYTES]);
    getrandom::fill(&mut *bytes).map_err(|_| RandomError)?;
    let mut text = Zeroizing::new(String::with_capacity(mark.len() + 2 * BYTES));
    text.push_str(mark);
    push_hex(&mut text, &*bytes);
    Ok(text)
}

pub fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// Returns the CSRF token of a session's token. It is derived, so it needs no storage, and by
/// another hash than the stored one, so that neither reveals the other.
pub fn csrf(token: &str) -> Zeroizing<String> {
    let digest = Sha256::new()
        .chain_update(b"csrf of ")
        .chain_update(token.as_bytes())
        .finalize();
    let mut text = Zeroizing::new(String::with_capacity(2 * BYTES));
    push_hex(&mut text, &digest);
    text
}

/// Returns an id for the log and for lists. It can't be used as a token.
pub fn public_id(hash: &Hash) -> String {
    let mut text = String::with_capacity(12);
    push_hex(&mut text, hash.get(..6).unwrap_or_default());
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for nibble in bytes.iter().flat_map(|b| [b >> 4, b & 15]) {
        text.extend(DIGITS.get(usize::from(nibble)).copied().map(char::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_their_derivatives_open_nothing() {
        let a = generate("").unwrap();
        let b = generate(KEY_MARK).unwrap();
        assert_eq!((a.len(), b.len()), (64, 67));
        assert!(b.starts_with("tg_") && !b.ends_with(&**a));
        assert_ne!(hash(&a), hash(&b));
        assert_ne!(*csrf(&a), *csrf(&b));
        let mut hashed = String::new();
        push_hex(&mut hashed, &hash(&a));
        assert_ne!(*csrf(&a), hashed, "who reads the store can't make a form");
        assert!(hashed.starts_with(&public_id(&hash(&a))));
    }
}
