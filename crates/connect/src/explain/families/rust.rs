//! Crates of Rust.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, ALL_DEPENDS, CHAIN, CHAIN_ONLY, Judgement, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED,
    judge_mode, say,
};
use crate::explain::read_values::ReadValues;

pub static MYSQL_ASYNC: Family = Family {
    name: "mysql and mysql_async (Rust)",
    ids: &["rust-mysql-async"],
    reads: &[
        "requiressl",
        "verifyca",
        "verifyidentity",
        "builtinroots",
        "sslopts",
        "dangeracceptinvalidcerts",
        "dangerskipdomainvalidation",
    ],
    judge: judge_mysql_async,
    own_words: &["mysql_async", "SslOpts", "mysql::Opts"],
    has_url_options: |values| {
        values.any(&["requiressl", "verifyca", "builtinroots"]) && !values.has("usessl")
    },
    ..UNKNOWN
};

pub static SQLX: Family = Family {
    name: "sqlx (Rust)",
    ids: &["rust-sqlx"],
    reads: &["sslmode", "sslca"],
    judge: judge_sqlx,
    own_words: &[
        "sqlx::",
        "MySqlConnectOptions",
        "MySqlPool",
        "sea_orm",
        "diesel",
        "MysqlConnection::establish",
    ],
    has_url_options: |values| values.has("sslmode"),
    ..UNKNOWN
};

fn judge_sqlx(values: &ReadValues) -> Judgement {
    let is_diesel = values.marked("diesel") || values.marked("MysqlConnection::establish");
    if is_diesel && values.has("sslmode") {
        let why = "diesel uses the C library: Oracle's follows `ssl_mode`, MariaDB's (Debian) \
                   never checks the host name and may log in in plain text.";
        return say(ALL_DEPENDS, &[why]);
    }
    judge_mode(values)
}

fn judge_mysql_async(values: &ReadValues) -> Judgement {
    if !values.on("requiressl") && !values.has("sslopts") {
        return say(
            PLAIN,
            &[
                "These crates use TLS only with `require_ssl=true`.",
                NOTHING_ASKS,
            ],
        );
    }
    if values.on("dangeracceptinvalidcerts") {
        let why = "`danger_accept_invalid_certs` accepts every certificate.";
        return say(TLS_ONLY, &[why, TLS_UNCHECKED]);
    }
    if values.on("dangerskipdomainvalidation") {
        let why = "`danger_skip_domain_validation` turns the check of the host name off.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
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
