//! Go-MySQL-Driver, and what is built on it.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, DEPENDS, FALLS_BACK, Judgement, MAYBE, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED, say,
};
use crate::explain::read_values::ReadValues;

pub static GO: Family = Family {
    name: "Go-MySQL-Driver",
    ids: &["go", "gorm"],
    reads: &["tls"],
    judge: judge_go,
    ..UNKNOWN
};

fn judge_go(values: &ReadValues) -> Judgement {
    match values.word("tls").as_deref() {
        None | Some("false" | "") => say(
            PLAIN,
            &[
                "A Go DSN without `tls=` uses plain text; options of other drivers have no effect.",
                NOTHING_ASKS,
            ],
        ),
        Some("true" | "1") => say(ALL, &[]),
        Some("skipverify") => say(
            TLS_ONLY,
            &["`tls=skip-verify` turns verification off.", TLS_UNCHECKED],
        ),
        Some("preferred") => say(
            MAYBE,
            &["`tls=preferred` also skips verification.", FALLS_BACK],
        ),
        Some(_) => {
            let why = "`tls=` names a configuration that the program registers: it verifies both \
                       unless that sets `InsecureSkipVerify`. The string alone does not tell.";
            say(DEPENDS, &[why])
        }
    }
}
