//! A family of clients: clients that read the same options in the same way.

use crate::explain::judgement::{Judgement, MAYBE, UNREADABLE, say};
use crate::explain::read_values::ReadValues;

/// A family: its name, its clients, how its strings are recognised and what they verify. Every
/// recogniser but the judge has a default that recognises nothing.
#[derive(Debug)]
pub struct Family {
    /// The name that people read.
    pub name: &'static str,
    /// The clients of the table that belong to it. The first one's string is shown.
    pub ids: &'static [&'static str],
    /// The options about TLS that it reads, normalised; empty if they are not known.
    pub reads: &'static [&'static str],
    /// Returns what its client verifies with these options.
    pub judge: fn(&ReadValues) -> Judgement,
    /// Its names behind the `+` of SQLAlchemy's schemes.
    pub drivers: &'static [&'static str],
    /// Whether a URL of this scheme is for it.
    pub has_scheme: fn(&str) -> bool,
    /// Whether the options of a `mysql://` URL are its own.
    pub has_url_options: fn(&ReadValues) -> bool,
    /// Beginnings of data sources that are for it, in lower case.
    pub source_heads: &'static [&'static str],
    /// Whether the options of a `;` form are its own.
    pub has_semicolon_options: fn(&ReadValues) -> bool,
    /// Words in code and files that only its strings have.
    pub own_words: &'static [&'static str],
    /// Options in code by which it is recognised if no own word tells.
    pub option_words: &'static [&'static str],
    /// Whether code of this syntax is for it, if no word or option tells.
    pub is_written_as: fn(&str, &ReadValues) -> bool,
    /// Families that a string may be for, if it does not tell.
    pub candidates: &'static [&'static Family],
}

/// Default of every field, and the family of an unknown client.
pub const UNKNOWN: Family = Family {
    name: "a client that the string does not name",
    ids: &[],
    reads: &[],
    judge: judge_unknown,
    drivers: &[],
    has_scheme: |_| false,
    has_url_options: |_| false,
    source_heads: &[],
    has_semicolon_options: |_| false,
    own_words: &[],
    option_words: &[],
    is_written_as: |_, _| false,
    candidates: &[],
};

impl Family {
    /// Whether the string told which client it is for.
    pub fn is_named(&self) -> bool {
        !self.ids.is_empty()
    }
}

pub fn judge_unknown(values: &ReadValues) -> Judgement {
    let tls = values.options().any(|key| {
        ["ssl", "tls", "cafile", "tidegateca"]
            .iter()
            .any(|word| key.contains(word))
    });
    if tls {
        return say(
            UNREADABLE,
            &[
                "The string does not tell its client, and the effect of these options depends on \
                 that; hint: name it with --with.",
            ],
        );
    }
    say(MAYBE, &[CLIENT_DECIDES, NOT_VERIFIED])
}

const CLIENT_DECIDES: &str = "The string does not tell its client and has no option about TLS: \
                              some clients then use TLS where the server offers it, others never; \
                              hint: name the client with --with.";
const NOT_VERIFIED: &str = "Without such an option no client can be relied on to verify anything, \
                            and this endpoint refuses a login in plain text (error 3159).";
