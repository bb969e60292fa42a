//! Accounts of an engine, as the gateway knows them.

use std::net::IpAddr;
use zeroize::Zeroize;

/// The gateway's own account inside each engine, for readings of the accounts and for KILL. It is
/// used over the engine's own socket only; no client can log in with it.
pub const GATEWAY_USER: &str = "tidegate.admin";

/// Stored proof of an account's password, by authentication plugin.
#[derive(Clone, PartialEq, Eq)]
pub enum Verifier {
    /// `mysql_native_password`: SHA1(SHA1(password)), which the protocol calls stage 2.
    Native([u8; 20]),
    /// `mysql_native_password` with an empty hash: logs in with the empty password only.
    Empty,
    /// An authentication method that the gateway can't check.
    Unsupported(Unsupported),
}

/// Reason why the gateway can't check an authentication method. An enum instead of the tenant's own
/// text, which could be of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// An authentication plugin that the gateway does not implement.
    Ed25519,
    Parsec,
    CachingSha2,
    UnixSocket,
    OldPassword,
    Pam,
    Gssapi,
    OtherPlugin,
    /// `mysql_native_password` with a value that is not a hash.
    BrokenHash,
    /// The row of the account table can't be read as an account.
    Unreadable,
    /// The row of the account table is larger than the gateway reads.
    TooLarge,
    /// More alternatives (`IDENTIFIED VIA a OR b ...`) than the gateway keeps.
    TooManyMethods,
}

impl Unsupported {
    /// The position is the code in a stored book, so a new reason goes to the end.
    const ALL: [Self; 12] = [
        Self::Ed25519,
        Self::Parsec,
        Self::CachingSha2,
        Self::UnixSocket,
        Self::OldPassword,
        Self::Pam,
        Self::Gssapi,
        Self::OtherPlugin,
        Self::BrokenHash,
        Self::Unreadable,
        Self::TooLarge,
        Self::TooManyMethods,
    ];

    /// The reason for an authentication plugin of this name.
    pub fn plugin(name: &str) -> Self {
        match name {
            "ed25519" => Self::Ed25519,
            "parsec" => Self::Parsec,
            "caching_sha2_password" => Self::CachingSha2,
            "unix_socket" => Self::UnixSocket,
            "mysql_old_password" => Self::OldPassword,
            "pam" => Self::Pam,
            "gssapi" => Self::Gssapi,
            _ => Self::OtherPlugin,
        }
    }

    pub(crate) fn code(self) -> u8 {
        Self::ALL
            .iter()
            .zip(0..)
            .find(|(why, _)| **why == self)
            .map_or(0, |(_, code)| code)
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native(_) => f.write_str("Native(..)"),
            Self::Empty => f.write_str("Empty"),
            Self::Unsupported(why) => write!(f, "Unsupported({why:?})"),
        }
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        if let Self::Native(hash) = self {
            hash.zeroize();
        }
    }
}

/// Condition that an account sets for its connection (`CREATE USER ... REQUIRE ...`). The engine
/// checks it, on a connection that uses TLS for this reason only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    #[default]
    None,
    /// `REQUIRE SSL`.
    Tls,
    /// `REQUIRE CIPHER` alone: met if the client's connection uses it.
    Cipher,
    /// `REQUIRE X509`, `SUBJECT` or `ISSUER`, which can't be met: the gateway asks no client for a
    /// certificate.
    Certificate,
}

/// An account: a row of the engine's `global_priv` that is not a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    /// The host pattern: `%`, `192.168.%`, `10.0.0.0/255.0.0.0`, `localhost`, an address.
    pub host: String,
    /// Alternatives; one match is enough (`IDENTIFIED VIA a OR b`).
    pub verifiers: Vec<Verifier>,
    pub locked: bool,
    /// Chooses between TLS and a plain connection to the engine, and the refusal of a client.
    pub requires: Requirement,
}

impl Account {
    /// Whether the host pattern matches this client.
    pub fn admits(&self, client: IpAddr) -> bool {
        admits(&self.host, client)
    }
}

/// Whether a host pattern matches this client. `localhost` matches loopback addresses, as it does
/// in the engine behind a PROXY header (measured).
pub(crate) fn admits(host: &str, client: IpAddr) -> bool {
    let client = client.to_canonical();
    if host.eq_ignore_ascii_case("localhost") {
        return client.is_loopback();
    }
    match host.split_once('/') {
        Some((net, mask)) => within_mask(net, mask, client),
        None => host == "%" || like(host.as_bytes(), client.to_string().as_bytes()),
    }
}

fn within_mask(net: &str, mask: &str, client: IpAddr) -> bool {
    let (Ok(IpAddr::V4(net)), IpAddr::V4(client)) = (net.parse(), client) else {
        return false;
    };
    let mask: u32 = match mask.parse::<std::net::Ipv4Addr>() {
        Ok(mask) => mask.into(),
        Err(_) => match mask.parse::<u32>() {
            // A shift by 32 would overflow, so /0 has its own arm.
            Ok(bits @ 1..=32) => u32::MAX << (32 - bits),
            Ok(0) => 0,
            _ => return false,
        },
    };
    u32::from(net) & mask == u32::from(client) & mask
}

/// Matches as SQL LIKE does, with `%` and `_`, case-insensitive for ASCII. It is iterative, so a
/// hostile pattern uses no stack and at most `pattern x text` steps.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    let mut p = 0;
    let mut t = 0;
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(b'%') => {
                // Only the last `%` is remembered: an earlier one could match no more than it does.
                star = Some((p, t));
                p += 1;
            }
            Some(&b) if b == b'_' || b.eq_ignore_ascii_case(&c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((sp, st)) => {
                    p = sp + 1;
                    t = st + 1;
                    star = Some((sp, t));
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|&b| b == b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(host: &str) -> Account {
        Account {
            user: "u".into(),
            host: host.into(),
            verifiers: vec![],
            locked: false,
            requires: Requirement::None,
        }
    }

    #[test]
    fn host_patterns_match_as_the_engine_matches_them() {
        let v4 = |s: &str| s.parse::<IpAddr>().unwrap();
        for (pattern, client, want) in [
            ("%", "203.0.113.9", true),
            ("203.0.113.%", "203.0.113.9", true),
            ("203.0.113._", "203.0.113.9", true),
            ("203.0.113._", "203.0.113.19", false),
            ("203.0.113.9", "203.0.113.9", true),
            ("203.0.113.0/255.255.255.0", "203.0.113.9", true),
            ("203.0.113.0/255.255.255.0", "203.0.114.9", false),
            ("localhost", "127.0.0.1", true),
            ("localhost", "203.0.113.9", false),
            ("%.9", "203.0.113.9", true),
            ("", "203.0.113.9", false),
            ("::1", "::1", true),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
        ] {
            assert_eq!(
                account(pattern).admits(v4(client)),
                want,
                "{pattern} {client}"
            );
        }
    }

    #[test]
    fn every_reason_has_a_code_of_its_own() {
        for (why, code) in Unsupported::ALL.iter().zip(0..) {
            assert_eq!(
                (why.code(), Unsupported::from_code(code)),
                (code, Some(*why))
            );
        }
        assert_eq!(Unsupported::from_code(12), None);
    }

    #[test]
    fn a_verifier_never_prints_its_hash() {
        assert_eq!(format!("{:?}", Verifier::Native([7; 20])), "Native(..)");
    }
}
