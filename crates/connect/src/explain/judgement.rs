//! What a string makes its client check, and why: the words in which every family is judged. The
//! facts are from runs of the real clients (`tests/clients`) or, where they were not run, from their
//! sources. Never repeats a value.

use super::read_values::ReadValues;
use serde::Serialize;
use std::fmt;

/// Whether a check is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Yes,
    No,
    /// On what the string does not say; the reasons say on what.
    Depends,
}

/// What the string makes its client check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// That there is TLS at all.
    pub tls: Answer,
    pub chain: Answer,
    pub dns_name: Answer,
    pub address: Answer,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Depends => "depends",
        })
    }
}

/// Checks, and the reasons for each that is not there.
pub struct Judgement {
    pub checks: Checks,
    pub why: Vec<&'static str>,
}

pub const PLAIN: Checks = checks(Answer::No, Answer::No, Answer::No, Answer::No);
/// TLS where the server offers it; else, or behind an attacker, plain text.
pub const MAYBE: Checks = checks(Answer::Depends, Answer::No, Answer::No, Answer::No);
pub const TLS_ONLY: Checks = checks(Answer::Yes, Answer::No, Answer::No, Answer::No);
pub const CHAIN: Checks = checks(Answer::Yes, Answer::Yes, Answer::No, Answer::No);
pub const ALL: Checks = checks(Answer::Yes, Answer::Yes, Answer::Yes, Answer::Yes);
/// Chain and DNS names; IP addresses never.
pub const NAMES: Checks = checks(Answer::Yes, Answer::Yes, Answer::Yes, Answer::No);
pub const DEPENDS: Checks = checks(
    Answer::Yes,
    Answer::Depends,
    Answer::Depends,
    Answer::Depends,
);

const fn checks(tls: Answer, chain: Answer, dns_name: Answer, address: Answer) -> Checks {
    Checks {
        tls,
        chain,
        dns_name,
        address,
    }
}

pub fn say(checks: Checks, why: &[&'static str]) -> Judgement {
    Judgement {
        checks,
        why: why.to_vec(),
    }
}

pub const NOTHING_ASKS: &str = "Nothing in it asks for TLS: the password would travel where everybody on the way can read it. \
                            This endpoint refuses such a login with error 3159.";
pub const SWITCHED_OFF: &str = "TLS is switched off.";
pub const TLS_UNCHECKED: &str = "It uses TLS but checks neither certificate nor name: whoever stands between can pose as the server.";
pub const FALLS_BACK: &str = "It uses TLS only where the server offers it, and checks nothing: an attacker can make it fall back to plain text.";
pub const CHAIN_ONLY: &str = "It checks that a trusted CA has signed, but not for whom: any certificate of that CA passes, for any host.";
/// The five modes that several drivers have under the same names.
pub fn judge_mode(values: &ReadValues) -> Judgement {
    match values.word("sslmode").as_deref() {
        Some("verifyidentity") => say(ALL, &[]),
        Some("verifyca") => say(
            CHAIN,
            &[
                "`VERIFY_CA` leaves the host name out; `VERIFY_IDENTITY` checks both.",
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
            &["This mode is not one the driver knows; it refuses to start or ignores it."],
        ),
    }
}

impl Judgement {
    pub fn because(mut self, why: &[&'static str]) -> Self {
        self.why.splice(0..0, why.iter().copied());
        self
    }
}
