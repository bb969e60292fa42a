//! PDO, mysqli and what is built on them.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, DEPENDS, Judgement, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED, say,
};
use crate::explain::read_values::ReadValues;

pub static MYSQLI: Family = Family {
    name: "mysqli or WordPress",
    ids: &["mysqli", "wordpress"],
    reads: &["mysqlclientflags"],
    judge: judge_mysqli,
    own_words: &["MYSQL_CLIENT_FLAGS", "mysqli"],
    ..UNKNOWN
};

pub static PDO: Family = Family {
    name: "PHP PDO",
    ids: &["php-pdo", "laravel"],
    reads: &[
        "mysqlattrsslca",
        "mysqlattrsslverifyservercert",
        "attrsslca",
        "attrsslverifyservercert",
    ],
    judge: judge_pdo,
    source_heads: &["mysql:"],
    own_words: &["MYSQL_ATTR_SSL", "Pdo\\Mysql"],
    ..UNKNOWN
};

fn judge_mysqli(values: &ReadValues) -> Judgement {
    let flags = values.get("mysqlclientflags").unwrap_or_default();
    if flags.contains("VERIFY_SERVER_CERT") && !flags.contains("DONT_VERIFY") {
        return say(
            DEPENDS,
            &[
                "With `openssl.cafile` in php.ini (WordPress), or `ssl_set` before (mysqli), it \
                 checks both.",
            ],
        );
    }
    let why = "`MYSQLI_CLIENT_SSL` alone only encrypts: add `MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT` \
               and a CA.";
    if flags.contains("SSL") {
        say(TLS_ONLY, &[why, TLS_UNCHECKED])
    } else {
        say(PLAIN, &[why, NOTHING_ASKS])
    }
}

fn judge_pdo(values: &ReadValues) -> Judgement {
    let ca = values.any(&["mysqlattrsslca", "attrsslca", "mysqlattrsslcapath"]);
    let unchecked = ["mysqlattrsslverifyservercert", "attrsslverifyservercert"]
        .iter()
        .any(|key| values.off(key));
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
    let why = "PDO's DSN has no option for TLS: the attribute `ATTR_SSL_CA` turns it on, with \
               chain and host name. `ATTR_SSL_VERIFY_SERVER_CERT` without a CA stays in plain \
               text.";
    say(PLAIN, &[why, NOTHING_ASKS])
}
