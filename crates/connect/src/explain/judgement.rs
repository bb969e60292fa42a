//! Judgement of a string: the checks that its client makes, and the reasons. The facts are from
//! runs of the real clients (`tests/clients`) or, for clients that were not run, from their
//! sources. The texts never repeat a value.

use super::read_values::ReadValues;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// Whether a check is made: yes, no, or it depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckAnswer {
    Yes,
    No,
    /// It depends on something outside the string; the reasons say on what.
    Depends,
    /// The string does not tell its client, or has a part that is not understood, so nothing is
    /// known. It is never reported as `No`.
    #[serde(rename = "can't read")]
    Unreadable,
}

/// Checks that the string makes its client do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClientChecks {
    /// Whether TLS is used.
    pub tls: CheckAnswer,
    pub chain: CheckAnswer,
    pub dns_name: CheckAnswer,
    pub address: CheckAnswer,
}

impl ClientChecks {
    /// Whether nobody in between can impersonate this host: TLS is used, and the chain and the name
    /// or address of the host are checked.
    pub fn verify(&self, host: Option<&str>) -> bool {
        let is_address = host.is_some_and(|host| host.parse::<IpAddr>().is_ok());
        let name = if is_address {
            self.address
        } else {
            self.dns_name
        };
        [self.tls, self.chain, name]
            .iter()
            .all(|check| *check == CheckAnswer::Yes)
    }
}

impl fmt::Display for CheckAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Depends => "depends",
            Self::Unreadable => "can't read",
        })
    }
}

/// The checks, and the reasons for missing ones.
pub struct Judgement {
    pub checks: ClientChecks,
    pub why: Vec<&'static str>,
}

pub const PLAIN: ClientChecks = checks(
    CheckAnswer::No,
    CheckAnswer::No,
    CheckAnswer::No,
    CheckAnswer::No,
);
/// TLS if the server offers it; otherwise, or with an attacker in between, clear text.
pub const MAYBE: ClientChecks = checks(
    CheckAnswer::Depends,
    CheckAnswer::No,
    CheckAnswer::No,
    CheckAnswer::No,
);
pub const TLS_ONLY: ClientChecks = checks(
    CheckAnswer::Yes,
    CheckAnswer::No,
    CheckAnswer::No,
    CheckAnswer::No,
);
pub const CHAIN: ClientChecks = checks(
    CheckAnswer::Yes,
    CheckAnswer::Yes,
    CheckAnswer::No,
    CheckAnswer::No,
);
pub const ALL: ClientChecks = checks(
    CheckAnswer::Yes,
    CheckAnswer::Yes,
    CheckAnswer::Yes,
    CheckAnswer::Yes,
);
/// Chain and DNS names, but never IP addresses.
pub const NAMES: ClientChecks = checks(
    CheckAnswer::Yes,
    CheckAnswer::Yes,
    CheckAnswer::Yes,
    CheckAnswer::No,
);
/// Nothing that the string says can be read.
pub const UNREADABLE: ClientChecks = checks(
    CheckAnswer::Unreadable,
    CheckAnswer::Unreadable,
    CheckAnswer::Unreadable,
    CheckAnswer::Unreadable,
);
/// All checks are made, if the server offers TLS; otherwise the login is sent in clear text.
pub const ALL_IF_OFFERED: ClientChecks = checks(
    CheckAnswer::Depends,
    CheckAnswer::Yes,
    CheckAnswer::Yes,
    CheckAnswer::Yes,
);
/// The chain; the host name depends on the library that the client is built on.
pub const CHAIN_NAME_DEPENDS: ClientChecks = checks(
    CheckAnswer::Yes,
    CheckAnswer::Yes,
    CheckAnswer::Depends,
    CheckAnswer::Depends,
);
pub const ALL_DEPENDS: ClientChecks = checks(
    CheckAnswer::Depends,
    CheckAnswer::Depends,
    CheckAnswer::Depends,
    CheckAnswer::Depends,
);
/// TLS; the checks depend on something outside the string.
pub const DEPENDS: ClientChecks = checks(
    CheckAnswer::Yes,
    CheckAnswer::Depends,
    CheckAnswer::Depends,
    CheckAnswer::Depends,
);

const fn checks(
    tls: CheckAnswer,
    chain: CheckAnswer,
    dns_name: CheckAnswer,
    address: CheckAnswer,
) -> ClientChecks {
    ClientChecks {
        tls,
        chain,
        dns_name,
        address,
    }
}

pub fn say(checks: ClientChecks, why: &[&'static str]) -> Judgement {
    Judgement {
        checks,
        why: why.to_vec(),
    }
}

pub const NOTHING_ASKS: &str = "It does not request TLS, so everybody on the way could read the \
                                password. This endpoint refuses such a login with error 3159.";
pub const SWITCHED_OFF: &str = "TLS is switched off.";
pub const TLS_UNCHECKED: &str = "It uses TLS but checks neither certificate nor name: an attacker \
                                 in between can impersonate the server.";
pub const FALLS_BACK: &str = "It uses TLS only where the server offers it, and checks nothing: an \
                              attacker can make it fall back to plain text.";
pub const CHAIN_ONLY: &str = "It checks that a trusted CA has signed the certificate, but not the \
                              host name: any certificate of that CA is accepted, for any host.";
pub const UNKNOWN_MODE: &str = "The driver does not know this mode, or a variable contains it; \
                                hint: paste the string with the variable's value.";
/// Judges the five modes that several drivers have under the same names.
pub fn judge_mode(values: &ReadValues) -> Judgement {
    match values.word("sslmode").as_deref() {
        Some("verifyidentity") => say(ALL, &[]),
        Some("verifyca") => say(
            CHAIN,
            &[
                "`VERIFY_CA` does not check the host name; `VERIFY_IDENTITY` checks both.",
                CHAIN_ONLY,
            ],
        ),
        Some("required" | "require") => say(
            TLS_ONLY,
            &["`REQUIRED` encrypts and verifies nothing.", TLS_UNCHECKED],
        ),
        Some("disabled" | "disable") => say(PLAIN, &[SWITCHED_OFF]),
        None | Some("preferred" | "prefer") => {
            say(MAYBE, &["The default mode is `PREFERRED`.", FALLS_BACK])
        }
        Some(_) => say(UNREADABLE, &[UNKNOWN_MODE]),
    }
}

impl Judgement {
    pub fn because(mut self, why: &[&'static str]) -> Self {
        self.why.splice(0..0, why.iter().copied());
        self
    }
}
