//! Names of users as the engine takes them, and accounts that the engine itself refuses.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Response};
use tidegate_e2e::{Cluster, Server, tls};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Logs in with the bytes of a name behind the prefix, in a character set.
fn log_in(cluster: &Cluster, user: &[u8], collation: u8, password: &str) -> Verdict {
    let mut probe = Probe::connect(cluster.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    let response = Response {
        user: [cluster.prefix.as_bytes(), b".", user].concat(),
        ..Response::new("")
    };
    let mut bytes = response.bytes();
    // Behind the capabilities and the size of a packet.
    bytes[8] = collation;
    probe.write(2, &bytes);
    probe.finish_login(password)
}

const UTF8MB4: u8 = 45;
const LATIN1: u8 = 8;

#[test]
fn a_name_is_read_in_the_character_set_of_its_login() {
    let cluster = SERVER.create("charsets");
    let mut root = Session::open(&cluster);
    root.run("CREATE USER 'josé'@'%' IDENTIFIED BY 'pw'");
    root.run("CREATE USER 'josÃ©'@'%' IDENTIFIED BY 'other'");
    for (bytes, collation, password) in [
        (&b"jos\xe9"[..], LATIN1, "pw"),
        ("josé".as_bytes(), UTF8MB4, "pw"),
        // UTF-8 read as latin1 is another name.
        ("josé".as_bytes(), LATIN1, "other"),
    ] {
        let verdict = log_in(&cluster, bytes, collation, password);
        assert_eq!(verdict, Verdict::In, "{bytes:?} {collation}");
        assert_eq!(log_in(&cluster, bytes, collation, "x").refused().code, 1045);
    }
    assert_eq!(
        log_in(&cluster, b"jos\xe9", UTF8MB4, "pw").refused().code,
        1045
    );
    SERVER.sleep("charsets");
    assert_eq!(log_in(&cluster, b"jos\xe9", LATIN1, "pw"), Verdict::In);
}

#[test]
fn names_of_up_to_128_characters_log_in() {
    let cluster = SERVER.create("long");
    let mut root = Session::open(&cluster);
    for len in [80, 100, 115, 116, 127, 128] {
        for name in ["x".repeat(len), "é".repeat(len)] {
            root.run(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'pw'"));
            let verdict = log_in(&cluster, name.as_bytes(), UTF8MB4, "pw");
            assert_eq!(verdict, Verdict::In, "{len}");
        }
    }
    let name = "x".repeat(129);
    assert_eq!(
        log_in(&cluster, name.as_bytes(), UTF8MB4, "pw")
            .refused()
            .code,
        1045
    );
}

#[test]
fn a_locked_or_expired_account_gets_the_engines_answer_once_its_password_is_proved() {
    let cluster = SERVER.create("locked");
    let mut root = Session::open(&cluster);
    root.run("CREATE USER closed@'%' IDENTIFIED BY 'pw' ACCOUNT LOCK");
    root.run("CREATE USER old@'%' IDENTIFIED BY 'pw' PASSWORD EXPIRE");
    root.run("GRANT SELECT ON test.* TO old@'%'");
    root.quit();
    for asleep in [false, true] {
        if asleep {
            SERVER.sleep("locked");
        }
        let wrong = log_in(&cluster, b"closed", UTF8MB4, "x").refused();
        assert_eq!(wrong.code, 1045, "{wrong:?}");
        let right = log_in(&cluster, b"closed", UTF8MB4, "pw").refused();
        assert_eq!(right.code, 4151, "{right:?}");
        let mut old = Session::login(&cluster, &cluster.login("old"), "pw", wire::ORDINARY);
        let expired = old.as_mut().unwrap().query("SELECT 1").refused();
        assert_eq!(expired.code, 1820, "{expired:?}");
    }
}

#[test]
fn cluster_password_lets_root_in_past_an_account_without_a_name() {
    let cluster = SERVER.create("nameless");
    let mut root = Session::open(&cluster);
    root.run("CREATE USER ''@localhost IDENTIFIED BY 'x'");
    root.run("CREATE USER app@'%' IDENTIFIED BY 'pw'");
    root.quit();
    let refused = log_in(&cluster, b"root", UTF8MB4, &cluster.password).refused();
    assert_eq!(refused.code, 1045, "{refused:?}");
    let made = SERVER.json(&["cluster", "password", "nameless"]);
    let password = made["password"].as_str().unwrap();
    assert_eq!(log_in(&cluster, b"root", UTF8MB4, password), Verdict::In);
    assert_eq!(log_in(&cluster, b"app", UTF8MB4, "pw"), Verdict::In);
}

#[test]
fn an_account_without_a_name_takes_any_user() {
    let cluster = SERVER.create("anyone");
    let mut root = Session::open(&cluster);
    root.run("CREATE USER ''@'%' IDENTIFIED BY 'x'");
    root.run("CREATE USER named@'%' IDENTIFIED BY 'pw'");
    root.run("GRANT SELECT ON test.* TO ''@'%'");
    root.quit();
    for asleep in [false, true] {
        if asleep {
            SERVER.sleep("anyone");
        }
        let login = cluster.login("somebody");
        let mut somebody = Session::login(&cluster, &login, "x", wire::ORDINARY).unwrap();
        assert_eq!(somebody.value("SELECT CURRENT_USER()"), "@%");
        assert_eq!(
            log_in(&cluster, b"somebody", UTF8MB4, "pw").refused().code,
            1045
        );
        // At the same host, an account with the name comes first.
        assert_eq!(log_in(&cluster, b"named", UTF8MB4, "pw"), Verdict::In);
        assert_eq!(
            log_in(&cluster, b"named", UTF8MB4, "x").refused().code,
            1045
        );
        somebody.quit();
    }
}
