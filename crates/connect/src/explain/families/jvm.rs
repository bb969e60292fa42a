//! Drivers of the JVM: JDBC and R2DBC.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, FALLS_BACK, Judgement, MAYBE, NOTHING_ASKS, PLAIN, TLS_ONLY,
    TLS_UNCHECKED, UNKNOWN_MODE, UNREADABLE, judge_mode, say,
};
use crate::explain::read_values::ReadValues;

pub static CONNECTOR_J: Family = Family {
    name: "MySQL Connector/J",
    ids: &["connectorj", "hibernate", "spring-boot", "dbeaver"],
    reads: &[
        "sslmode",
        "usessl",
        "requiressl",
        "verifyservercertificate",
        "enabledtlsprotocols",
        "tlsversions",
        "trustcertificatekeystoreurl",
    ],
    judge: judge_connector_j,
    has_scheme: |scheme| scheme.starts_with("jdbc:") && !scheme.starts_with("jdbc:mariadb"),
    own_words: &["Driver property", "com.mysql.cj", "MysqlDataSource"],
    ..UNKNOWN
};

pub static MARIADB_J: Family = Family {
    name: "MariaDB Connector/J",
    ids: &["mariadb-connectorj"],
    reads: &[
        "sslmode",
        "serversslcert",
        "usessl",
        "trustservercertificate",
        "disablesslhostnameverification",
        "enabledsslprotocolsuites",
        "truststore",
    ],
    judge: judge_mariadb_j,
    has_scheme: |scheme| scheme.starts_with("jdbc:mariadb"),
    own_words: &["org.mariadb.jdbc", "MariaDbDataSource"],
    ..UNKNOWN
};

pub static R2DBC_MYSQL: Family = Family {
    name: "r2dbc-mysql",
    ids: &["r2dbc-mysql"],
    reads: &["sslmode", "sslca", "tlsversion", "ssl"],
    judge: judge_mode,
    has_scheme: |scheme| scheme.starts_with("r2dbc") && !scheme.contains("mariadb"),
    own_words: &["io.asyncer.r2dbc", "MySqlConnectionConfiguration"],
    ..UNKNOWN
};

pub static R2DBC_MARIADB: Family = Family {
    name: "r2dbc-mariadb",
    ids: &["r2dbc-mariadb"],
    reads: &[
        "sslmode",
        "serversslcert",
        "ssltunneldisablehostverification",
        "tlsprotocol",
    ],
    judge: judge_mariadb_j,
    has_scheme: |scheme| scheme.starts_with("r2dbc") && scheme.contains("mariadb"),
    own_words: &["org.mariadb.r2dbc", "MariadbConnection"],
    ..UNKNOWN
};

fn judge_connector_j(values: &ReadValues) -> Judgement {
    if values.has("sslmode") {
        return judge_mode(values);
    }
    if values.off("usessl") {
        return say(PLAIN, &["`useSSL=false` switches TLS off."]);
    }
    if values.on("verifyservercertificate") && values.on("usessl") {
        let why = "`verifyServerCertificate=true` checks the chain; only `sslMode=VERIFY_IDENTITY` \
                   checks the host name.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if values.on("usessl") || values.on("requiressl") {
        let why = "`useSSL` and `requireSSL` are old names. 5.1 checks the chain with them, 8.0 \
                   and later checks nothing; none checks the host name. `sslMode=VERIFY_IDENTITY` \
                   does both.";
        let checks = if values.on("requiressl") {
            TLS_ONLY
        } else {
            MAYBE
        };
        return say(checks, &[why]);
    }
    say(
        MAYBE,
        &["Connector/J's default is `sslMode=PREFERRED`.", FALLS_BACK],
    )
}

fn judge_mariadb_j(values: &ReadValues) -> Judgement {
    let trusts = values.on("trustservercertificate") || values.is("sslmode", &["trust"]);
    if trusts {
        return say(
            TLS_ONLY,
            &["`trust` accepts every certificate.", TLS_UNCHECKED],
        );
    }
    let nameless = [
        "disablesslhostnameverification",
        "ssltunneldisablehostverification",
    ]
    .iter()
    .any(|key| values.on(key));
    match values.word("sslmode").as_deref() {
        Some("verifyfull") if !nameless => say(ALL, &[]),
        Some("verifyfull" | "verifyca") => say(
            CHAIN,
            &["Only `verify-full` also checks the host name.", CHAIN_ONLY],
        ),
        None if values.on("usessl") && !nameless => {
            say(ALL, &["`useSsl` is the old name of `sslMode=verify-full`."])
        }
        None if values.on("usessl") => say(
            CHAIN,
            &["The check of the host name is switched off.", CHAIN_ONLY],
        ),
        None | Some("disable" | "disabled") => {
            say(PLAIN, &["Its default is no TLS.", NOTHING_ASKS])
        }
        Some("verifyidentity" | "required" | "preferred") => say(
            PLAIN,
            &[
                "That mode is Connector/J's; MariaDB's driver knows `disable`, `trust`, \
                 `verify-ca` and `verify-full`.",
            ],
        ),
        Some(_) => say(UNREADABLE, &[UNKNOWN_MODE]),
    }
}
