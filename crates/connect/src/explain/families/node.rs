//! Drivers of Node, and Prisma.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, DEPENDS, Judgement, NAMES, NOTHING_ASKS, PLAIN, TLS_ONLY,
    TLS_UNCHECKED, say,
};
use crate::explain::read_values::ReadValues;

pub static NODE_MARIADB: Family = Family {
    name: "MariaDB's connector for Node",
    ids: &["node-mariadb"],
    reads: &["ssl", "ca", "rejectunauthorized", "minversion"],
    judge: judge_node_mariadb,
    has_scheme: |scheme| scheme == "mariadb",
    own_words: &[
        "@prisma/adapter-mariadb",
        "PrismaMariaDb",
        "from \"mariadb\"",
        "from 'mariadb'",
        "require(\"mariadb\")",
        "require('mariadb')",
        "mariadb.create",
        "type: \"mariadb\"",
        "type: 'mariadb'",
        "dialect: \"mariadb\"",
        "dialect: 'mariadb'",
    ],
    ..UNKNOWN
};

pub static PRISMA: Family = Family {
    name: "Prisma",
    ids: &["prisma"],
    reads: &["sslaccept", "sslcert", "sslidentity", "sslpassword"],
    judge: judge_prisma,
    own_words: &["datasource db", "@prisma/client"],
    has_url_options: |values| {
        values.any(&["sslaccept", "sslidentity", "connectionlimit", "pgbouncer"])
    },
    ..UNKNOWN
};

pub static NODE_MYSQL2: Family = Family {
    name: "Node mysql2",
    ids: &["node-mysql2", "sequelize", "typeorm", "drizzle"],
    reads: &[
        "ssl",
        "ca",
        "rejectunauthorized",
        "verifyidentity",
        "minversion",
    ],
    judge: judge_mysql2,
    own_words: &[
        "rejectUnauthorized",
        "verifyIdentity",
        "createConnection",
        "createPool",
        "mysql2",
        "knex(",
        "dbCredentials",
        "mysql.createPool",
        "client: 'mysql'",
        "client: \"mysql\"",
        "TypeOrmModule",
        "dialectOptions",
        "typeorm",
        "require('mysql')",
        "require(\"mysql\")",
        "from 'mysql'",
        "from \"mysql\"",
    ],
    has_url_options: |values| {
        values.any(&["rejectunauthorized", "verifyidentity"]) && !values.has("requiressl")
            || values.is("ssl", &["object"])
    },
    is_written_as: |text, _| {
        text.contains("ssl: {") || text.contains("ssl:{") || text.contains("ssl: true")
    },
    ..UNKNOWN
};

/// Marks of the package `mysql`, which is not mysql2.
const MYSQLJS: [&str; 6] = [
    "client: 'mysql'",
    "client: \"mysql\"",
    "require('mysql')",
    "require(\"mysql\")",
    "from 'mysql'",
    "from \"mysql\"",
];

fn judge_node_mariadb(values: &ReadValues) -> Judgement {
    if values.off("rejectunauthorized") {
        return say(
            TLS_ONLY,
            &[
                "`rejectUnauthorized: false` accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if values.on("ssl") || values.has("ca") {
        return say(ALL, &[]);
    }
    say(PLAIN, &[NOTHING_ASKS])
}

/// Whether this is the package `mysql` and not mysql2.
fn is_mysqljs(values: &ReadValues) -> bool {
    MYSQLJS.iter().any(|mark| values.marked(mark))
}

fn judge_prisma(values: &ReadValues) -> Judgement {
    // With the adapter of Prisma 7, MariaDB's connector reads the options.
    let strict = values.has("sslaccept");
    if values.marked("PrismaMariaDb") || (values.has("ssl") && !strict) {
        const ADAPTER: &str = "This applies to Prisma 7 with the adapter for MariaDB's connector. \
                               Prisma 6 and older ignore `ssl` and need `sslaccept=strict`.";
        return judge_node_mariadb(values).because(&[ADAPTER]);
    }
    if values.has("sslaccept") && !values.is_spelled("sslaccept") {
        let why = "Prisma ignores this spelling without a word: the option is `sslaccept`.";
        return say(PLAIN, &[why, NOTHING_ASKS]);
    }
    if values.is("sslaccept", &["strict"]) {
        return say(
            ALL,
            &["Prisma 7 has no such options: there the driver adapter's `ssl` applies."],
        );
    }
    let accepts = "Prisma accepts any certificate unless `sslaccept=strict` is set.";
    if values.any(&["sslaccept", "sslcert", "sslidentity"]) {
        return say(TLS_ONLY, &[accepts, TLS_UNCHECKED]);
    }
    say(PLAIN, &[accepts, NOTHING_ASKS])
}

fn judge_mysql2(values: &ReadValues) -> Judgement {
    if values.is("ssl", &["true", "1"]) && !is_mysqljs(values) {
        return say(
            PLAIN,
            &[
                "`ssl: true` is no profile: mysql2 throws \"SSL profile must be an object\" and \
                 never connects.",
            ],
        );
    }
    let object = values.any(&["rejectunauthorized", "verifyidentity", "ca", "minversion"])
        || values.is("ssl", &["object"]);
    if !object && !values.on("ssl") {
        return say(
            PLAIN,
            &["mysql2 uses TLS only with an `ssl` object.", NOTHING_ASKS],
        );
    }
    if values.off("rejectunauthorized") {
        return say(
            TLS_ONLY,
            &[
                "`rejectUnauthorized: false` accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if values.is("ssl", &["amazonrds"]) {
        let why = "The profile `Amazon RDS` trusts Amazon's CAs only: it refuses this endpoint.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if !object {
        return say(
            DEPENDS,
            &["The `ssl` object is defined elsewhere: it must contain `verifyIdentity: true`."],
        );
    }
    if is_mysqljs(values) {
        let why = "The package `mysql` never checks the host name, whatever is set; hint: use \
                   mysql2, whose `verifyIdentity: true` does.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if values.on("verifyidentity") && !values.is_spelled("verifyIdentity") {
        let why = "mysql2 ignores this spelling: the option is `verifyIdentity`.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if !values.on("verifyidentity") {
        let why = "mysql2 checks the host name only with `verifyIdentity: true`, which is off by \
                   default.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    say(
        NAMES,
        &["An IP address is never checked, even with `verifyIdentity`: connect by a name."],
    )
}
