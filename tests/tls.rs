//! TLS of the database's port: accepted versions and ciphers, client certificates, and clients that
//! verify. What comes before TLS is in `first_packets.rs`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::process::Command;
use std::sync::LazyLock;
use tidegate_e2e::acme::verified_leaf;
use tidegate_e2e::clients::{mariadb_command, mysql9_command, mysql9_program, s_client};
use tidegate_e2e::not_run;
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::wire::{self, Response};
use tidegate_e2e::{Cluster, Server, tls};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = SERVER.create("tls");
    SERVER.sleep("tls");
    cluster
});

#[test]
fn case_14_tls_12_and_13_pass_each_alone() {
    for (version, want) in [
        (&rustls::version::TLS12, rustls::ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, rustls::ProtocolVersion::TLSv1_3),
    ] {
        let mut probe = Probe::secured(CLUSTER.addr(), tls::verified(&CLUSTER.ca, &[version]));
        assert_eq!(probe.tls().protocol_version(), Some(want));
        assert_eq!(
            probe.login(&Response::new(&CLUSTER.user), &CLUSTER.password),
            Verdict::In
        );
    }
}

#[test]
fn case_14_older_versions_and_weak_ciphers_are_refused_in_the_handshake() {
    for version in ["-tls1", "-tls1_1"] {
        let said = s_client(&CLUSTER, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
        // The alert depends on what else the old ClientHello lacks (signature algorithms, say).
        assert!(
            said.contains("alert protocol version") || said.contains("alert handshake failure"),
            "{version}: {said}"
        );
        assert!(!said.contains("BEGIN CERTIFICATE"), "{version}: {said}");
    }
    for cipher in [
        "AES128-SHA",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES256-SHA384",
        "AES256-GCM-SHA384",
    ] {
        let said = s_client(
            &CLUSTER,
            &["-tls1_2", "-cipher", &format!("{cipher}:@SECLEVEL=0")],
        );
        assert!(said.contains("handshake failure"), "{cipher}: {said}");
    }
    for (version, cipher) in [
        ("-tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("-tls1_2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ] {
        let said = s_client(&CLUSTER, &[version, "-cipher", cipher]);
        assert!(said.contains("BEGIN CERTIFICATE"), "{cipher}: {said}");
    }
}

#[test]
fn case_14_ssl_3_is_refused_in_the_handshake() {
    let mut probe = Probe::connect(CLUSTER.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    // A complete SSL 3.0 ClientHello: version, random, no session, two old cipher suites, no
    // compression.
    let mut body = vec![3, 0];
    body.extend_from_slice(&[0x5a; 32]);
    body.extend_from_slice(&[0, 0, 4, 0x00, 0x35, 0x00, 0x0a, 1, 0]);
    let mut hello = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
    hello.extend_from_slice(&body);
    let mut record = vec![22, 3, 0, 0, u8::try_from(hello.len()).unwrap()];
    record.extend_from_slice(&hello);
    probe.raw(&record).unwrap();
    let answer = probe.until_closed();
    assert_eq!(
        answer.first(),
        Some(&21),
        "an alert, never a ServerHello: {answer:?}"
    );
}

#[test]
fn no_client_certificate_is_asked_for() {
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(&CLUSTER, &[version]);
        assert!(
            said.contains("No client certificate CA names sent"),
            "{version}: {said}"
        );
        assert!(
            !said.contains("Requested Signature Algorithms"),
            "{version}: {said}"
        );
    }
}

#[test]
fn a_client_that_would_send_a_certificate_connects_too() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("k.pem");
    let cert = folder.path().join("c.pem");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=me",
        ])
        .args(["-days", "2", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let flags = [
        format!("--ssl-cert={}", cert.display()),
        format!("--ssl-key={}", key.display()),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut commands = vec![mariadb_command(&CLUSTER, &flags)];
    commands.extend(mysql9_command(&CLUSTER, &flags));
    for mut command in commands {
        let out = command.args(["-e", "SELECT 5"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "5", "{out:?}");
    }
}

#[test]
fn a_wrong_ca_or_a_wrong_name_is_refused_by_the_client() {
    let other = Server::start();
    let other = other.create("other");
    verified_leaf(CLUSTER.addr(), &CLUSTER.ca, "localhost").expect("the right ones");
    for (ca, name) in [
        (&other.ca, "localhost"),
        (&CLUSTER.ca, "127.0.0.2"),
        (&CLUSTER.ca, "wrong.test"),
        (&CLUSTER.ca, "local.host"),
    ] {
        let error = verified_leaf(CLUSTER.addr(), ca, name).unwrap_err();
        assert!(error.contains("certificate"), "{name}: {error}");
    }
}

/// Runs a query with Oracle's client. Returns whether it succeeded, and its errors.
fn run_mysql9(cluster: &Cluster, flags: &[&str]) -> (bool, String) {
    let out = mysql9_command(cluster, flags)
        .unwrap()
        .args(["-e", "SELECT 3"])
        .output()
        .unwrap();
    (
        out.status.success(),
        String::from_utf8_lossy(&out.stderr).into_owned(),
    )
}

#[test]
fn the_mysql_client_verifies_and_refuses_what_is_wrong() {
    let Some(_) = mysql9_program() else {
        not_run("Oracle's mysql client is not installed");
        return;
    };
    assert!(
        run_mysql9(&CLUSTER, &[]).0,
        "{:?}",
        run_mysql9(&CLUSTER, &[])
    );
    assert!(run_mysql9(&CLUSTER, &["--tls-version=TLSv1.2"]).0);
    assert!(run_mysql9(&CLUSTER, &["--tls-version=TLSv1.3"]).0);
    let wrong_host = Cluster {
        host: "127.0.0.2".into(),
        ..CLUSTER.clone()
    };
    assert!(
        !run_mysql9(&wrong_host, &[]).0,
        "127.0.0.2 is not in the certificate"
    );
    let plain = Command::new(mysql9_program().unwrap())
        .args([
            "--ssl-mode=DISABLED",
            "-h127.0.0.1",
            "-P",
            &CLUSTER.port.to_string(),
            "-u",
            &CLUSTER.user,
            "-e",
            "SELECT 1",
        ])
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&plain.stderr).contains("ERROR 3159"),
        "{plain:?}"
    );
}
