//! Arithmetic of passwords: `mysql_native_password`, and passwords sent in clear inside TLS.
//!
//! Stage 1 is SHA1(password). Stage 2 is SHA1(stage 1), which the engine stores. A client sends the
//! token stage 1 XOR SHA1(salt + stage 2). Whoever knows stage 2 can therefore compute stage 1 from
//! a valid token, and log in at the engine with it: this is how the gateway logs a client in.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_native_password_authentication.html>

use sha1::{Digest, Sha1};
use std::cell::Cell;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

pub const NATIVE: &[u8] = b"mysql_native_password";
pub const CACHING_SHA2: &[u8] = b"caching_sha2_password";

thread_local! {
    static HASHES: Cell<u64> = const { Cell::new(0) };
}

/// Returns the number of hashes that this thread has run. Tests compare it, to show that all denied
/// logins cost the same.
pub fn hashes_run() -> u64 {
    HASHES.get()
}

fn sha1(parts: &[&[u8]]) -> Zeroizing<[u8; 20]> {
    HASHES.set(HASHES.get().wrapping_add(1));
    let mut hasher = Sha1::new();
    parts.iter().for_each(|p| hasher.update(p));
    Zeroizing::new(hasher.finalize().into())
}

/// Returns SHA1(password).
pub fn stage1(password: &[u8]) -> Zeroizing<[u8; 20]> {
    sha1(&[password])
}

/// Returns SHA1(stage 1), which the engine stores.
pub fn stage2(stage1: &[u8; 20]) -> [u8; 20] {
    *sha1(&[stage1])
}

/// Returns the answer of a client that knows stage 1 to a salt.
pub fn token(stage1: &[u8; 20], salt: &[u8; 20]) -> [u8; 20] {
    *xor(stage1, &sha1(&[salt, &stage2(stage1)]))
}

fn xor(a: &[u8; 20], b: &[u8; 20]) -> Zeroizing<[u8; 20]> {
    let mut out = Zeroizing::new(*a);
    out.iter_mut().zip(b).for_each(|(o, b)| *o ^= b);
    out
}

/// Compares a token with every candidate (a stage 2), all of them in any case, so that the time
/// does not tell which one fits. Returns the position of the first match, and the stage 1 that it
/// proves.
pub fn check_native(
    token: &[u8; 20],
    salt: &[u8; 20],
    candidates: &[[u8; 20]],
) -> Option<(usize, Zeroizing<[u8; 20]>)> {
    let mut found = TokenMatch::default();
    for (at, candidate) in candidates.iter().enumerate() {
        let stage1 = xor(token, &sha1(&[salt, candidate]));
        found.keep(at, &stage1, stage2(&stage1).ct_eq(candidate));
    }
    found.into_option()
}

/// Compares a clear password with every candidate, as [`check_native`] does.
pub fn check_clear(
    password: &[u8],
    candidates: &[[u8; 20]],
) -> Option<(usize, Zeroizing<[u8; 20]>)> {
    let stage1 = stage1(password);
    let stage2 = stage2(&stage1);
    let mut found = TokenMatch::default();
    for (at, candidate) in candidates.iter().enumerate() {
        found.keep(at, &stage1, stage2.ct_eq(candidate));
    }
    found.into_option()
}

/// First match, recorded without a branch that depends on whether there is one.
#[derive(Default)]
struct TokenMatch {
    any: u8,
    at: u32,
    stage1: Zeroizing<[u8; 20]>,
}

impl TokenMatch {
    fn keep(&mut self, at: usize, stage1: &[u8; 20], matches: Choice) {
        let first = matches & !Choice::from(self.any);
        self.at
            .conditional_assign(&u32::try_from(at).unwrap_or(u32::MAX), first);
        self.stage1
            .iter_mut()
            .zip(stage1)
            .for_each(|(to, from)| to.conditional_assign(from, first));
        self.any |= matches.unwrap_u8();
    }

    fn into_option(self) -> Option<(usize, Zeroizing<[u8; 20]>)> {
        (self.any == 1).then_some((self.at as usize, self.stage1))
    }
}

/// Returns an AuthSwitchRequest to this plugin with this salt.
pub fn switch_request(plugin: &[u8], salt: &[u8; 20]) -> Vec<u8> {
    let mut out = vec![0xFE];
    out.extend_from_slice(plugin);
    out.push(0);
    out.extend_from_slice(salt);
    out.push(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; 20] = *b"abcdefghijklmnopqrst";

    #[test]
    fn a_token_proves_stage1_against_the_right_candidate_only() {
        let s1 = stage1(b"secret");
        let candidates = [[1; 20], stage2(&s1), [2; 20]];
        let (at, proved) = check_native(&token(&s1, &SALT), &SALT, &candidates).unwrap();
        assert_eq!((at, &*proved), (1, &*s1));
        assert!(check_native(&token(&stage1(b"wrong"), &SALT), &SALT, &candidates).is_none());
        assert!(check_native(&token(&s1, b"another salt, 20 byt"), &SALT, &candidates).is_none());
    }

    #[test]
    fn a_clear_password_proves_the_same() {
        let s1 = stage1(b"secret");
        assert_eq!(
            check_clear(b"secret", &[[1; 20], stage2(&s1)]).map(|(at, p)| (at, *p)),
            Some((1, *s1))
        );
        assert!(check_clear(b"Secret", &[[1; 20], stage2(&s1)]).is_none());
        assert!(check_clear(b"secret", &[]).is_none());
    }

    #[test]
    fn the_number_of_hashes_does_not_tell_a_match() {
        let s1 = stage1(b"secret");
        let token = token(&s1, &SALT);
        let hit = [stage2(&s1), [1; 20]];
        let miss = [[2; 20], [1; 20]];
        for candidates in [hit, miss] {
            let before = hashes_run();
            drop(check_native(&token, &SALT, &candidates));
            assert_eq!(hashes_run() - before, 4);
            let before = hashes_run();
            drop(check_clear(b"secret", &candidates));
            assert_eq!(hashes_run() - before, 2);
        }
    }

    #[test]
    fn the_known_answer_of_mysql_s_password_function() {
        // PASSWORD('secret') of MySQL 5.7 and MariaDB.
        let hex: String = stage2(&stage1(b"secret"))
            .iter()
            .map(|b| format!("{b:02X}"))
            .collect();
        assert_eq!(hex, "14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
    }
}
