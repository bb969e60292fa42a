//! Real servers of Oracle's MySQL 9 and MySQL Router, as script/setup unpacks them. Without them
//! each test prints "not run" and the reason.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use support::certificates::Pki;
use support::mariadb::MariaDb;
use support::mysql9::{Mysql9, Router, programs};
use support::{as_user, judge, not_run, settings, trusting};
use tidegate_check::Settings;

/// SQL that creates users with passwords, and a database.
const SHOP: &str = "CREATE DATABASE test;\nCREATE USER shop@'%' IDENTIFIED BY 'sesame';\n\
                    GRANT ALL ON test.* TO shop@'%';\n\
                    CREATE USER old@'%' IDENTIFIED WITH sha256_password BY 'sesame';\n";

/// Findings that every current OpenSSL passes by default.
const SOUND: &[&str] = &[
    "greeting",
    "tls-offered",
    "version",
    "quiet",
    "tls-bit",
    "injection",
    "tls13",
    "tls12",
    "old-tls",
    "ssl",
    "weak-suites",
    "split-hello",
    "early-data",
    "resumption",
    "wrong-name",
    "no-sni",
    "key",
];

#[test]
fn mysql_9_as_it_comes_takes_clear_text_and_has_a_certificate_for_nobody() {
    let Some(programs) = programs() else { return };
    let server = Mysql9::start(&programs, &[], SHOP);
    let judged = judge(&as_user(
        trusting(server.port, &server.data.join("ca.pem")),
        "shop",
        "sesame",
    ));
    judged
        .is("greeting", tidegate_check::FindingVerdict::Pass, "9.")
        .passes(SOUND)
        .passes(&["chain", "trust", "validity"]);
    judged
        .fails("plaintext", "")
        .skips("plaintext-text", "not refused");
    judged
        .fails("name", "no alternative names; MySQL_Server_9")
        .skips("login", "no login was sent");
    judged
        .warns("client-certificate", "none was needed")
        .warns("legacy-suites", "DHE_RSA")
        .warns("alpn", "ignored");
    // The CA that the server made for itself is not trusted.
    judge(&settings(server.port)).fails("trust", "no trusted root");
}

#[test]
fn mysql_9_that_requires_tls_still_asks_for_a_proof_in_clear_text() {
    let Some(programs) = programs() else { return };
    let pki = Pki::new();
    let options = [
        "--require-secure-transport=ON",
        "--auto-generate-certs=OFF",
        "--tls-version=TLSv1.3",
    ];
    let server = Mysql9::secured(&programs, &pki.good(), &options, SHOP);
    let ca = pki.ca();
    let judged = judge(&as_user(trusting(server.port, &ca), "shop", "sesame"));
    // Its error 3159 comes only after the right password.
    judged.fails("plaintext", "");
    judged.fails("tls12", "alert 70").is(
        "weak-suites",
        tidegate_check::FindingVerdict::Pass,
        "alert 70",
    );
    judged.passes(&[
        "tls13",
        "old-tls",
        "legacy-suites",
        "chain",
        "trust",
        "name",
        "validity",
        "no-sni",
    ]);
    // The password itself is sent inside TLS: caching_sha2_password has no hash of it cached yet.
    judged.passes(&["login", "database", "first-row", "denial"]);
    // A user with another plugin than the greeting's. Unknown users get a plugin by their name.
    judge(&as_user(trusting(server.port, &ca), "old", "sesame"))
        .passes(&["login"])
        .warns("database", "1044")
        .passes(&["denial"]);
}

#[test]
fn a_router_that_requires_tls_of_clients_keeps_the_promise_that_its_server_breaks() {
    let Some(programs) = programs() else { return };
    let pki = Pki::new();
    let server = Mysql9::start(&programs, &[], SHOP);
    let router = Router::start(&programs, &pki.good(), "REQUIRED", server.port);
    let judged = judge(&as_user(trusting(router.port, &pki.ca()), "shop", "sesame"));
    judged
        .is("greeting", tidegate_check::FindingVerdict::Pass, "-router")
        .passes(SOUND);
    judged.is(
        "plaintext",
        tidegate_check::FindingVerdict::Pass,
        "error 2026",
    );
    judged.is(
        "plaintext-text",
        tidegate_check::FindingVerdict::Pass,
        "SSL is required from client",
    );
    judged.passes(&[
        "chain",
        "trust",
        "name",
        "validity",
        "client-certificate",
        "legacy-suites",
    ]);
    judged
        .passes(&["login", "database", "first-row"])
        .warns("alpn", "ignored")
        .warns("silent", "still open");
    assert_eq!(judged.0.counts.fail, 0, "{}", judged.text());

    let router = Router::start(&programs, &pki.good(), "PREFERRED", server.port);
    let judged = judge(&as_user(trusting(router.port, &pki.ca()), "shop", "sesame"));
    judged
        .fails("plaintext", "")
        .passes(SOUND)
        .passes(&["chain", "trust", "name", "login"]);
    assert_eq!(judged.0.counts.fail, 1, "{}", judged.text());
}

#[test]
fn a_router_in_front_of_mariadb() {
    let Some(programs) = programs() else { return };
    let pki = Pki::new();
    let sql = "CREATE DATABASE test;\nCREATE USER shop@'%' IDENTIFIED BY 'sesame';\n\
               GRANT ALL ON test.* TO shop@'%';\n";
    let server = MariaDb::start(&["--skip-ssl"], sql);
    let router = Router::start(&programs, &pki.good(), "REQUIRED", server.port);
    let judged = judge(&as_user(trusting(router.port, &pki.ca()), "shop", "sesame"));
    judged.passes(&[
        "plaintext",
        "plaintext-text",
        "tls13",
        "tls12",
        "trust",
        "name",
        "login",
        "database",
        "first-row",
    ]);
}

/// Returns an address of this machine other than loopback, which MySQL never blocks.
fn own_address() -> Option<std::net::IpAddr> {
    let all = std::process::Command::new("hostname")
        .arg("-I")
        .output()
        .ok()?
        .stdout;
    String::from_utf8_lossy(&all)
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[test]
fn watching_without_an_account_never_gets_its_address_blocked() {
    let Some(programs) = programs() else { return };
    let Some(address) = own_address() else {
        return not_run("this machine has only its loopback");
    };
    let pki = Pki::new();
    let options = [
        "--bind-address=*",
        "--max-connect-errors=2",
        "--auto-generate-certs=OFF",
    ];
    let server = Mysql9::secured(&programs, &pki.good(), &options, SHOP);
    let first_round = Settings {
        endpoint: format!("{address}:{}", server.port).parse().unwrap(),
        ..trusting(server.port, &pki.ca())
    };
    let later_round = Settings {
        again: true,
        endpoint: first_round.endpoint.clone(),
        ..trusting(server.port, &pki.ca())
    };
    for _ in 0..5 {
        let judged = judge(&later_round);
        judged
            .passes(&["greeting", "tls13", "trust", "name", "validity"])
            .skips("old-tls", "only the first round");
        assert_eq!(judged.0.connections, 1);
    }
    // A full round makes more than two such connections, so the server blocks the address and says
    // so.
    judge(&first_round);
    judge(&later_round).fails("greeting", "error 1129");
}
