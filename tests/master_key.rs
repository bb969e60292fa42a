//! Rotation of the master key: what it must not interrupt, and what a crash must not lose.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustls::version::TLS12;
use rustls::{ClientConfig, HandshakeKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_e2e::balancer::dial_from;
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Response};
use tidegate_e2e::{Cluster, Options, Server, tls};

const ROTATE: [&str; 2] = ["key", "rotate-master"];

/// Client of the ticket keys: TLS 1.2, whose tickets arrive in the handshake.
struct Resumer {
    config: Arc<ClientConfig>,
    server: std::net::SocketAddr,
}

impl Resumer {
    fn new(server: &Server) -> Self {
        let this = Self {
            config: tls::verified(&server.data().join("ca.pem"), &[&TLS12]),
            server: server.addr(),
        };
        assert_eq!(this.handshake(), HandshakeKind::Full);
        this
    }

    fn handshake(&self) -> HandshakeKind {
        let config = Arc::clone(&self.config);
        let probe = Probe::secured_for(self.server, config, "127.0.0.1").unwrap();
        probe.tls().handshake_kind().expect("it has ended")
    }

    fn check(&self, when: &str) {
        assert_eq!(self.handshake(), HandshakeKind::Resumed, "{when}");
    }
}

/// Returns the code of the refusal of a login.
fn code_of(cluster: &Cluster, user: &str) -> u16 {
    let mut probe = Probe::over(dial_from("127.0.0.1", cluster.addr()));
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    match probe.login(&Response::new(user), "x") {
        Verdict::In => 0,
        other => other.refused().code,
    }
}

/// Returns the codes of the refusals of prefixes that no cluster has.
fn faces(cluster: &Cluster) -> Vec<u16> {
    let letters = "abcdefghjkmnpqrs".chars();
    letters
        .map(|c| code_of(cluster, &format!("{}.root", c.to_string().repeat(12))))
        .collect()
}

fn key_of(server: &Server) -> Vec<u8> {
    std::fs::read(server.data().join("master.key")).expect("the master key")
}

#[test]
fn a_rotation_interrupts_nothing_and_everything_opens_after_a_restart() {
    let mut server = Server::start();
    let open = server.create("open");
    server.create("fenced");
    server.succeed(&["cluster", "set", "fenced", "--ip-allow", "127.0.0.9"]);
    let resumer = Resumer::new(&server);
    let mut session = Session::open(&open);
    let former = key_of(&server);
    let before = faces(&open);
    assert!(
        before.contains(&1130) && before.contains(&1045),
        "{before:?}"
    );

    let rotated = server.json(&ROTATE);
    assert!(rotated["files"].as_u64().unwrap() >= 1, "{rotated}");
    assert_eq!(rotated["unreadable"], serde_json::json!([]));
    assert_ne!(key_of(&server), former);
    assert_eq!(key_of(&server).len(), 32);
    let file = std::fs::metadata(server.data().join("master.key")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let log = server.log();
    assert!(
        log.contains(rotated["key"].as_str().unwrap()),
        "the id is in the log"
    );

    assert_eq!(session.value("SELECT 1"), "1");
    resumer.check("after the rotation");
    // Who has the former key could compute which prefixes are unknown.
    let after = soon("other faces of unknown prefixes", || {
        let now = faces(&open);
        (now != before).then_some(now)
    });
    server.restart();
    resumer.check("after the rotation and a restart");
    assert_eq!(faces(&open), after, "an unknown prefix keeps its face");

    assert_eq!(server.stop(), 0);
    server.succeed(&ROTATE);
    server.run();
    resumer.check("after a rotation without a server");
    assert!(!server.log().contains("was encrypted with master key"));
}

#[test]
fn a_kill_9_of_the_server_during_a_rotation_loses_nothing() {
    let mut server = Server::start();
    let resumer = Resumer::new(&server);
    for round in 0..5_u32 {
        let mut command = server.command(&ROTATE);
        let mut rotating = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A different moment in each round: before, in or after the rotation.
        let until = Instant::now() + Duration::from_millis(8) * round;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        server.kill9();
        rotating.wait().unwrap();
        server.run();
        resumer.check(&format!("after kill -9 in round {round}"));
        assert_eq!(key_of(&server).len(), 32, "the start completed it");
    }
}

/// Options of a server to which a service manager passes the master key.
fn passed(credentials: &Path) -> Options {
    let folder = credentials.to_str().unwrap().to_owned();
    Options {
        env: vec![("CREDENTIALS_DIRECTORY".to_owned(), folder)],
        ..Options::default()
    }
}

#[test]
fn a_passed_key_is_rotated_in_two_restarts_and_a_wrong_one_is_named() {
    let credentials = tempfile::tempdir().unwrap();
    let file = credentials.path().join("master.key");
    let first = [1; 32];
    let second = [2; 32];
    std::fs::write(&file, first).unwrap();
    let mut server = Server::with(passed(credentials.path()));
    let resumer = Resumer::new(&server);
    let error = server.fail(&ROTATE);
    assert!(error.contains("hint: put a new key in front"), "{error}");
    assert!(!server.data().join("master.key").exists());

    std::fs::write(&file, [second, first].concat()).unwrap();
    server.restart();
    server.wait_log("remove the second one from it");
    resumer.check("with both keys");
    std::fs::write(&file, second).unwrap();
    server.restart();
    resumer.check("with the new key alone");

    assert_eq!(server.stop(), 0);
    let error = server.fail(&ROTATE);
    assert!(error.contains("there is no"), "{error}");
    assert!(!server.data().join("master.key").exists(), "none was made");
    std::fs::write(&file, first).unwrap();
    server.run();
    server.wait_log("tickets.sealed was encrypted with master key");
    assert_eq!(resumer.handshake(), HandshakeKind::Full);
    std::fs::write(&file, b"short").unwrap();
    assert_eq!(server.stop(), 0);
    let error = server.refused();
    assert!(error.contains("the master key can't be used"), "{error}");
}
