//! Drivers of Python.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, FALLS_BACK, Judgement, MAYBE, NOTHING_ASKS, PLAIN, SWITCHED_OFF,
    TLS_ONLY, TLS_UNCHECKED, say,
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
    own_words: &["MySQLdb", "django.db"],
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
    name: "asyncmy or aiomysql",
    ids: &["asyncmy", "aiomysql"],
    reads: &["ssl", "ca"],
    judge: judge_asynchronous,
    drivers: &["asyncmy", "aiomysql"],
    own_words: &["asyncmy", "aiomysql"],
    ..UNKNOWN
};

fn judge_pymysql(values: &ReadValues) -> Judgement {
    if values.on("ssldisabled") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if values
        .get("ssl")
        .is_some_and(|value| value.contains("ssl") && value.contains("_unverified_"))
    {
        return say(
            TLS_ONLY,
            &["An unverified context verifies nothing.", TLS_UNCHECKED],
        );
    }
    let context = values
        .get("ssl")
        .is_some_and(|value| value.contains("context") || value.contains("ctx"));
    if context {
        return say(
            ALL,
            &["This applies to an unmodified context from `ssl.create_default_context()`."],
        );
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

fn judge_asynchronous(values: &ReadValues) -> Judgement {
    if values
        .get("ssl")
        .is_some_and(|value| value.contains("context") || value.contains("ctx"))
    {
        return say(
            ALL,
            &["This applies to an unmodified context from `ssl.create_default_context()`."],
        );
    }
    if values.any(&["ssl", "ca", "sslca"]) {
        return say(
            TLS_ONLY,
            &[
                "Use an SSLContext: aiomysql fails with a dictionary, and asyncmy checks no name \
                 without a CA.",
                TLS_UNCHECKED,
            ],
        );
    }
    say(PLAIN, &[NOTHING_ASKS])
}
