//! Crates of Rust.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, Judgement, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED, judge_mode,
    say,
};
use crate::explain::read_values::ReadValues;

pub static MYSQL_ASYNC: Family = Family {
    name: "mysql and mysql_async (Rust)",
    ids: &["rust-mysql-async"],
    reads: &["requiressl", "verifyca", "verifyidentity", "builtinroots"],
    judge: judge_mysql_async,
    has_url_options: |values| {
        values.any(&["requiressl", "verifyca", "builtinroots"]) && !values.has("usessl")
    },
    ..UNKNOWN
};

pub static SQLX: Family = Family {
    name: "sqlx (Rust)",
    ids: &["rust-sqlx"],
    reads: &["sslmode", "sslca"],
    judge: judge_mode,
    has_url_options: |values| values.has("sslmode"),
    ..UNKNOWN
};

fn judge_mysql_async(values: &ReadValues) -> Judgement {
    if !values.on("requiressl") {
        return say(
            PLAIN,
            &[
                "These crates use TLS only with `require_ssl=true`.",
                NOTHING_ASKS,
            ],
        );
    }
    if values.off("verifyca") {
        return say(
            TLS_ONLY,
            &[
                "`verify_ca=false` accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if values.off("verifyidentity") {
        return say(
            CHAIN,
            &[
                "`verify_identity=false` turns the check of the host name off.",
                CHAIN_ONLY,
            ],
        );
    }
    say(ALL, &[])
}
