//! Generated passwords: shown once and never stored. The engine stores its own hash.

use crate::limits;
use sha1::{Digest, Sha1};
use tidegate_model::id::RandomError;
use zeroize::{Zeroize, Zeroizing};

/// Characters of passwords: URL-safe, so that a connection string needs no escaping, and 64, so
/// that six bits of a random byte choose one without bias.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Generates a password with all four classes (upper case, lower case, digit, `-` or `_`), because
/// some policies require them.
///
/// The first and last character are letters or digits: a leading `-` would be read as an option,
/// and a double click selects the whole password. A password that doesn't fit is discarded as a
/// whole, so all fitting ones are equally likely.
pub fn generate() -> Result<Zeroizing<String>, RandomError> {
    let mut bytes = Zeroizing::new([0u8; limits::PASSWORD_LEN]);
    loop {
        getrandom::fill(&mut *bytes).map_err(|_| RandomError)?;
        let mut out = Zeroizing::new(String::with_capacity(limits::PASSWORD_LEN));
        for byte in bytes.iter() {
            let Some(&c) = ALPHABET.get(usize::from(byte & 63)) else {
                return Err(RandomError);
            };
            out.push(char::from(c));
        }
        if fits(&out) {
            return Ok(out);
        }
    }
}

fn fits(password: &str) -> bool {
    let bytes = password.as_bytes();
    let edges = [bytes.first(), bytes.last()];
    bytes.iter().any(u8::is_ascii_uppercase)
        && bytes.iter().any(u8::is_ascii_lowercase)
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(|b| matches!(b, b'-' | b'_'))
        && edges
            .into_iter()
            .all(|b| b.is_some_and(u8::is_ascii_alphanumeric))
}

/// Returns the hash that `mysql_native_password` stores: SHA1(SHA1(password)).
pub fn stage2(password: &str) -> [u8; 20] {
    let mut stage1: [u8; 20] = Sha1::digest(password.as_bytes()).into();
    let stage2 = Sha1::digest(stage1).into();
    stage1.zeroize();
    stage2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_four_classes_and_needs_no_escaping() {
        for _ in 0..500 {
            let p = generate().unwrap();
            assert_eq!(p.len(), 16);
            assert!(fits(&p), "a draw that does not fit was given out");
            assert!(p.bytes().all(|b| ALPHABET.contains(&b)));
        }
    }

    #[test]
    fn every_character_is_drawn_about_equally_often() {
        let mut counts = [0u32; 64];
        for _ in 0..4_000 {
            // The first and last character are never signs, so only the others are counted.
            for b in generate().unwrap().bytes().skip(1).take(14) {
                counts[ALPHABET.iter().position(|c| *c == b).unwrap()] += 1;
            }
        }
        // 56,000 characters. Every class is required, so characters of small classes (two signs,
        // ten digits) are more frequent.
        let letters = &counts[..52];
        let least = letters.iter().min().unwrap();
        let most = letters.iter().max().unwrap();
        assert!(*least > 600 && *most < 1100, "{counts:?}");
    }

    #[test]
    fn stage2_is_what_the_engine_writes() {
        // SELECT PASSWORD('secret') of MariaDB 10.11.
        let hex: String = stage2("secret")
            .iter()
            .map(|b| format!("{b:02X}"))
            .collect();
        assert_eq!(hex, "14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
    }
}
