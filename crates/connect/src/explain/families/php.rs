//! PDO, mysqli and what is built on them.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, ALL_DEPENDS, Judgement, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED, say,
};
use crate::explain::read_values::ReadValues;

pub static MYSQLI: Family = Family {
    name: "mysqli or WordPress",
    ids: &["mysqli", "wordpress"],
    reads: &[
        "mysqlclientflags",
        "ssl",
        "sslca",
        "sslverify",
        "sslset",
        "mysqlisslset",
    ],
    judge: judge_mysqli,
    own_words: &[
        "MYSQL_CLIENT_FLAGS",
        "mysqli",
        "$cfg['Servers']",
        "DB_NAME'",
    ],
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
    own_words: &[
        "MYSQL_ATTR_SSL",
        "Pdo\\Mysql",
        "DB_CONNECTION=mysql",
        "DB_CONNECTION=mariadb",
        "new PDO(",
        "pdo_mysql",
    ],
    // Doctrine's own option: its URL has none about TLS.
    has_url_options: |values| values.has("serverversion"),
    ..UNKNOWN
};

fn judge_mysqli(values: &ReadValues) -> Judgement {
    // phpMyAdmin's own names of these options.
    let unchecked = values.marked("MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT")
        || values.off("sslverify") && values.has("sslca");
    if unchecked {
        let why = "The check of the certificate is switched off.";
        return say(TLS_ONLY, &[why, TLS_UNCHECKED]);
    }
    if values.has("sslca") {
        return say(ALL, &[]);
    }
    if values.marked("MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT") {
        let why = "Without `ssl_set` it checks against the system's store, or `openssl.cafile` in \
                   php.ini.";
        return say(ALL, &[why]);
    }
    let why = "`MYSQLI_CLIENT_SSL` alone only encrypts: add \
               `MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT`, or a CA by `ssl_set`.";
    if values.marked("MYSQLI_CLIENT_SSL") || values.on("ssl") {
        say(TLS_ONLY, &[why, TLS_UNCHECKED])
    } else {
        say(PLAIN, &[why, NOTHING_ASKS])
    }
}

fn judge_pdo(values: &ReadValues) -> Judgement {
    // An empty value, `null` and `false` are no file: PDO then stays in plain text.
    let ca = ["mysqlattrsslca", "attrsslca", "mysqlattrsslcapath"]
        .iter()
        .any(|key| values.on(key) && values.get(key).is_some_and(|file| !file.is_empty()));
    let unchecked = ["mysqlattrsslverifyservercert", "attrsslverifyservercert"]
        .iter()
        .any(|key| values.off(key));
    // Laravel's own file drops the option if the variable is not set.
    let by_variable = ["mysqlattrsslca", "attrsslca"].iter().any(|key| {
        values
            .get(key)
            .is_some_and(|value| value.starts_with("env("))
    });
    if by_variable && values.marked("array_filter") {
        let why = "The variable decides: without it there is no TLS at all; hint: paste the .env \
                   file.";
        return say(ALL_DEPENDS, &[why]);
    }
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
