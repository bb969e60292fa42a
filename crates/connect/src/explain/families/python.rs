//! Drivers of Python.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, ALL_IF_OFFERED, CHAIN, CHAIN_ONLY, CheckAnswer, DEPENDS, FALLS_BACK, Judgement, MAYBE,
    NOTHING_ASKS, PLAIN, SWITCHED_OFF, TLS_ONLY, TLS_UNCHECKED, UNKNOWN_MODE, UNREADABLE, say,
};
use crate::explain::read_values::ReadValues;

pub static PYMYSQL: Family = Family {
    name: "PyMySQL",
    ids: &["pymysql", "sqlalchemy"],
    reads: &[
        "ssl",
        "ca",
        "sslca",
        "sslverifycert",
        "sslverifyidentity",
        "ssldisabled",
        "checkhostname",
        "verifymode",
    ],
    judge: judge_pymysql,
    drivers: &["pymysql"],
    own_words: &["pymysql"],
    option_words: &[
        "create_default_context",
        "ssl_verify_identity",
        "ssl_verify_cert",
        "ssl_ca",
    ],
    is_written_as: |text, values| {
        (text.contains("ssl={") || text.contains("ssl=ssl")) && values.has("ssl")
    },
    ..UNKNOWN
};

pub static MYSQLCLIENT: Family = Family {
    name: "mysqlclient",
    ids: &["mysqlclient", "django"],
    reads: &["ssl", "ca", "sslmode", "sslca"],
    judge: judge_mysqlclient,
    drivers: &["mysqldb"],
    // `mysql://` of SQLAlchemy means mysqlclient.
    own_words: &[
        "MySQLdb",
        "django.db",
        "create_engine(",
        "SQLALCHEMY_DATABASE_URI",
    ],
    option_words: &["ssl_mode"],
    ..UNKNOWN
};

pub static CONNECTOR_PYTHON: Family = Family {
    name: "MySQL Connector/Python",
    ids: &["connector-python"],
    reads: &[
        "sslca",
        "sslverifycert",
        "sslverifyidentity",
        "ssldisabled",
        "tlsversions",
    ],
    judge: judge_connector,
    drivers: &["mysqlconnector"],
    own_words: &["mysql.connector"],
    option_words: &["tls_versions"],
    ..UNKNOWN
};

pub static ASYNC_PYTHON: Family = Family {
    name: "asyncmy",
    ids: &["asyncmy"],
    reads: &["ssl", "ca"],
    judge: judge_asyncmy,
    drivers: &["asyncmy"],
    own_words: &["asyncmy"],
    ..UNKNOWN
};

pub static AIOMYSQL: Family = Family {
    name: "aiomysql",
    ids: &["aiomysql"],
    reads: &["ssl", "ca"],
    judge: judge_aiomysql,
    drivers: &["aiomysql"],
    own_words: &["aiomysql"],
    ..UNKNOWN
};

fn judge_pymysql(values: &ReadValues) -> Judgement {
    if values.on("ssldisabled") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if let Some(judgement) = judge_context(values) {
        return judgement;
    }
    let unchecked =
        values.off("verifymode") || values.is("verifymode", &["certnone", "sslcertnone"]);
    // SQLAlchemy's URL makes `ssl={"ca": F}` of a lone `ssl_ca`, and PyMySQL checks both with that.
    let dictionary = values.has("ca")
        || (values.has("sqlalchemy") && values.has("sslca") && !values.has("sslverifycert"));
    if dictionary && unchecked {
        return say(
            TLS_ONLY,
            &[
                "`verify_mode` none accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if dictionary && (values.off("checkhostname") || values.off("sslcheckhostname")) {
        return say(CHAIN, &["`check_hostname` is switched off.", CHAIN_ONLY]);
    }
    if dictionary {
        return say(ALL, &[]);
    }
    if !values.has("sslca") && values.on("sslverifycert") {
        let why = "Without `ssl_ca` PyMySQL checks the chain against the system's store, but never \
                   the host name, although `ssl_verify_identity` requests it.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if !values.has("sslca") {
        let mut why = vec![
            "Without a CA PyMySQL checks nothing; even `ssl_verify_identity` then has no effect.",
        ];
        why.push(
            "From 1.2 on it uses TLS where the server offers it; older versions stay in plain \
             text.",
        );
        if !values.any(&["ssl", "sslverifycert", "sslverifyidentity"]) {
            why.push(NOTHING_ASKS);
        }
        return Judgement { checks: MAYBE, why };
    }
    if values.has("sqlalchemy") && values.on("sslverifycert") {
        let why = "In SQLAlchemy's URL these two reach PyMySQL as text, and it then refuses a \
                   valid certificate: `?ssl_ca=FILE` alone checks both.";
        return say(ALL, &[why]);
    }
    if !values.on("sslverifycert") {
        return say(
            TLS_ONLY,
            &[
                "`ssl_ca` alone makes PyMySQL check nothing: it needs `ssl_verify_cert=True, \
                 ssl_verify_identity=True`, or `ssl={\"ca\": FILE}`.",
                TLS_UNCHECKED,
            ],
        );
    }
    if !values.on("sslverifyidentity") {
        return say(
            CHAIN,
            &[
                "Without `ssl_verify_identity=True` the host name is not checked.",
                CHAIN_ONLY,
            ],
        );
    }
    say(ALL, &[])
}

fn judge_mysqlclient(values: &ReadValues) -> Judgement {
    match values.word("sslmode").as_deref() {
        Some("verifyidentity") => say(
            ALL,
            &["From mysqlclient 2 on; Debian's python3-mysqldb 1.4.6 checks the chain at most."],
        ),
        Some("verifyca") => say(
            CHAIN,
            &[
                "`VERIFY_CA` does not check the host name; `VERIFY_IDENTITY` checks both.",
                CHAIN_ONLY,
            ],
        ),
        Some("required") => say(
            MAYBE,
            &[
                "Built on MariaDB's library, `REQUIRED` verifies nothing and can fall back to \
                 plain text.",
            ],
        ),
        Some("disabled") => say(PLAIN, &[SWITCHED_OFF]),
        Some(mode) if !["preferred", ""].contains(&mode) => say(UNREADABLE, &[UNKNOWN_MODE]),
        None if values.any(&["ca", "sslca", "ssl"]) => say(
            CHAIN,
            &[
                "A CA without `ssl_mode=\"VERIFY_IDENTITY\"` makes it check the chain at most, not \
                 the host name.",
                CHAIN_ONLY,
            ],
        ),
        _ => say(MAYBE, &[FALLS_BACK]),
    }
}

fn judge_connector(values: &ReadValues) -> Judgement {
    if values.on("ssldisabled") {
        return say(PLAIN, &["`ssl_disabled=True` switches TLS off."]);
    }
    if values.on("sslverifycert") && values.on("sslverifyidentity") {
        const STORE: &str = "Without `ssl_ca` only the pure Python version finds the system's \
                             store; the C extension does not.";
        return say(ALL, if values.has("sslca") { &[] } else { &[STORE] });
    }
    if values.on("sslverifycert") {
        return say(
            CHAIN,
            &[
                "Without `ssl_verify_identity=True` the host name is not checked.",
                CHAIN_ONLY,
            ],
        );
    }
    let why = if values.has("sslca") {
        "`ssl_ca` alone makes Connector/Python check nothing: it needs `ssl_verify_cert=True, \
         ssl_verify_identity=True`."
    } else {
        "By default it uses TLS where the server offers it, unverified."
    };
    say(MAYBE, &[why, FALLS_BACK])
}

fn judge_asyncmy(values: &ReadValues) -> Judgement {
    if let Some(judgement) = judge_context(values) {
        return judgement;
    }
    if values.any(&["ca", "sslca"]) {
        if values.off("checkhostname") {
            return say(CHAIN, &["`check_hostname` is switched off.", CHAIN_ONLY]);
        }
        return say(ALL, &[]);
    }
    if values.on("ssl") {
        let why = "Without a CA in it, this dictionary checks no name; hint: use a context.";
        return say(TLS_ONLY, &[why, TLS_UNCHECKED]);
    }
    say(PLAIN, &[NOTHING_ASKS])
}

fn judge_aiomysql(values: &ReadValues) -> Judgement {
    const FALLS: &str = "If the server, or an attacker in between, offers no TLS, aiomysql sends \
                         its login without TLS, whatever is set; hint: use asyncmy.";
    if let Some(mut judgement) = judge_context(values) {
        judgement.checks.tls = CheckAnswer::Depends;
        return judgement.because(&[FALLS]);
    }
    if values.any(&["ca", "sslca"]) || values.is("ssl", &["object"]) {
        let why = "aiomysql fails with a dictionary (AttributeError): it needs an `SSLContext`.";
        return say(ALL_IF_OFFERED, &[why, FALLS]);
    }
    say(PLAIN, &[NOTHING_ASKS])
}

const ELSEWHERE: &str = "The context is made elsewhere: one from `ssl.create_default_context()` \
                         checks chain and host name.";

/// Judges a context of Python's module `ssl`. None if `ssl` is something else.
fn judge_context(values: &ReadValues) -> Option<Judgement> {
    let context = values.resolved("ssl")?;
    if context.contains("_unverified_") {
        let why = "An unverified context verifies nothing.";
        return Some(say(TLS_ONLY, &[why, TLS_UNCHECKED]));
    }
    if context.contains("SSLContext(") && !values.has("verifymode") {
        let why = "A bare `SSLContext` verifies nothing; that of `ssl.create_default_context()` \
                   does.";
        return Some(say(TLS_ONLY, &[why, TLS_UNCHECKED]));
    }
    let names_one = ["context", "ctx"].iter().any(|word| context.contains(word));
    if !names_one && !context.contains("SSLContext") {
        let named = !context.is_empty() && !values.on_or_off("ssl");
        let is_name = context
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
        return (named && is_name && context != "object").then(|| say(DEPENDS, &[ELSEWHERE]));
    }
    if values.is("verifymode", &["certnone", "sslcertnone"]) {
        let why = "`verify_mode` none accepts every certificate.";
        return Some(say(TLS_ONLY, &[why, TLS_UNCHECKED]));
    }
    if values.off("checkhostname") {
        return Some(say(
            CHAIN,
            &["`check_hostname` is switched off.", CHAIN_ONLY],
        ));
    }
    if !context.contains("create_default_context") {
        return Some(say(DEPENDS, &[ELSEWHERE]));
    }
    Some(say(ALL, &[]))
}
