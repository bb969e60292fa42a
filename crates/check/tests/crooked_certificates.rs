//! Test servers with a fault in their certificate or for their name, and the findings about a
//! console, later rounds of a watch and several addresses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use support::certificates::{Pki, Served, self_signed_with};
use support::crooked::{Crooked, certified, config, greeting, ordinary};
use support::scan::openssl;
use support::{Judged, judge, settings, trusting};
use tidegate_check::{FindingVerdict, Settings};

#[test]
fn chains_that_are_incomplete_untidy_old_or_foreign() {
    let pki = Pki::new();
    let mut alone = pki.good();
    alone.chain.truncate(1);
    let server = Crooked::with_tls(Arc::new(ordinary(&alone)));
    judge(&trusting(server.port, &pki.ca()))
        .fails("chain", "`middle (a company)` was not sent")
        .fails("trust", "");

    // Nothing tells that a private CA issued it, so it is unknown whether a certificate is missing.
    let server = Crooked::with_tls(Arc::new(ordinary(&pki.good())));
    judge(&settings(server.port))
        .skips("chain", "`root (a company)` is no public CA")
        .fails("trust", "no trusted root");

    let mut untidy = pki.good();
    untidy.chain.push(Pki::of("another").root_pem());
    let server = Crooked::with_tls(Arc::new(ordinary(&untidy)));
    judge(&trusting(server.port, &pki.ca()))
        .warns("chain", "2 of 3")
        .passes(&["trust"]);

    let mut mixed = pki.good();
    mixed.chain.insert(1, pki.root_pem());
    let server = Crooked::with_tls(Arc::new(ordinary(&mixed)));
    judge(&trusting(server.port, &pki.ca()))
        .warns("chain", "not in order")
        .passes(&["trust"]);

    let server = Crooked::with_tls(Arc::new(ordinary(&pki.leaf(&["localhost"], 89, 90))));
    judge(&trusting(server.port, &pki.ca())).warns("validity", "of 90 days left");
    let server = Crooked::with_tls(Arc::new(ordinary(&pki.leaf(&["localhost"], -1, 90))));
    judge(&trusting(server.port, &pki.ca())).fails("validity", "valid only from");

    // A chain that claims to be of Let's Encrypt without one of its roots.
    let false_friend = Pki::of("Let's Encrypt");
    let server = Crooked::with_tls(Arc::new(ordinary(&false_friend.good())));
    judge(&trusting(server.port, &false_friend.ca()))
        .warns("pinned-root", "ISRG Root X1")
        .passes(&["trust"]);
}

#[test]
fn a_self_signed_certificate_as_its_own_ca_is_judged_as_openssl_does() {
    let ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let server_auth = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let client_auth = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let signs_only = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let signs_and_tls = [signs_only.clone(), vec![KeyUsagePurpose::DigitalSignature]].concat();
    type Change<'a> = &'a dyn Fn(&mut CertificateParams);
    let cases: [(Change<'_>, FindingVerdict, &str); 7] = [
        (&|_| {}, FindingVerdict::Pass, "private: self-signed"),
        // As `openssl req -x509` makes it.
        (
            &|p| p.is_ca = ca,
            FindingVerdict::Pass,
            "clients with rustls refuse it",
        ),
        (
            &|p| p.extended_key_usages = server_auth.clone(),
            FindingVerdict::Pass,
            "",
        ),
        (
            &|p| p.key_usages = signs_and_tls.clone(),
            FindingVerdict::Pass,
            "",
        ),
        (
            &|p| p.extended_key_usages = client_auth.clone(),
            FindingVerdict::Fail,
            "serverAuth",
        ),
        (
            &|p| p.key_usages = signs_only.clone(),
            FindingVerdict::Fail,
            "allows no TLS server",
        ),
        (
            &|p| {
                p.is_ca = ca;
                p.key_usages = signs_only.clone();
            },
            FindingVerdict::Fail,
            "allows no TLS server",
        ),
    ];
    for (change, verdict, words) in cases {
        let served = self_signed_with(change);
        let folder = tempfile::tempdir().unwrap();
        served.write(folder.path());
        let file = folder.path().join("chain.pem");
        let server = Crooked::with_tls(Arc::new(ordinary(&served)));
        let judged = judge(&trusting(server.port, &file));
        judged
            .is("trust", verdict, words)
            .passes(&["chain", "name", "validity"]);
        let said = openssl(server.port, &["-CAfile", file.to_str().unwrap()]);
        let verified = said.contains("Verify return code: 0 (ok)");
        assert_eq!(verified, verdict == FindingVerdict::Pass, "{said}");
        // Another self-signed certificate of the same name proves nothing.
        let other = self_signed_with(change);
        other.write(folder.path());
        judge(&trusting(server.port, &file)).fails("trust", "");
    }
}

/// A resolver with a certificate for every SNI, and none without SNI.
#[derive(Debug)]
struct Obliging(Arc<CertifiedKey>);

impl ResolvesServerCert for Obliging {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello.server_name().map(|_| self.0.clone())
    }
}

#[derive(Debug)]
struct Default(Arc<CertifiedKey>, Arc<CertifiedKey>);

impl ResolvesServerCert for Default {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(if hello.server_name().is_some() {
            self.0.clone()
        } else {
            self.1.clone()
        })
    }
}

#[test]
fn names_that_are_asked_for_and_names_that_are_not() {
    let pki = Pki::new();
    let any = certified(&pki.leaf(&["localhost", "*.tidegate-check.invalid"], 10, 90));
    let server = Crooked::with_tls(Arc::new(config(
        Arc::new(Obliging(any)),
        rustls::ALL_VERSIONS,
    )));
    let judged = judge(&trusting(server.port, &pki.ca()));
    judged
        .fails("wrong-name", "wrong-name.tidegate-check.invalid")
        .fails("no-sni", "alert 49");
    judged.passes_except(&["wrong-name", "no-sni"]);

    let two = Default(
        certified(&pki.good()),
        certified(&pki.leaf(&["other.example"], 10, 90)),
    );
    let server = Crooked::with_tls(Arc::new(config(Arc::new(two), rustls::ALL_VERSIONS)));
    judge(&trusting(server.port, &pki.ca()))
        .fails("no-sni", "not for this name")
        .passes(&["name", "wrong-name"]);
}

#[test]
fn a_console_on_the_same_host() {
    let pki = Pki::new();
    let database = Crooked::with_tls(Arc::new(ordinary(&pki.good())));
    let proper = "HTTP/1.1 301 Moved\r\nStrict-Transport-Security: max-age=1\r\n\r\n";
    for (name, head, verdict, words) in [
        (
            "localhost",
            "HTTP/1.1 200 OK\r\n\r\n",
            FindingVerdict::Warn,
            "is for localhost too, no Strict",
        ),
        (
            "console.example",
            "SSH-2.0-x\r\n\r\n",
            FindingVerdict::Pass,
            "no web page",
        ),
        ("console.example", proper, FindingVerdict::Pass, "301"),
    ] {
        let web = web_server(&pki.leaf(&[name], 10, 90), head);
        let judged = judge(&Settings {
            web_port: web.port,
            ..trusting(database.port, &pki.ca())
        });
        judged.is("web", verdict, words);
    }
}

/// Starts a server that answers the first bytes of each TLS connection with `head`.
fn web_server(served: &Served, head: &'static str) -> Crooked {
    let tls = Arc::new(ordinary(served));
    Crooked::start(move |mut stream| {
        let mut tls = rustls::ServerConnection::new(tls.clone()).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut stream);
        if stream.read(&mut [0; 1024]).is_ok() {
            let _ = stream.write_all(head.as_bytes());
        }
    })
}

#[test]
fn a_later_round_of_a_watch_sees_what_becomes_of_tls_and_certificate() {
    let pki = Pki::new();
    let good = Crooked::with_tls(Arc::new(ordinary(&pki.good())));
    judge(&later_round(good.port, &pki))
        .passes(&["greeting", "tls13", "chain", "trust", "name", "validity"])
        .skips("silent", "first round");
    let stale = Crooked::with_tls(Arc::new(ordinary(&pki.leaf(&["localhost"], 100, 90))));
    judge(&later_round(stale.port, &pki))
        .fails("validity", "expired")
        .passes(&["trust"]);
    let broken = Crooked::saying(greeting("8.0.36", true));
    judge(&later_round(broken.port, &pki)).fails("trust", "no handshake");
}

/// Settings of a round of a watch after the first.
fn later_round(port: u16, pki: &Pki) -> Settings {
    Settings {
        again: true,
        ..trusting(port, &pki.ca())
    }
}

#[test]
fn every_address_of_a_name_is_judged() {
    let pki = Pki::new();
    let good = Crooked::with_tls(Arc::new(ordinary(&pki.good())));
    let stale = Crooked::with_tls(Arc::new(ordinary(&pki.leaf(&["localhost"], 100, 90))));
    let other = Crooked::with_tls(Arc::new(ordinary(&pki.leaf(&["other.example"], 10, 90))));
    let ca = pki.ca();
    judge_addresses(&ca, &[good.port]).skips("every-address", "one address");
    judge_addresses(&ca, &[good.port, good.port]).passes(&["addresses", "every-address"]);
    judge_addresses(&ca, &[good.port, stale.port])
        .fails("every-address", "expired on")
        .passes(&["addresses", "validity"]);
    judge_addresses(&ca, &[good.port, other.port]).fails("every-address", "not for this name");
    judge_addresses(&ca, &[good.port, 1])
        .warns("addresses", "not 127.0.0.1: Connection refused")
        .skips("every-address", "");
}

/// Judges a name whose addresses are these ports of this machine.
fn judge_addresses(ca: &Path, ports: &[u16]) -> Judged {
    let addresses = ports
        .iter()
        .map(|port| ([127, 0, 0, 1], *port).into())
        .collect();
    judge(&Settings {
        addresses,
        ..trusting(ports[0], ca)
    })
}
