//! Command-line clients: MySQL's, MariaDB's and MyCLI.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, FALLS_BACK, Judgement, MAYBE, PLAIN, SWITCHED_OFF, TLS_ONLY,
    TLS_UNCHECKED, UNKNOWN_MODE, UNREADABLE, say,
};
use crate::explain::read_values::{INCLUDE, INSERTED, ReadValues};

pub static MYSQL: Family = Family {
    name: "MySQL's command-line client",
    ids: &["mysql"],
    reads: &["sslmode", "sslca", "skipssl", "ssl", "tlsversion"],
    judge: judge_mysql,
    ..UNKNOWN
};

pub static MARIADB: Family = Family {
    name: "MariaDB's command-line client",
    ids: &["mariadb"],
    reads: &[
        "ssl",
        "sslca",
        "sslverifyservercert",
        "skipssl",
        "tlsversion",
        "disablessl",
        "skipsslverifyservercert",
        "disablesslverifyservercert",
    ],
    judge: judge_mariadb,
    ..UNKNOWN
};

pub static MYCLI: Family = Family {
    name: "MyCLI",
    ids: &["mycli"],
    reads: &[
        "ssl",
        "sslmode",
        "sslca",
        "sslverifyservercert",
        "tlsversion",
        "nossl",
    ],
    judge: judge_mycli,
    ..UNKNOWN
};

/// Returns the family of a command line of this program.
pub fn of_program(program: &str, values: &ReadValues) -> &'static Family {
    match program {
        "mycli" => &MYCLI,
        // On Debian and others, `mysql` is MariaDB's client, and only that knows these options.
        "mysql"
            if !values.any(&[
                "sslverifyservercert",
                "skipsslverifyservercert",
                "disablesslverifyservercert",
            ]) =>
        {
            &MYSQL
        }
        _ => &MARIADB,
    }
}

const NO_CA_MYSQL: &str = "Without `ssl-ca` this client stops with \"CA certificate is required\": \
                           it never reads the system's store.";

/// Judges a command line whose options may be in another file. None if it names TLS options itself.
fn judge_file(values: &ReadValues) -> Option<Judgement> {
    let elsewhere = values.any(&[
        "defaultsfile",
        "defaultsextrafile",
        "loginpath",
        INCLUDE,
        INSERTED,
    ]);
    let says_tls = values
        .options()
        .any(|key| key.contains("ssl") || key.contains("tls"));
    let why = if values.has(INSERTED) {
        "can't read: a variable contains its options; hint: paste the variable's value."
    } else {
        "Its options are in another file; hint: paste that file."
    };
    (elsewhere && !says_tls).then(|| say(UNREADABLE, &[why]))
}

fn judge_mysql(values: &ReadValues) -> Judgement {
    if let Some(judgement) = judge_file(values) {
        return judgement;
    }
    let ca = values.any(&["sslca", "sslcapath"]);
    if values.is("sslmode", &["disabled"]) || values.has("skipssl") || values.off("ssl") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if values.is("sslmode", &["verifyidentity"]) {
        return say(ALL, if ca { &[] } else { &[NO_CA_MYSQL] });
    }
    if values.is("sslmode", &["verifyca"]) || (ca && !values.has("sslmode")) {
        let first = if values.has("sslmode") {
            "`VERIFY_CA` does not check the host name; `VERIFY_IDENTITY` checks both."
        } else {
            "`--ssl-ca` alone makes it check the chain, not the host name: that needs \
             `--ssl-mode=VERIFY_IDENTITY`."
        };
        return say(CHAIN, if ca { &[] as &[_] } else { &[NO_CA_MYSQL] })
            .because(&[first, CHAIN_ONLY]);
    }
    if values.is("sslmode", &["required"]) {
        return say(
            TLS_ONLY,
            &["`REQUIRED` encrypts and verifies nothing.", TLS_UNCHECKED],
        );
    }
    if values
        .word("sslmode")
        .is_some_and(|mode| mode != "preferred")
    {
        return say(UNREADABLE, &[UNKNOWN_MODE]);
    }
    say(MAYBE, &["Its default mode is `PREFERRED`.", FALLS_BACK])
}

fn judge_mariadb(values: &ReadValues) -> Judgement {
    if let Some(judgement) = judge_file(values) {
        return judgement;
    }
    if values.has("sslmode") {
        return say(
            PLAIN,
            &["MariaDB's client has no `--ssl-mode`: it stops with \"unknown variable\"."],
        );
    }
    if values.any(&["skipssl", "disablessl"]) || values.off("ssl") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    let off = values.any(&["skipsslverifyservercert", "disablesslverifyservercert"])
        || values.off("sslverifyservercert");
    if values.has("sslverifyservercert") && !off {
        return say(ALL, &[]);
    }
    if values.has("sslca") {
        let why = "`--ssl-ca` without `--ssl-verify-server-cert`: up to 11.3 it checks the chain \
                   but not the host name.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if off {
        return say(MAYBE, &["Verification is switched off.", FALLS_BACK]);
    }
    say(
        MAYBE,
        &[
            "Up to 11.3 it checks nothing without `--ssl-verify-server-cert`; from 11.4 on that is \
             its default.",
            FALLS_BACK,
        ],
    )
}

fn judge_mycli(values: &ReadValues) -> Judgement {
    if let Some(judgement) = judge_file(values) {
        return judgement;
    }
    if values.off("ssl") || values.off("sslmode") || values.has("nossl") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if !values.has("sslca") {
        let why =
            "Without `--ssl-ca` MyCLI verifies nothing at all, `--ssl-verify-server-cert` or not.";
        return say(MAYBE, &[why, FALLS_BACK]);
    }
    if values.has("sslverifyservercert") {
        return say(ALL, &[]);
    }
    say(
        CHAIN,
        &[
            "The host name is checked only with `--ssl-verify-server-cert`.",
            CHAIN_ONLY,
        ],
    )
}
