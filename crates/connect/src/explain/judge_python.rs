//! The same for the drivers of Python. Never repeats a value.

use super::judge::{
    ALL, CHAIN, CHAIN_ONLY, FALLS_BACK, MAYBE, NOTHING_ASKS, PLAIN, SWITCHED_OFF, TLS_ONLY,
    TLS_UNCHECKED, Verdict, say,
};
use super::seen::Seen;

pub(super) fn pymysql(seen: &Seen) -> Verdict {
    if seen.on("ssldisabled") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if seen
        .get("ssl")
        .is_some_and(|value| value.contains("ssl") && value.contains("_unverified_"))
    {
        return say(
            TLS_ONLY,
            &["An unverified context verifies nothing.", TLS_UNCHECKED],
        );
    }
    let context = seen
        .get("ssl")
        .is_some_and(|value| value.contains("context") || value.contains("ctx"));
    if context {
        return say(
            ALL,
            &[
                "This holds for a context from `ssl.create_default_context()` that nobody has weakened.",
            ],
        );
    }
    let unchecked = seen.off("verifymode") || seen.is("verifymode", &["certnone", "sslcertnone"]);
    // SQLAlchemy's URL makes `ssl={"ca": F}` of a lone `ssl_ca`, and PyMySQL checks both with that.
    let dictionary = seen.has("ca")
        || (seen.has("sqlalchemy") && seen.has("sslca") && !seen.has("sslverifycert"));
    if dictionary && unchecked {
        return say(
            TLS_ONLY,
            &[
                "`verify_mode` none accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if dictionary && (seen.off("checkhostname") || seen.off("sslcheckhostname")) {
        return say(CHAIN, &["`check_hostname` is switched off.", CHAIN_ONLY]);
    }
    if dictionary {
        return say(ALL, &[]);
    }
    if !seen.has("sslca") {
        let mut why = vec![
            "Without a CA PyMySQL checks nothing; even `ssl_verify_identity` then has no effect.",
        ];
        why.push("From 1.2 on it uses TLS where the server offers it; older versions stay in plain text.");
        if !seen.any(&["ssl", "sslverifycert", "sslverifyidentity"]) {
            why.push(NOTHING_ASKS);
        }
        return Verdict { checks: MAYBE, why };
    }
    if seen.has("sqlalchemy") && seen.on("sslverifycert") {
        let why = "In SQLAlchemy's URL these two reach PyMySQL as text, and it then refuses a valid certificate: `?ssl_ca=FILE` alone checks both.";
        return say(ALL, &[why]);
    }
    if !seen.on("sslverifycert") {
        return say(
            TLS_ONLY,
            &[
                "`ssl_ca` alone makes PyMySQL check nothing: it needs `ssl_verify_cert=True, ssl_verify_identity=True`, or `ssl={\"ca\": FILE}`.",
                TLS_UNCHECKED,
            ],
        );
    }
    if !seen.on("sslverifyidentity") {
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

pub(super) fn mysqlclient(seen: &Seen) -> Verdict {
    match seen.word("sslmode").as_deref() {
        Some("verifyidentity") => say(
            ALL,
            &["From mysqlclient 2 on; Debian's python3-mysqldb 1.4.6 checks the chain at most."],
        ),
        Some("verifyca") => say(
            CHAIN,
            &[
                "`VERIFY_CA` leaves the host name out; `VERIFY_IDENTITY` checks both.",
                CHAIN_ONLY,
            ],
        ),
        Some("required") => say(
            MAYBE,
            &[
                "Built on MariaDB's library, `REQUIRED` verifies nothing and can fall back to plain text.",
            ],
        ),
        Some("disabled") => say(PLAIN, &[SWITCHED_OFF]),
        None if seen.any(&["ca", "sslca", "ssl"]) => say(
            CHAIN,
            &[
                "A CA without `ssl_mode=\"VERIFY_IDENTITY\"` makes it check the chain at most, not the host name.",
                CHAIN_ONLY,
            ],
        ),
        _ => say(MAYBE, &[FALLS_BACK]),
    }
}

pub(super) fn connector(seen: &Seen) -> Verdict {
    if seen.on("ssldisabled") {
        return say(PLAIN, &["`ssl_disabled=True` switches TLS off."]);
    }
    if seen.on("sslverifycert") && seen.on("sslverifyidentity") {
        const STORE: &str = "Without `ssl_ca` only the pure Python version finds the system's store; the C extension does not.";
        return say(ALL, if seen.has("sslca") { &[] } else { &[STORE] });
    }
    if seen.on("sslverifycert") {
        return say(
            CHAIN,
            &[
                "Without `ssl_verify_identity=True` the host name is not checked.",
                CHAIN_ONLY,
            ],
        );
    }
    let why = if seen.has("sslca") {
        "`ssl_ca` alone makes Connector/Python check nothing: it needs `ssl_verify_cert=True, ssl_verify_identity=True`."
    } else {
        "By default it uses TLS where the server offers it, unverified."
    };
    say(MAYBE, &[why, FALLS_BACK])
}

pub(super) fn asynchronous(seen: &Seen) -> Verdict {
    if seen
        .get("ssl")
        .is_some_and(|value| value.contains("context") || value.contains("ctx"))
    {
        return say(
            ALL,
            &[
                "This holds for a context from `ssl.create_default_context()` that nobody has weakened.",
            ],
        );
    }
    if seen.any(&["ssl", "ca", "sslca"]) {
        return say(
            TLS_ONLY,
            &[
                "Give it an SSLContext: aiomysql stops at a dictionary, and asyncmy checks no name without a CA.",
                TLS_UNCHECKED,
            ],
        );
    }
    say(PLAIN, &[NOTHING_ASKS])
}
