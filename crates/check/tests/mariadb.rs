//! Real MariaDB servers with several configurations, and HAProxy in front of one: what the check
//! must find at servers that people run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::process::Command;
use std::time::Duration;
use support::certificates::{Pki, Served, self_signed};
use support::haproxy::HaProxy;
use support::mariadb::MariaDb;
use support::{as_user, judge, settings, trusting};
use tidegate_check::{FindingVerdict, Settings};

/// SQL that creates a user with a password, and a database.
const SHOP: &str = "CREATE USER shop@'%' IDENTIFIED BY 'sesame';\nCREATE DATABASE test;\n\
                    GRANT ALL ON test.* TO shop@'%';\n";

#[test]
fn without_tls_everything_secure_is_missing() {
    let server = MariaDb::start(&["--skip-ssl"], "");
    let judged = judge(&settings(server.port));
    judged
        .fails("tls-offered", "lack CLIENT_SSL")
        .fails("plaintext", "")
        .skips("tls13", "offers no TLS");
    judged.warns("port", "").warns("silent", "still open");
    judged.passes(&["addresses", "greeting", "version"]);
    assert_eq!(judged.0.verdict, FindingVerdict::Fail);
}

#[test]
fn tls_beside_clear_text_fails_for_the_clear_text() {
    let pki = Pki::new();
    let server = MariaDb::secured(&pki.good(), &["--connect-timeout=2"], SHOP);
    let quick = Settings {
        silence_max: Duration::from_secs(8),
        ..trusting(server.port, &pki.ca())
    };
    let judged = judge(&as_user(quick, "shop", "sesame"));
    judged
        .fails("plaintext", "")
        .skips("plaintext-text", "not refused");
    judged.passes(&[
        "tls-bit",
        "injection",
        "quiet",
        "tls13",
        "tls12",
        "old-tls",
        "ssl",
        "weak-suites",
        "split-hello",
    ]);
    judged.passes(&[
        "chain",
        "trust",
        "name",
        "wrong-name",
        "no-sni",
        "validity",
        "key",
    ]);
    // MariaDB always asks for a client certificate and continues without one.
    judged.warns("client-certificate", "none was needed");
    judged.passes(&["database", "first-row", "denial", "early-data"]);
    judged.is(
        "login",
        FindingVerdict::Pass,
        "as shop, and SELECT 1; the server sees TLSv1.3",
    );
    // Its timeout restarts with every byte.
    judged
        .warns("silent", "idle: closed")
        .warns("silent", "idle after the TLS request: closed");
    judged.warns("silent", "dripping: still open");
    judged
        .warns("legacy-suites", "TLS 1.2 with ")
        .warns("alpn", "ignored");
}

#[test]
fn required_tls_is_seen_and_old_protocols_with_broken_suites_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let served = small_rsa(folder.path());
    let options = [
        "--require-secure-transport=ON",
        "--tls-version=TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3",
        "--ssl-cipher=ALL:COMPLEMENTOFALL:@SECLEVEL=0",
    ];
    let server = MariaDb::secured(&served, &options, "");
    let judged = judge(&settings(server.port));
    judged
        .fails("old-tls", "TLS 1.1 with ")
        .fails("weak-suites", "TLS 1.2 with ");
    judged
        .fails("key", "RSA 1024")
        .fails("trust", "signed by itself")
        .passes(&["ssl"]);
    // It asks for the password before it refuses, which is too late.
    judged.fails("plaintext", "");
}

/// Makes an RSA key of 1024 bits, which only OpenSSL's command line still does.
fn small_rsa(folder: &std::path::Path) -> Served {
    let key = folder.join("k");
    let certificate = folder.join("c");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:1024",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Served {
        chain: vec![std::fs::read_to_string(certificate).unwrap()],
        key: std::fs::read_to_string(key).unwrap(),
    }
}

#[test]
fn self_signed_expired_and_wrong_names_are_told_apart() {
    let pki = Pki::new();
    for (served, failing, words) in [
        (self_signed(), "trust", "signed by itself"),
        (pki.leaf(&["localhost"], 100, 90), "validity", "expired on"),
        (
            pki.leaf(&["db.example.com"], 10, 90),
            "name",
            "not for localhost: db.example.com",
        ),
    ] {
        let server = MariaDb::secured(&served, &[], SHOP);
        let judged = judge(&as_user(trusting(server.port, &pki.ca()), "shop", "sesame"));
        judged.fails(failing, words);
        for other in ["trust", "validity", "name", "chain"]
            .iter()
            .filter(|id| **id != failing)
        {
            judged.passes(&[*other]);
        }
        judged
            .skips("login", "no login was sent")
            .skips("denial", "no login was sent");
    }
}

/// MariaDB ends a sleep in `init_connect` after 5 s.
const SLOW: &str = "--init-connect=DO SLEEP(6)";

#[test]
fn logins_that_go_wrong() {
    let pki = Pki::new();
    let sql = "DROP DATABASE IF EXISTS test;\nDELETE FROM mysql.db;\nFLUSH PRIVILEGES;\n\
               CREATE USER slow@'%' IDENTIFIED BY 'sesame';\n\
               CREATE USER locked@'%' IDENTIFIED BY 'sesame' ACCOUNT LOCK;\n\
               CREATE USER socket@'%' IDENTIFIED VIA unix_socket;\n";
    let server = MariaDb::secured(&pki.good(), &[SLOW], sql);
    let ca = pki.ca();
    judge(&as_user(trusting(server.port, &ca), "slow", "sesame"))
        .passes(&["login"])
        .warns("first-row", "5.")
        .warns("database", "1044");
    let judged = judge(&as_user(trusting(server.port, &ca), "locked", "sesame"));
    judged
        .fails("login", "4151")
        .passes(&["denial"])
        .skips("first-row", "no login");
    // This reveals that the user exists, and how it logs in.
    judge(&as_user(trusting(server.port, &ca), "socket", "sesame"))
        .fails("login", "1698")
        .fails("denial", "1698");
    judge(&as_user(trusting(server.port, &ca), "slow", "wrong"))
        .fails("login", "1045")
        .passes(&["denial"]);
}

#[test]
fn haproxy_in_front_changes_no_verdict() {
    let pki = Pki::new();
    let server = MariaDb::secured(&pki.good(), &[], "");
    let Some(proxy) = HaProxy::start(server.port) else {
        return;
    };
    let behind = judge(&trusting(proxy.port, &pki.ca()));
    let direct = judge(&trusting(server.port, &pki.ca()));
    behind.passes(&["tls13", "trust", "name"]);
    assert_eq!(behind.0.findings.len(), direct.0.findings.len());
    for (a, b) in behind.0.findings.iter().zip(&direct.0.findings) {
        assert_eq!(
            (a.kind, a.verdict),
            (b.kind, b.verdict),
            "{} / {}",
            a.evidence,
            b.evidence
        );
    }
}
