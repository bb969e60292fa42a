//! Judgement of a string: the checks that its client makes, and the reasons. The facts are from
//! runs of the real clients (`tests/clients`) or, for clients that were not run, from their
//! sources. The texts never repeat a value.

use super::read_values::ReadValues;
use serde::Serialize;
use std::fmt;

/// Whether a check is made: yes, no, or it depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckAnswer {
    Yes,
    No,
    /// It depends on something outside the string; the reasons say on what.
    Depends,
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

impl fmt::Display for CheckAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Depends => "depends",
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
        Some(_) => say(
            PLAIN,
            &["The driver does not know this mode: it refuses to start or ignores it."],
        ),
    }
}

impl Judgement {
    pub fn because(mut self, why: &[&'static str]) -> Self {
        self.why.splice(0..0, why.iter().copied());
        self
    }
}
