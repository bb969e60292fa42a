//! What each family of clients verifies with the options that were read, and why. The facts are
//! from runs of the real clients (`tests/clients`) or, where they were not run, from their sources.
//! Never repeats a value.

use super::family::Family;
use super::seen::Seen;
use super::{Answer, Checks};

/// Checks, and the reasons for each that is not there.
pub(super) struct Verdict {
    pub checks: Checks,
    pub why: Vec<&'static str>,
}

pub(super) const PLAIN: Checks = checks(Answer::No, Answer::No, Answer::No, Answer::No);
/// TLS where the server offers it; else, or behind an attacker, plain text.
pub(super) const MAYBE: Checks = checks(Answer::Depends, Answer::No, Answer::No, Answer::No);
pub(super) const TLS_ONLY: Checks = checks(Answer::Yes, Answer::No, Answer::No, Answer::No);
pub(super) const CHAIN: Checks = checks(Answer::Yes, Answer::Yes, Answer::No, Answer::No);
pub(super) const ALL: Checks = checks(Answer::Yes, Answer::Yes, Answer::Yes, Answer::Yes);
/// Chain and DNS names; IP addresses never.
pub(super) const NAMES: Checks = checks(Answer::Yes, Answer::Yes, Answer::Yes, Answer::No);
pub(super) const DEPENDS: Checks = checks(
    Answer::Yes,
    Answer::Depends,
    Answer::Depends,
    Answer::Depends,
);

const fn checks(tls: Answer, chain: Answer, dns_name: Answer, address: Answer) -> Checks {
    Checks {
        tls,
        chain,
        dns_name,
        address,
    }
}

pub(super) fn say(checks: Checks, why: &[&'static str]) -> Verdict {
    Verdict {
        checks,
        why: why.to_vec(),
    }
}

pub(super) const NOTHING_ASKS: &str = "Nothing in it asks for TLS: the password would travel where everybody on the way can read it. \
                            This endpoint refuses such a login with error 3159.";
pub(super) const SWITCHED_OFF: &str = "TLS is switched off.";
pub(super) const TLS_UNCHECKED: &str = "It uses TLS but checks neither certificate nor name: whoever stands between can pose as the server.";
pub(super) const FALLS_BACK: &str = "It uses TLS only where the server offers it, and checks nothing: an attacker can make it fall back to plain text.";
pub(super) const CHAIN_ONLY: &str = "It checks that a trusted CA has signed, but not for whom: any certificate of that CA passes, for any host.";
const NO_CA_MYSQL: &str = "Without `ssl-ca` this client stops with \"CA certificate is required\": it never looks into the system's store.";

pub(super) fn judge(family: Family, seen: &Seen) -> Verdict {
    match family {
        Family::Mysql => mysql(seen),
        Family::Mariadb => super::judge_more::mariadb(seen),
        Family::Mycli => mycli(seen),
        Family::Pymysql => super::judge_python::pymysql(seen),
        Family::Mysqlclient => super::judge_python::mysqlclient(seen),
        Family::ConnectorPython => super::judge_python::connector(seen),
        Family::AsyncPython => super::judge_python::asynchronous(seen),
        Family::Go => go(seen),
        Family::NodeMysql2 => node(seen),
        Family::NodeMariadb => node_mariadb(seen),
        Family::Prisma => prisma(seen),
        Family::ConnectorJ => connector_j(seen),
        Family::MariadbJ | Family::R2dbcMariadb => mariadb_j(seen),
        Family::R2dbcMysql | Family::Sqlx => mode(seen),
        Family::MysqlAsync => super::judge_more::mysql_async(seen),
        Family::PhpPdo => super::judge_more::pdo(seen),
        Family::Mysqli => super::judge_more::mysqli(seen),
        Family::Ruby => super::judge_more::ruby(seen),
        Family::Dotnet => super::judge_more::dotnet(seen),
        Family::Odbc => super::judge_more::odbc(seen),
        Family::PerlMariadb => super::judge_more::perl(seen),
        Family::AnyUrl | Family::Unknown => unknown(seen),
    }
}

fn mysql(seen: &Seen) -> Verdict {
    let ca = seen.any(&["sslca", "sslcapath"]);
    if seen.is("sslmode", &["disabled"]) || seen.has("skipssl") || seen.off("ssl") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if seen.is("sslmode", &["verifyidentity"]) {
        return say(ALL, if ca { &[] } else { &[NO_CA_MYSQL] });
    }
    if seen.is("sslmode", &["verifyca"]) || (ca && !seen.has("sslmode")) {
        let first = if seen.has("sslmode") {
            "`VERIFY_CA` leaves the host name out; `VERIFY_IDENTITY` checks both."
        } else {
            "`--ssl-ca` alone makes it check the chain, not the host name: that needs `--ssl-mode=VERIFY_IDENTITY`."
        };
        return say(CHAIN, if ca { &[] as &[_] } else { &[NO_CA_MYSQL] })
            .because(&[first, CHAIN_ONLY]);
    }
    if seen.is("sslmode", &["required"]) {
        return say(
            TLS_ONLY,
            &["`REQUIRED` encrypts and verifies nothing.", TLS_UNCHECKED],
        );
    }
    say(MAYBE, &["Its default mode is `PREFERRED`.", FALLS_BACK])
}

fn mycli(seen: &Seen) -> Verdict {
    if seen.off("ssl") || seen.off("sslmode") || seen.has("nossl") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if !seen.has("sslca") {
        let why =
            "Without `--ssl-ca` MyCLI verifies nothing at all, `--ssl-verify-server-cert` or not.";
        return say(MAYBE, &[why, FALLS_BACK]);
    }
    if seen.has("sslverifyservercert") {
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

fn go(seen: &Seen) -> Verdict {
    match seen.word("tls").as_deref() {
        None | Some("false" | "") => say(
            PLAIN,
            &[
                "A Go DSN without `tls=` speaks plain text; options of other drivers turn nothing on.",
                NOTHING_ASKS,
            ],
        ),
        Some("true" | "1") => say(ALL, &[]),
        Some("skipverify") => say(
            TLS_ONLY,
            &["`tls=skip-verify` says what it does.", TLS_UNCHECKED],
        ),
        Some("preferred") => say(
            MAYBE,
            &["`tls=preferred` also skips verification.", FALLS_BACK],
        ),
        Some(_) => {
            let why = "`tls=` names a configuration that the program registers: it verifies both unless that sets \
                       `InsecureSkipVerify`. The string alone does not tell.";
            say(DEPENDS, &[why])
        }
    }
}

fn node(seen: &Seen) -> Verdict {
    if seen.is("ssl", &["true", "1"]) {
        return say(
            PLAIN,
            &[
                "`ssl: true` is no profile: mysql2 throws \"SSL profile must be an object\" and never connects.",
            ],
        );
    }
    let object = seen.any(&["rejectunauthorized", "verifyidentity", "ca", "minversion"])
        || seen.is("ssl", &["object"]);
    if !object && !seen.on("ssl") {
        return say(
            PLAIN,
            &["mysql2 uses TLS only with an `ssl` object.", NOTHING_ASKS],
        );
    }
    if seen.off("rejectunauthorized") {
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
            &["The `ssl` object stands elsewhere: it has to hold `verifyIdentity: true`."],
        );
    }
    if !seen.on("verifyidentity") {
        let why = "mysql2 checks the host name only with `verifyIdentity: true`, which is off by default.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    say(
        NAMES,
        &["An IP address is never checked, even with `verifyIdentity`: connect by a name."],
    )
}

fn node_mariadb(seen: &Seen) -> Verdict {
    if seen.off("rejectunauthorized") {
        return say(
            TLS_ONLY,
            &[
                "`rejectUnauthorized: false` accepts every certificate.",
                TLS_UNCHECKED,
            ],
        );
    }
    if seen.on("ssl") || seen.has("ca") {
        return say(ALL, &[]);
    }
    say(PLAIN, &[NOTHING_ASKS])
}

fn prisma(seen: &Seen) -> Verdict {
    if seen.is("sslaccept", &["strict"]) {
        return say(
            ALL,
            &["Prisma 7 has no such options: there the driver adapter's `ssl` says it."],
        );
    }
    let accepts = "Prisma accepts any certificate unless `sslaccept=strict` is set.";
    if seen.any(&["sslaccept", "sslcert", "sslidentity"]) {
        return say(TLS_ONLY, &[accepts, TLS_UNCHECKED]);
    }
    say(PLAIN, &[accepts, NOTHING_ASKS])
}

fn connector_j(seen: &Seen) -> Verdict {
    if seen.has("sslmode") {
        return mode(seen);
    }
    if seen.off("usessl") {
        return say(PLAIN, &["`useSSL=false` switches TLS off."]);
    }
    if seen.on("verifyservercertificate") && seen.on("usessl") {
        let why = "`verifyServerCertificate=true` checks the chain; only `sslMode=VERIFY_IDENTITY` checks the host name.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if seen.on("usessl") || seen.on("requiressl") {
        let why = "`useSSL` and `requireSSL` are old names. 5.1 checks the chain with them, 8.0 and later checks nothing; \
                   none checks the host name. `sslMode=VERIFY_IDENTITY` does both.";
        let checks = if seen.on("requiressl") {
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

/// The five modes that several drivers have under the same names.
pub(super) fn mode(seen: &Seen) -> Verdict {
    match seen.word("sslmode").as_deref() {
        Some("verifyidentity") => say(ALL, &[]),
        Some("verifyca") => say(
            CHAIN,
            &[
                "`VERIFY_CA` leaves the host name out; `VERIFY_IDENTITY` checks both.",
                CHAIN_ONLY,
            ],
        ),
        Some("required" | "require") => say(
            TLS_ONLY,
            &["`REQUIRED` encrypts and verifies nothing.", TLS_UNCHECKED],
        ),
        Some("disabled" | "disable") => say(PLAIN, &[SWITCHED_OFF]),
        None | Some("preferred" | "prefer") => {
            say(MAYBE, &["The default mode is `PREFERRED`.", FALLS_BACK])
        }
        Some(_) => say(
            PLAIN,
            &["This mode is not one the driver knows; it refuses to start or ignores it."],
        ),
    }
}

fn mariadb_j(seen: &Seen) -> Verdict {
    let trusts = seen.on("trustservercertificate") || seen.is("sslmode", &["trust"]);
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
    .any(|key| seen.on(key));
    match seen.word("sslmode").as_deref() {
        Some("verifyfull") if !nameless => say(ALL, &[]),
        Some("verifyfull" | "verifyca") => say(
            CHAIN,
            &["Only `verify-full` also checks the host name.", CHAIN_ONLY],
        ),
        None if seen.on("usessl") && !nameless => {
            say(ALL, &["`useSsl` is the old name of `sslMode=verify-full`."])
        }
        None | Some("disable" | "disabled") => {
            say(PLAIN, &["Its default is no TLS.", NOTHING_ASKS])
        }
        Some("verifyidentity" | "required" | "preferred") => say(
            PLAIN,
            &[
                "That mode is Connector/J's; MariaDB's driver knows `disable`, `trust`, `verify-ca` and `verify-full`.",
            ],
        ),
        Some(_) => say(PLAIN, &["This mode is not one the driver knows."]),
    }
}

fn unknown(seen: &Seen) -> Verdict {
    let tls = seen
        .options()
        .any(|key| key.contains("ssl") || key.contains("tls"));
    if tls {
        return say(
            PLAIN,
            &[
                "Which client it is for can't be told, and what these options do depends on it: name it with --with.",
            ],
        );
    }
    say(PLAIN, &[NOTHING_ASKS])
}

impl Verdict {
    pub fn because(mut self, why: &[&'static str]) -> Self {
        self.why.splice(0..0, why.iter().copied());
        self
    }
}
