//! The gem mysql2 of Ruby, and trilogy.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_NAME_DEPENDS, CHAIN_ONLY, CheckAnswer, DEPENDS, FALLS_BACK, Judgement, MAYBE,
    NOTHING_ASKS, PLAIN, SWITCHED_OFF, TLS_ONLY, TLS_UNCHECKED, UNKNOWN_MODE, UNREADABLE, say,
};
use crate::explain::read_values::ReadValues;

pub static RUBY: Family = Family {
    name: "Ruby mysql2",
    ids: &["ruby-mysql2", "rails"],
    reads: &["sslmode", "sslca", "sslcapath", "sslverify", "tlsversion"],
    judge: judge_ruby,
    has_scheme: |scheme| ["mysql2", "trilogy"].contains(&scheme),
    own_words: &[
        "Mysql2::",
        "adapter: mysql2",
        "adapter: 'mysql2'",
        "adapter: \"mysql2\"",
        ":verify_identity",
        "adapter: trilogy",
        "adapter: 'trilogy'",
        "adapter: \"trilogy\"",
        "Trilogy.new",
    ],
    ..UNKNOWN
};

/// The options file of the table's string, which its setup creates.
const OPTIONS_FILE: &str = "tidegate.cnf";

/// Judges trilogy, which contains its own client and needs no library.
fn judge_trilogy(values: &ReadValues) -> Judgement {
    let mode = values.word("sslmode").unwrap_or_default();
    let mode = mode.strip_prefix("sslmode").unwrap_or(&mode);
    match mode.strip_prefix("ssl").unwrap_or(mode) {
        "verifyidentity" => {
            let mut judgement = say(ALL, &["This applies to the adapter trilogy."]);
            judgement.checks.address = CheckAnswer::Depends;
            judgement
        }
        "verifyca" => say(CHAIN, &[CHAIN_ONLY]),
        "required" | "requirednoverify" => say(TLS_ONLY, &[TLS_UNCHECKED]),
        "preferred" | "preferrednoverify" => say(MAYBE, &[FALLS_BACK]),
        "disabled" => say(PLAIN, &[SWITCHED_OFF]),
        "" if values.on("ssl") => say(UNREADABLE, &["trilogy's `ssl` needs a `ssl_mode`."]),
        "" => say(
            PLAIN,
            &["trilogy uses no TLS without `ssl_mode`.", NOTHING_ASKS],
        ),
        _ => say(UNREADABLE, &[UNKNOWN_MODE]),
    }
}

fn judge_ruby(values: &ReadValues) -> Judgement {
    if values.marked("trilogy") || values.marked("Trilogy.new") {
        return judge_trilogy(values);
    }
    let has_ca = values.any(&["sslca", "sslcapath"]);
    match values.word("sslmode").as_deref() {
        Some("verifyidentity") if has_ca && values.marked(OPTIONS_FILE) => say(
            ALL,
            &["This applies while `tidegate.cnf` contains `ssl-verify-server-cert=1`."],
        ),
        Some("verifyidentity") if has_ca => {
            let why = "The gem checks the host name only if it is built on MySQL's library; on \
                       MariaDB's (Debian) it checks the chain only.";
            say(CHAIN_NAME_DEPENDS, &[why])
        }
        Some("verifyidentity") => {
            let why = "The gem checks the host name only if it is built on MySQL's library; on \
                       MariaDB's (Debian) it never does, and without a CA it checks nothing.";
            say(DEPENDS, &[why])
        }
        Some("disabled") => say(PLAIN, &[SWITCHED_OFF]),
        Some("required" | "verifyca" | "preferred") | None if has_ca => say(
            CHAIN,
            &[
                "A CA alone makes the gem check the chain, not the host name.",
                CHAIN_ONLY,
            ],
        ),
        Some("required" | "verifyca") => say(
            MAYBE,
            &[
                "Built on MariaDB's library (Debian), the gem does not know this mode: it warns, \
                 and logs in without TLS.",
            ],
        ),
        None | Some("preferred") => say(MAYBE, &["The default mode is `PREFERRED`.", FALLS_BACK]),
        Some(_) => say(UNREADABLE, &[UNKNOWN_MODE]),
    }
}
