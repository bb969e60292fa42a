//! Passwords: made here, shown once, never kept. What is kept is the engine's own hash of them.

use crate::limits;
use sha1::{Digest, Sha1};
use tidegate_model::id::RandomError;
use zeroize::{Zeroize, Zeroizing};

/// URL-safe, so that a password stands unescaped in a connection string; 64 of them, so that six
/// bits of a random byte pick one without bias.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A fresh password with all four classes (upper, lower, digit, `-` or `_`), since some policies
/// ask for them.
///
/// First and last are letters or digits: a leading `-` reads as an option, and a double click
/// selects the whole. Whole draws are thrown away until one fits, so every fitting password is
/// equally likely.
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
    let has = |class: fn(&u8) -> bool| password.as_bytes().iter().any(class);
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && has(|b| matches!(b, b'-' | b'_'))
        && edge(password.as_bytes().first())
        && edge(password.as_bytes().last())
}

/// What `mysql_native_password` keeps: SHA1(SHA1(password)).
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
            // The edges never hold a sign, so only the middle is counted.
            for b in generate().unwrap().bytes().skip(1).take(14) {
                counts[ALPHABET.iter().position(|c| *c == b).unwrap()] += 1;
            }
        }
        // 56,000 draws. Every class is asked for once, which lifts the rare ones (two signs, ten
        // digits).
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
