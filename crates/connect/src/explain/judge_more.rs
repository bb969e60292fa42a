//! The same for MariaDB's client and for PHP, Ruby, Perl, .NET, ODBC and Rust. Never repeats a
//! value.

use super::judge::{
    ALL, CHAIN, CHAIN_ONLY, DEPENDS, FALLS_BACK, MAYBE, NOTHING_ASKS, PLAIN, SWITCHED_OFF,
    TLS_ONLY, TLS_UNCHECKED, Verdict, mode, say,
};
use super::seen::Seen;

pub(super) fn mariadb(seen: &Seen) -> Verdict {
    if seen.has("sslmode") {
        return say(
            PLAIN,
            &["MariaDB's client has no `--ssl-mode`: it stops at it with \"unknown variable\"."],
        );
    }
    if seen.any(&["skipssl", "disablessl"]) || seen.off("ssl") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    let off = seen.any(&["skipsslverifyservercert", "disablesslverifyservercert"])
        || seen.off("sslverifyservercert");
    if seen.has("sslverifyservercert") && !off {
        return say(ALL, &[]);
    }
    if seen.has("sslca") {
        let why = "`--ssl-ca` without `--ssl-verify-server-cert`: up to 11.3 it checks the chain but not the host name.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if off {
        return say(MAYBE, &["Verification is switched off.", FALLS_BACK]);
    }
    say(
        MAYBE,
        &[
            "Up to 11.3 it checks nothing without `--ssl-verify-server-cert`; from 11.4 on that is its default.",
            FALLS_BACK,
        ],
    )
}

pub(super) fn mysql_async(seen: &Seen) -> Verdict {
    if !seen.on("requiressl") {
        return say(
            PLAIN,
            &[
                "These crates use TLS only with `require_ssl=true`.",
                NOTHING_ASKS,
            ],
        );
    }
    if seen.off("verifyca") {
        return say(
            TLS_ONLY,
            &[
                "`verify_ca=false` accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if seen.off("verifyidentity") {
        return say(
            CHAIN,
            &[
                "`verify_identity=false` leaves the host name out.",
                CHAIN_ONLY,
            ],
        );
    }
    say(ALL, &[])
}

pub(super) fn pdo(seen: &Seen) -> Verdict {
    let ca = seen.any(&["mysqlattrsslca", "attrsslca", "mysqlattrsslcapath"]);
    let unchecked = ["mysqlattrsslverifyservercert", "attrsslverifyservercert"]
        .iter()
        .any(|key| seen.off(key));
    if ca && unchecked {
        return say(
            TLS_ONLY,
            &[
                "`SSL_VERIFY_SERVER_CERT => false` accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if ca {
        return say(ALL, &[]);
    }
    let why = "PDO's DSN has no option for TLS: the attribute `ATTR_SSL_CA` turns it on, with chain and host name. \
               `ATTR_SSL_VERIFY_SERVER_CERT` without a CA stays in plain text.";
    say(PLAIN, &[why, NOTHING_ASKS])
}

pub(super) fn mysqli(seen: &Seen) -> Verdict {
    let flags = seen.get("mysqlclientflags").unwrap_or_default();
    if flags.contains("VERIFY_SERVER_CERT") && !flags.contains("DONT_VERIFY") {
        return say(
            DEPENDS,
            &[
                "With `openssl.cafile` in php.ini (WordPress), or `ssl_set` before (mysqli), it checks both.",
            ],
        );
    }
    let why = "`MYSQLI_CLIENT_SSL` alone only encrypts: add `MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT` and a CA.";
    if flags.contains("SSL") {
        say(TLS_ONLY, &[why, TLS_UNCHECKED])
    } else {
        say(PLAIN, &[why, NOTHING_ASKS])
    }
}

pub(super) fn ruby(seen: &Seen) -> Verdict {
    if seen.is("sslmode", &["verifyidentity"]) {
        let why = "The gem checks the host name only if it is built on MySQL's library; on MariaDB's (Debian) it never \
                   does, and without a CA it checks nothing.";
        return say(DEPENDS, &[why]);
    }
    mode(seen)
}

pub(super) fn dotnet(seen: &Seen) -> Verdict {
    match seen.word("sslmode").as_deref() {
        Some("verifyfull" | "verifyidentity") => say(ALL, &[]),
        Some("verifyca") => say(
            CHAIN,
            &[
                "`VerifyCA` leaves the host name out; `VerifyFull` checks both.",
                CHAIN_ONLY,
            ],
        ),
        Some("required") => say(
            TLS_ONLY,
            &["`Required` encrypts and verifies nothing.", TLS_UNCHECKED],
        ),
        Some("none" | "disabled") => say(PLAIN, &[SWITCHED_OFF]),
        _ => say(MAYBE, &["The default is `SslMode=Preferred`.", FALLS_BACK]),
    }
}

pub(super) fn odbc(seen: &Seen) -> Verdict {
    if seen.has("sslmode") {
        return mode(seen);
    }
    if !seen.has("sslca") && !seen.on("forcetls") {
        return say(
            PLAIN,
            &[
                "MariaDB's driver speaks plain text without `SSLCA`.",
                NOTHING_ASKS,
            ],
        );
    }
    if seen.on("sslverify") && seen.has("sslca") {
        return say(ALL, &[]);
    }
    say(
        CHAIN,
        &[
            "Without `SSLVERIFY=1` the host name is not checked.",
            CHAIN_ONLY,
        ],
    )
}

pub(super) fn perl(seen: &Seen) -> Verdict {
    let on = seen.on("mariadbssl") || seen.on("mysqlssl");
    if !on {
        return say(
            PLAIN,
            &[
                "Without `mariadb_ssl=1` the driver stays in plain text, even if it is told to verify.",
                NOTHING_ASKS,
            ],
        );
    }
    if !seen.any(&["mariadbsslcafile", "mysqlsslcafile"]) {
        return say(
            TLS_ONLY,
            &["Without a CA file it verifies nothing.", TLS_UNCHECKED],
        );
    }
    if seen.on("mariadbsslverifyservercert") || seen.on("mysqlsslverifyservercert") {
        return say(ALL, &[]);
    }
    say(
        CHAIN,
        &[
            "Without `mariadb_ssl_verify_server_cert=1` the host name is not checked.",
            CHAIN_ONLY,
        ],
    )
}
