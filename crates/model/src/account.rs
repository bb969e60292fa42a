//! Accounts as the engine keeps them, and the copy that lets a password be judged while it sleeps.

use crate::id::RunEpoch;
use std::net::IpAddr;
use std::time::Instant;
use zeroize::Zeroize;

/// The gateway's own account inside each engine: for readings of the accounts and for KILL, over the engine's own
/// socket only. Nobody logs in with it from outside.
pub const GATEWAY_USER: &str = "tidegate.admin";

/// How an account proves itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Verifier {
    /// `mysql_native_password`: SHA1(SHA1(password)), which the protocol calls stage 2.
    Native([u8; 20]),
    /// `mysql_native_password` with an empty hash: logs in with the empty password only.
    Empty,
    /// A plugin the gateway can't check (ed25519, unix_socket, old passwords ...), by its name.
    Unsupported(String),
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native(_) => f.write_str("Native(..)"),
            Self::Empty => f.write_str("Empty"),
            Self::Unsupported(plugin) => write!(f, "Unsupported({plugin:?})"),
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

/// What an account asks of its connection beside the password (`CREATE USER ... REQUIRE ...`). The engine sees a plain
/// socket of ours, so it finds any of these unmet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    #[default]
    None,
    /// `REQUIRE SSL`: every connection here is that, but not as the engine sees it.
    Tls,
    /// `REQUIRE X509`, `SUBJECT`, `ISSUER` or `CIPHER`: no client is asked for a certificate here.
    Certificate,
}

/// One row of the engine's `global_priv` that is no role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    /// The host pattern: `%`, `192.168.%`, `10.0.0.0/255.0.0.0`, `localhost`, an address.
    pub host: String,
    /// Any one of these will do (`IDENTIFIED VIA a OR b`).
    pub verifiers: Vec<Verifier>,
    pub locked: bool,
    /// As a reading saw it. It decides nothing but which no is told, so no store keeps it.
    pub requires: Requirement,
}

impl Account {
    /// Whether the host pattern covers this client. `localhost` covers loopback addresses, as it does in the
    /// engine behind a PROXY header (measured).
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        if self.host.eq_ignore_ascii_case("localhost") {
            return client.is_loopback();
        }
        let text = client.to_string();
        match self.host.split_once('/') {
            Some((net, mask)) => within_mask(net, mask, client),
            None => like(self.host.as_bytes(), text.as_bytes()),
        }
    }
}

fn within_mask(net: &str, mask: &str, client: IpAddr) -> bool {
    let (Ok(IpAddr::V4(net)), IpAddr::V4(client)) = (net.parse(), client) else { return false };
    let mask: u32 = match mask.parse::<std::net::Ipv4Addr>() {
        Ok(mask) => mask.into(),
        Err(_) => match mask.parse::<u32>() {
            Ok(bits @ 1..=32) => u32::MAX << (32 - bits),
            Ok(0) => 0,
            _ => return false,
        },
    };
    u32::from(net) & mask == u32::from(client) & mask
}

/// SQL LIKE with `%` and `_`, case-insensitive for ASCII. Iterative, so a hostile pattern costs no stack
/// and at most `pattern x text` steps.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(b'%') => {
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
    pattern.get(p..).unwrap_or_default().iter().all(|&b| b == b'%')
}

/// All accounts of a cluster as one reading saw them.
#[derive(Debug, Clone)]
pub struct AccountBook {
    pub accounts: Vec<Account>,
    /// The run of the engine they were read in; 0 before the first.
    pub run: RunEpoch,
    /// When that reading began. `None` for a copy that came from the store.
    pub read_began: Option<Instant>,
}

impl AccountBook {
    /// The rows that may speak for this login from this address: the name as written (an account created in
    /// SQL with its prefix) before the stripped one, locked rows left out.
    pub fn candidates<'a>(&'a self, name: &'a str, client: IpAddr) -> impl Iterator<Item = &'a Account> {
        self.accounts.iter().filter(move |a| !a.locked && a.user == name && a.admits(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(host: &str) -> Account {
        Account { user: "u".into(), host: host.into(), verifiers: vec![], locked: false, requires: Requirement::None }
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
            assert_eq!(account(pattern).admits(v4(client)), want, "{pattern} {client}");
        }
    }

    #[test]
    fn a_verifier_never_prints_its_hash() {
        assert_eq!(format!("{:?}", Verifier::Native([7; 20])), "Native(..)");
    }
}
