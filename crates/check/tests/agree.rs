//! Compares the check's findings with those of sslscan and OpenSSL's client about the same servers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use support::certificates::{Pki, Served};
use support::crooked::{Crooked, ordinary};
use support::mariadb::MariaDb;
use support::scan::{Scan, agree, openssl_agrees};
use support::{Judged, judge, not_run, trusting};

fn compare(port: u16, pki: &Pki) -> Judged {
    let judged = judge(&trusting(port, &pki.ca()));
    let ask = |id: &str| {
        let (verdict, evidence) = judged.finding(id);
        (verdict.word().to_owned(), evidence.to_owned())
    };
    openssl_agrees(port, &pki.ca(), &ask);
    match Scan::of(port, "localhost") {
        Some(scan) => agree(&scan, &ask),
        None => not_run("sslscan is not installed: script/setup test does it"),
    }
    judged
}

fn mariadb(served: &Served, options: &[&str], pki: &Pki) -> Judged {
    let server = MariaDb::secured(served, options, "");
    compare(server.port, pki)
}

#[test]
fn about_a_plain_mariadb_and_its_certificates() {
    let pki = Pki::new();
    mariadb(&pki.good(), &[], &pki)
        .passes(&["tls13", "tls12", "old-tls", "trust", "name", "validity"]);
    mariadb(&pki.leaf(&["localhost"], 100, 90), &[], &pki).fails("validity", "expired");
    mariadb(&pki.leaf(&["other.example"], 10, 90), &[], &pki).fails("name", "other.example");
}

#[test]
fn about_servers_with_the_security_level_lowered() {
    let pki = Pki::new();
    let old = ["--tls-version=TLSv1.0", "--ssl-cipher=ALL:@SECLEVEL=0"];
    mariadb(&pki.good(), &old, &pki)
        .fails("old-tls", "TLS 1.0 with")
        .fails("tls12", "")
        .fails("tls13", "");
    let weak = [
        "--tls-version=TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3",
        "--ssl-cipher=ALL:COMPLEMENTOFALL:@SECLEVEL=0",
    ];
    mariadb(&pki.good(), &weak, &pki)
        .fails("old-tls", "TLS 1.1")
        .fails("weak-suites", "")
        .warns("legacy-suites", "");
    let only_12 = [
        "--tls-version=TLSv1.2",
        "--ssl-cipher=ECDHE-ECDSA-AES128-SHA256",
    ];
    mariadb(&pki.good(), &only_12, &pki)
        .fails("tls12", "alert 40")
        .fails("tls13", "alert 70");
}

#[test]
fn about_a_rustls_server() {
    let pki = Pki::new();
    let server = Crooked::with_tls(std::sync::Arc::new(ordinary(&pki.good())));
    compare(server.port, &pki).passes(&["weak-suites", "legacy-suites", "client-certificate"]);
}
