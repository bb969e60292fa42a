//! Go-MySQL-Driver, and what is built on it.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, DEPENDS, FALLS_BACK, Judgement, MAYBE, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED, say,
};
use crate::explain::read_values::ReadValues;

pub static GO: Family = Family {
    name: "Go-MySQL-Driver",
    ids: &["go", "gorm"],
    reads: &["tls", "tlsconfig", "xtlsca"],
    judge: judge_go,
    own_words: &[
        "RegisterTLSConfig",
        "go-sql-driver",
        "sql.Open(\"mysql\"",
        "gorm.Open",
        "mysql.Config{",
        // Terraform's provider is built on it.
        "provider \"mysql\"",
        // These take a URL and give its options to the driver.
        "dbmate",
        "atlas ",
    ],
    ..UNKNOWN
};

fn judge_go(values: &ReadValues) -> Judgement {
    let tls = values.word("tls").or_else(|| values.word("tlsconfig"));
    match tls.as_deref() {
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
        Some(_)
            if values.marked("InsecureSkipVerify: true")
                || values.marked("InsecureSkipVerify:true") =>
        {
            let why = "`InsecureSkipVerify` turns the checks of this configuration off.";
            say(TLS_ONLY, &[why, TLS_UNCHECKED])
        }
        // golang-migrate makes a configuration of this file.
        Some(_) if values.marked("RegisterTLSConfig") || values.has("xtlsca") => say(ALL, &[]),
        Some(_) => {
            let why = "`tls=` names a configuration that the program registers: it verifies both \
                       unless that sets `InsecureSkipVerify`. The string alone does not tell.";
            say(DEPENDS, &[why])
        }
    }
}
