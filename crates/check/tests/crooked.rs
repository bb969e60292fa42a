//! Test servers with one fault each, so that every finding has failed once. Faults that a real
//! server can be configured to have are in `mariadb.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use rustls::server::WebPkiClientVerifier;
use std::io::{Read, Write};
use std::sync::Arc;
use support::certificates::Pki;
use support::crooked::{
    Always, Crooked, OK, certified, config, error, frame, greeting, has_tls_bit, ordinary, packet,
    shake,
};
use support::{each, judge, settings, trusting};
use tidegate_check::{FindingVerdict, Settings};

#[test]
fn an_upright_endpoint_passes() {
    let pki = Pki::new();
    let server = Crooked::with_tls(Arc::new(ordinary(&pki.good())));
    let judged = judge(&trusting(server.port, &pki.ca()));
    judged.passes_except(&[]);
    judged
        .warns("alpn", "ignored")
        .skips("login", "no --user")
        .skips("pinned-root", "not a chain");
    assert!(judged.0.connections <= 20, "{}", judged.0.connections);
}

#[test]
fn what_is_no_mysql_is_named_and_nothing_more_is_tried() {
    let cases = [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            "this is a web server (plain HTTP), not MySQL: \"HTTP/1.1 400",
        ),
        (b"hello there\r\n".to_vec(), "no MySQL packet: "),
        (frame(0, b"\x09old\0"), "no greeting of protocol 10"),
        (frame(0, &[10]), "no greeting of protocol 10"),
        (error(0, 1040, "Too many connections"), "error 1040"),
        (
            b"SSH-2.0-x\x1b[2J\r\n".to_vec(),
            "this is an SSH server, not MySQL: 53 53 48",
        ),
    ];
    each(cases, |(said, words)| {
        let server = Crooked::saying(said);
        let judged = judge(&settings(server.port));
        judged
            .fails("greeting", words)
            .skips("tls13", "no MySQL greeting")
            .skips("plaintext", "no MySQL greeting");
        assert!(
            !judged.text().contains('\x1b'),
            "a terminal would obey: {:?}",
            judged.text()
        );
    });
}

#[test]
fn a_port_that_closes_or_is_closed_or_has_no_name() {
    let server = Crooked::start(drop);
    judge(&settings(server.port)).fails("greeting", "closed");
    let two = Settings {
        addresses: vec![([127, 0, 0, 1], 1).into(), ([127, 0, 0, 2], 1).into()],
        ..settings(1)
    };
    let unknown = Settings::new("nowhere.invalid:4001".parse().unwrap());
    for (settings, words) in [
        (settings(1), "refused"),
        (two, "refused"),
        (unknown, "can't be resolved"),
    ] {
        let judged = judge(&settings);
        judged.fails("addresses", words).skips("greeting", "no ");
        let counts = judged.0.counts;
        assert_eq!((counts.fail, counts.warn, counts.pass), (1, 0, 0));
    }
}

#[test]
fn a_port_that_says_nothing_is_left_after_a_while() {
    let server = Crooked::saying("");
    judge(&settings(server.port)).fails("greeting", "nothing came in time");
}

#[test]
fn clear_text_answers_are_judged_one_by_one() {
    let mut bad = OK.to_vec();
    bad[0] = 0xfe;
    let cases = [
        (frame(2, OK), FindingVerdict::Fail, FindingVerdict::Skip),
        (frame(2, &bad), FindingVerdict::Fail, FindingVerdict::Skip),
        (
            error(2, 1045, "Access denied"),
            FindingVerdict::Fail,
            FindingVerdict::Skip,
        ),
        (
            error(2, 1105, "no"),
            FindingVerdict::Pass,
            FindingVerdict::Warn,
        ),
        (
            error(2, 1105, "TLS is needed"),
            FindingVerdict::Pass,
            FindingVerdict::Pass,
        ),
        (
            error(2, 1129, "too many errors"),
            FindingVerdict::Skip,
            FindingVerdict::Skip,
        ),
        (Vec::new(), FindingVerdict::Pass, FindingVerdict::Warn),
        (
            b"HTTP/1.1 400\r\n\r\n".to_vec(),
            FindingVerdict::Fail,
            FindingVerdict::Skip,
        ),
    ];
    each(cases, |(answer, verdict, text)| {
        let server = Crooked::start(move |mut stream| {
            let _ = stream.write_all(&greeting("8.0.36", true));
            if packet(&mut stream).is_ok_and(|first| !has_tls_bit(&first)) {
                let _ = stream.write_all(&answer);
            }
        });
        judge(&settings(server.port))
            .is("plaintext", verdict, "")
            .is("plaintext-text", text, "");
    });
}

#[test]
fn no_answer_to_clear_text_is_a_warning() {
    let server = Crooked::saying(greeting("8.0.36", true));
    judge(&settings(server.port))
        .warns("plaintext", "no answer")
        .warns("old-tls", "no answer")
        .fails("tls13", "in time");
}

#[test]
fn a_login_that_only_claims_tls_and_a_command_behind_the_request() {
    let server = Crooked::start(|mut stream| {
        let _ = stream.write_all(&greeting("8.0.36", true));
        let Ok(first) = packet(&mut stream) else {
            return;
        };
        // The fault: any following packet is taken for a login, with or without TLS.
        let taken = if first.len() == 32 {
            packet(&mut stream).is_ok_and(|p| p.len() > 4)
        } else {
            true
        };
        if taken {
            let _ = stream.write_all(&frame(2, OK));
        }
    });
    judge(&settings(server.port))
        .fails("tls-bit", "OK packet")
        .fails("injection", "OK packet");
}

#[test]
fn clear_text_between_greeting_and_tls() {
    let pki = Pki::new();
    let tls = Arc::new(ordinary(&pki.good()));
    let server = Crooked::start(move |mut stream| {
        let _ = stream.write_all(&greeting("8.0.36", true));
        let _ = packet(&mut stream);
        let _ = stream.write_all(&frame(2, OK));
        let _ = shake(stream, tls.clone());
    });
    judge(&trusting(server.port, &pki.ca()))
        .fails("quiet", "07 00 00 02")
        .fails("tls13", "");
}

#[test]
fn one_version_alone_and_the_greeting_of_an_old_server() {
    let pki = Pki::new();
    let resolver = Arc::new(Always(certified(&pki.good())));
    let old = Crooked::with_tls(Arc::new(config(
        resolver.clone(),
        &[&rustls::version::TLS12],
    )));
    let judged = judge(&trusting(old.port, &pki.ca()));
    judged.fails("tls13", "alert 70");
    judged.passes_except(&["tls13", "quiet", "resumption", "early-data"]);
    let new = Crooked::with_tls(Arc::new(config(resolver, &[&rustls::version::TLS13])));
    let judged = judge(&trusting(new.port, &pki.ca()));
    judged.fails("tls12", "alert 70");
    judged.passes_except(&["tls12"]);
    for (version, words) in [
        ("5.7.20", "older than 5.7.28"),
        ("5.6.40-log", "older"),
        ("unknown", "no version number"),
    ] {
        let server = Crooked::saying(greeting(version, false));
        judge(&settings(server.port)).warns("version", words);
    }
}

#[test]
fn hellos_of_ssl_that_are_answered() {
    let cases = [
        (
            b"\x16\x03\x00",
            ssl3_server_hello(),
            "SSL 3 with RSA_WITH_3DES",
        ),
        (
            b"\x80\x22\x01",
            b"\x80\x0b\x04\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00".to_vec(),
            "a hello of SSL 2",
        ),
    ];
    each(cases, |(hello, answer, words)| {
        let server = Crooked::start(move |mut stream| {
            let _ = stream.write_all(&greeting("8.0.36", true));
            let _ = packet(&mut stream);
            let mut first = [0; 3];
            if stream.read_exact(&mut first).is_ok() && first == *hello {
                let _ = stream.write_all(&answer);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        judge(&settings(server.port))
            .fails("ssl", words)
            .passes(&["old-tls", "weak-suites"]);
    });
}

fn ssl3_server_hello() -> Vec<u8> {
    let mut message = vec![2, 0, 0, 38, 3, 0];
    message.extend([7; 32]);
    message.extend([0, 0, 0x0a, 0]);
    [&[22, 3, 0, 0, 42], message.as_slice()].concat()
}

#[test]
fn a_server_that_reads_once_and_thinks_it_has_all() {
    let pki = Pki::new();
    let tls = Arc::new(ordinary(&pki.good()));
    let server = Crooked::start(move |mut stream| {
        let _ = stream.write_all(&greeting("8.0.36", true));
        let mut all = [0; 36];
        match stream.read(&mut all) {
            Ok(36) => drop(shake(stream, tls.clone())),
            _ => drop(stream.write_all(&error(2, 3159, "insecure transport"))),
        }
    });
    judge(&trusting(server.port, &pki.ca()))
        .fails("split-hello", "")
        .passes(&["tls13", "tls12"]);
}

#[test]
fn alpn_early_data_tickets_and_client_certificates() {
    let pki = Pki::new();
    let good = pki.good();
    let mut web = ordinary(&good);
    web.alpn_protocols = vec![b"http/1.1".to_vec()];
    let server = Crooked::with_tls(Arc::new(web));
    judge(&trusting(server.port, &pki.ca())).fails("alpn", "http/1.1");

    let mut own = ordinary(&good);
    own.alpn_protocols = vec![b"mysql".to_vec()];
    let server = Crooked::with_tls(Arc::new(own));
    judge(&trusting(server.port, &pki.ca())).is("alpn", FindingVerdict::Pass, "alert 120");

    let mut early = ordinary(&good);
    early.max_early_data_size = 16_384;
    let server = Crooked::with_tls(Arc::new(early));
    judge(&trusting(server.port, &pki.ca())).fails("early-data", "16384");

    let served = pki.good();
    let server = Crooked::with_each_tls(move || Arc::new(ordinary(&served)));
    let judged = judge(&trusting(server.port, &pki.ca()));
    judged.warns("resumption", "full handshake");
    judged.passes_except(&["resumption"]);

    let mut without = ordinary(&good);
    without.send_tls13_tickets = 0;
    let server = Crooked::with_tls(Arc::new(without));
    judge(&trusting(server.port, &pki.ca())).is("resumption", FindingVerdict::Pass, "no tickets");
}

#[test]
fn a_server_that_requires_a_client_certificate() {
    let pki = Pki::new();
    let roots = tidegate_check::Roots::read(&pki.ca()).unwrap().store;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(Always(certified(&pki.good()))));
    let server = Crooked::with_tls(Arc::new(tls));
    judge(&trusting(server.port, &pki.ca()))
        .fails("client-certificate", "CertificateRequest")
        .fails("tls12", "");
}
