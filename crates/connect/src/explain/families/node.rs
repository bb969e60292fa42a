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
    own_words: &["@prisma/adapter-mariadb", "PrismaMariaDb"],
    ..UNKNOWN
};

pub static PRISMA: Family = Family {
    name: "Prisma up to 6",
    ids: &["prisma"],
    reads: &["sslaccept", "sslcert", "sslidentity", "sslpassword"],
    judge: judge_prisma,
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
    ],
    has_url_options: |values| {
        values.any(&["rejectunauthorized", "verifyidentity"]) && !values.has("requiressl")
            || values.has("ssl")
    },
    is_written_as: |text, _| {
        text.contains("ssl: {") || text.contains("ssl:{") || text.contains("ssl: true")
    },
    ..UNKNOWN
};

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

fn judge_prisma(values: &ReadValues) -> Judgement {
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
    if values.is("ssl", &["true", "1"]) {
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
    if !object {
        return say(
            DEPENDS,
            &["The `ssl` object is defined elsewhere: it must contain `verifyIdentity: true`."],
        );
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
