//! Packets of the login phase: capabilities, authentication methods, the switch between them, and
//! the salt.

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
use tidegate_e2e::wire::{self, NATIVE, Refused, Response, native_scramble};
use tidegate_e2e::{Cluster, Server, tls};

/// Server of all tests in this file; each test has its own cluster.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn secured(cluster: &Cluster) -> Probe {
    Probe::secured(cluster.addr(), tls::verified(&cluster.ca, tls::BOTH))
}

#[test]
fn case_26_capabilities_that_change_after_the_ssl_request() {
    let cluster = SERVER.create("caps");
    let mut probe = Probe::connect(cluster.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .unwrap();
    // More capabilities than in the plaintext packet, and no TLS bit: neither has an effect.
    let capabilities = (wire::ORDINARY | wire::DEPRECATE_EOF) & !wire::SSL;
    let verdict = probe.login(
        &Response {
            capabilities,
            ..Response::new(&cluster.user)
        },
        &cluster.password,
    );
    match verdict {
        Verdict::In => {
            probe.command(b"\x0e");
            assert_eq!(probe.expect()[0], 0x00, "the session works");
        }
        Verdict::Refused(refused) => assert_eq!(refused.code, 1043, "{refused:?}"),
        Verdict::Closed => panic!("closed without an error"),
    }
}

#[test]
fn case_27_a_client_without_plugin_auth_logs_in() {
    let cluster = SERVER.create("old");
    let mut probe = secured(&cluster);
    let auth = native_scramble(&cluster.password, &probe.greeting.salt);
    let response = Response {
        plugin: None,
        auth,
        ..Response::new(&cluster.user)
    };
    assert_eq!(probe.login(&response, &cluster.password), Verdict::In);
}

#[test]
fn case_28_empty_data_under_caching_sha2_is_followed_by_a_switch() {
    let cluster = SERVER.create("empty");
    Session::open(&cluster).run("CREATE USER empty@'%' IDENTIFIED BY ''");
    for auth in [vec![], vec![0]] {
        let mut probe = secured(&cluster);
        let response = Response {
            auth: auth.clone(),
            ..Response::new(&cluster.login("empty"))
        };
        assert_eq!(probe.login(&response, ""), Verdict::In, "{auth:?}");
        let mut probe = secured(&cluster);
        let response = Response {
            auth,
            ..Response::new(&cluster.user)
        };
        assert_eq!(probe.login(&response, "").refused().code, 1045);
    }
    // A library of MySQL 9 answers a greeting with another plugin so, although it has a password.
    let mut probe = secured(&cluster);
    let response = Response {
        auth: vec![],
        ..Response::new(&cluster.user)
    };
    assert_eq!(probe.login(&response, &cluster.password), Verdict::In);
}

#[test]
fn case_29_the_empty_password_after_a_switch_is_an_empty_packet() {
    let cluster = SERVER.create("emptyswitch");
    Session::open(&cluster).run("CREATE USER empty@'%' IDENTIFIED BY ''");
    let mut probe = secured(&cluster);
    let response = Response {
        plugin: Some("dummy_fallback_auth".into()),
        auth: vec![],
        ..Response::new(&cluster.login("empty"))
    };
    assert_eq!(probe.login(&response, ""), Verdict::In);
}

#[test]
fn case_30_full_authentication_never_a_fast_hit() {
    let cluster = SERVER.create("full");
    let mut probe = secured(&cluster);
    probe.write(2, &Response::new(&cluster.user).bytes());
    assert_eq!(
        probe.expect(),
        [0x01, 0x04],
        "the clear password is asked for"
    );
    probe.answer(format!("{}\0", cluster.password).as_bytes());
    assert_eq!(probe.expect()[0], 0x00);
}

#[test]
fn case_30_the_request_for_an_rsa_key_is_refused_in_order() {
    let cluster = SERVER.create("rsa");
    let mut probe = secured(&cluster);
    probe.write(2, &Response::new(&cluster.user).bytes());
    assert_eq!(probe.expect(), [0x01, 0x04]);
    probe.answer(&[0x02]);
    let refused = Refused::parse(&probe.expect()).expect("an error packet");
    assert!([1045, 1251, 1043].contains(&refused.code), "{refused:?}");
}

#[test]
fn case_33_at_most_one_switch_and_it_carries_the_salt_of_the_greeting() {
    let cluster = SERVER.create("switch");
    let mut probe = secured(&cluster);
    let salt = probe.greeting.salt.clone();
    let response = Response {
        plugin: Some("dummy_fallback_auth".into()),
        ..Response::new(&cluster.user)
    };
    probe.write(2, &response.bytes());
    let switch = probe.expect();
    let mut parts = switch[1..].splitn(2, |b| *b == 0);
    assert_eq!(switch[0], 0xfe);
    assert_eq!(parts.next().unwrap(), NATIVE.as_bytes());
    let sent = parts.next().unwrap();
    assert_eq!(
        sent.len(),
        21,
        "20 bytes and the NUL that old clients count on"
    );
    assert_eq!(&sent[..20], salt, "the salt of the greeting");
    probe.answer(&native_scramble(&cluster.password, &salt));
    assert_eq!(probe.expect()[0], 0x00);
}

#[test]
fn case_34_native_and_sha2_clients_log_in_to_the_same_account() {
    let cluster = SERVER.create("both");
    let mut probe = secured(&cluster);
    let auth = native_scramble(&cluster.password, &probe.greeting.salt);
    let response = Response {
        plugin: Some(NATIVE.into()),
        auth,
        ..Response::new(&cluster.user)
    };
    assert_eq!(probe.login(&response, "never sent"), Verdict::In);
    assert_eq!(
        secured(&cluster).login(&Response::new(&cluster.user), &cluster.password),
        Verdict::In
    );
}

#[test]
fn case_35_a_single_byte_switch_is_never_sent_and_old_passwords_are_refused() {
    let cluster = SERVER.create("oldauth");
    let mut probe = secured(&cluster);
    let response = Response {
        plugin: None,
        auth: vec![1; 8],
        capabilities: wire::ORDINARY & !wire::PLUGIN_AUTH,
        ..Response::new(&cluster.user)
    };
    probe.write(2, &response.bytes());
    let answer = probe.expect();
    assert!(
        answer.len() > 1,
        "the pre-4.1 switch is one byte: {answer:?}"
    );
}

#[test]
fn case_36_the_salt_is_printable_and_the_greeting_well_formed() {
    let server = &*SERVER;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let greeting = Probe::connect(server.addr()).greeting;
        assert_eq!(greeting.salt.len(), 20);
        assert!(
            greeting
                .salt
                .iter()
                .all(|b| *b != 0 && *b != b'$' && *b < 128),
            "{:?}",
            greeting.salt
        );
        assert_eq!(greeting.auth_length, 21);
        assert_eq!(greeting.plugin, wire::NATIVE);
        assert_eq!(
            greeting.raw.last(),
            Some(&0),
            "the plugin's name ends in NUL"
        );
        assert_eq!(
            greeting.id & (0b11 << 30 | 0xff << 22 | 1),
            1 << 30 | 1,
            "the fixed bits of the gateway's ids"
        );
        assert!(
            greeting.version.starts_with("5.5.5-10.11."),
            "{}",
            greeting.version
        );
        assert_eq!(
            greeting.capabilities & wire::LONG_PASSWORD,
            0,
            "CLIENT_MYSQL"
        );
        assert!(seen.insert(greeting.salt), "a salt twice");
    }
}
