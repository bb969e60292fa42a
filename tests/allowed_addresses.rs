//! List of the addresses that logins to a cluster may come from.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::balancer::dial_from;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Options, Server, tls};

/// Server whose clusters sleep only on command.
static CALM: LazyLock<Server> = LazyLock::new(Server::start);

/// Logs in from this loopback address. Returns the refusal, if it is refused.
fn refusal_from(source: &str, cluster: &Cluster, user: &str, password: &str) -> Option<Refused> {
    let mut probe = Probe::over(dial_from(source, cluster.addr()));
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    match probe.login(&Response::new(user), password) {
        Verdict::In => None,
        other => Some(other.refused()),
    }
}

fn code_from(source: &str, cluster: &Cluster, user: &str, password: &str) -> u16 {
    refusal_from(source, cluster, user, password).map_or(0, |refused| refused.code)
}

#[test]
fn logins_from_other_addresses_are_refused_whatever_their_password() {
    let cluster = CALM.create("fenced");
    let set = ["cluster", "set", "fenced", "--ip-allow"];
    CALM.succeed(&[&set[..], &["127.0.0.9", "2001:db8::/32,127.0.9.0/24"]].concat());
    for password in [cluster.password.as_str(), "wrong", ""] {
        let refused = refusal_from("127.0.0.1", &cluster, &cluster.user, password).unwrap();
        assert_eq!((refused.code, refused.state.as_str()), (1130, "HY000"));
        assert!(
            refused.message.contains("address-not-allowed"),
            "{refused:?}"
        );
    }
    let out = mariadb(&cluster, "SELECT 1");
    assert!(out.err.contains("1130"), "{out:?}");
    assert_eq!(CALM.state("fenced"), "asleep", "nothing was woken");
    for source in ["127.0.0.9", "127.0.9.7"] {
        assert_eq!(
            code_from(source, &cluster, &cluster.user, &cluster.password),
            0
        );
        assert_eq!(code_from(source, &cluster, &cluster.user, "wrong"), 1045);
    }
    // Open sessions stay, and a restart keeps the list.
    CALM.succeed(&[&set[..], &["any"]].concat());
    let mut session = Session::open(&cluster);
    CALM.succeed(&[&set[..], &["::ffff:127.0.0.9"]].concat());
    assert_eq!(session.value("SELECT 1"), "1");
    let shown = CALM.json(&["cluster", "show", "fenced"]);
    assert_eq!(shown["ip_allow"], serde_json::json!(["127.0.0.9"]));
    for (wrong, text) in [
        ("10.0.0.1/8", "give 10.0.0.0/8"),
        ("localhost", "is not an address or a network"),
        ("any,10.0.0.0/8", "is not an address or a network"),
    ] {
        let out = CALM.fail(&[&set[..], &[wrong]].concat());
        assert!(out.contains(text), "{wrong}: {out}");
    }
    let many: Vec<_> = (0..201).map(|n| format!("10.0.{n}.0/24")).collect();
    let out = CALM.fail(&[&set[..], &[many.join(",").as_str()]].concat());
    assert!(out.contains("more than 200"), "{out}");
    CALM.succeed(&[&set[..], &[many[..200].join(",").as_str()]].concat());
}

/// Prefixes that no cluster has.
fn unknown_users() -> Vec<String> {
    let letters = "abcdefghjkmnpqrs".chars();
    letters
        .map(|c| format!("{}.root", c.to_string().repeat(12)))
        .collect()
}

/// Answers to unknown prefixes from this address.
fn answers(source: &str, cluster: &Cluster) -> Vec<u16> {
    let users = unknown_users();
    let codes = users
        .iter()
        .map(|user| code_from(source, cluster, user, "x"));
    codes.collect()
}

#[test]
fn an_unknown_prefix_is_refused_as_the_cluster_that_it_imitates() {
    let mut server = Server::start();
    let fenced = server.create("fenced");
    server.succeed(&["cluster", "set", "fenced", "--ip-allow", "127.0.0.9"]);
    assert!(
        answers("127.0.0.1", &fenced)
            .iter()
            .all(|code| *code == 1130)
    );
    assert!(
        answers("127.0.0.9", &fenced)
            .iter()
            .all(|code| *code == 1045)
    );
    server.create("open");
    let mixed = answers("127.0.0.1", &fenced);
    assert!(mixed.contains(&1130) && mixed.contains(&1045), "{mixed:?}");
    server.restart();
    assert_eq!(
        answers("127.0.0.1", &fenced),
        mixed,
        "each prefix keeps its answer"
    );
    server.succeed(&["cluster", "set", "fenced", "--ip-allow", "any"]);
    assert!(
        answers("127.0.0.1", &fenced)
            .iter()
            .all(|code| *code == 1045)
    );
}

/// Logs in as a balancer does that sends this header. Returns the code of the refusal, or 0.
fn code_behind(cluster: &Cluster, header: &str) -> u16 {
    let mut tcp = dial_from("127.0.8.1", cluster.addr());
    std::io::Write::write_all(&mut tcp, header.as_bytes()).expect("written");
    let mut probe = Probe::over(tcp);
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    match probe.login(&Response::new(&cluster.user), &cluster.password) {
        Verdict::In => 0,
        other => other.refused().code,
    }
}

#[test]
fn behind_a_balancer_the_address_of_the_header_decides() {
    let server = Server::with(Options {
        config: "[gateway]\nproxy_networks = [\"127.0.8.0/24\"]\n".into(),
        ..Options::default()
    });
    let cluster = server.create("balanced");
    server.succeed(&["cluster", "set", "balanced", "--ip-allow", "203.0.113.0/24"]);
    assert_eq!(
        code_behind(&cluster, "PROXY TCP4 203.0.113.9 127.0.0.1 4711 4000\r\n"),
        0
    );
    assert_eq!(
        code_behind(&cluster, "PROXY TCP6 ::ffff:203.0.113.9 ::1 4711 4000\r\n"),
        0
    );
    assert_eq!(
        code_behind(&cluster, "PROXY TCP4 203.0.114.9 127.0.0.1 4711 4000\r\n"),
        1130
    );
    assert_eq!(
        code_behind(&cluster, "PROXY UNKNOWN\r\n"),
        1130,
        "the balancer's own address"
    );
}
