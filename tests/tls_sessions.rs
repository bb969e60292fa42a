//! TLS sessions: tickets of other names, records of every size, and keys that change.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, NamedGroup, SupportedProtocolVersion};
use std::sync::{Arc, LazyLock};
use tidegate_e2e::clients::{has_verified, s_client};
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::Response;
use tidegate_e2e::{Cluster, Options, Server, tls};

/// Server of the tests that need no options.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Store that mixes the tickets of all names, like that of a client with a bug.
#[derive(Debug)]
struct Heap(ClientSessionMemoryCache);

fn anybody() -> ServerName<'static> {
    ServerName::try_from("anybody.test").expect("a name")
}

impl ClientSessionStore for Heap {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(anybody(), group);
    }
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&anybody())
    }
    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(anybody(), value);
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&anybody())
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&anybody());
    }
    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(anybody(), value);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&anybody())
    }
}

/// Logs in under this name, reads the tickets, and returns the kind of its handshake.
fn handshake(cluster: &Cluster, config: &Arc<ClientConfig>, name: &str) -> HandshakeKind {
    let mut probe = Probe::secured_for(cluster.addr(), Arc::clone(config), name).unwrap();
    let kind = probe.tls().handshake_kind().expect("it has ended");
    assert_eq!(
        probe.login(&Response::new(&cluster.user), &cluster.password),
        Verdict::In
    );
    kind
}

#[test]
fn case_15_a_ticket_of_one_name_never_resumes_under_another() {
    let names = vec!["one.internal".to_owned(), "two.internal".to_owned()];
    let server = Server::with(Options {
        names,
        ..Options::default()
    });
    let cluster = server.create("tickets");
    let versions: [&'static SupportedProtocolVersion; 2] =
        [&rustls::version::TLS12, &rustls::version::TLS13];
    for version in versions {
        let mut config = (*tls::verified(&cluster.ca, &[version])).clone();
        config.resumption = Resumption::store(Arc::new(Heap(ClientSessionMemoryCache::new(8))));
        let config = Arc::new(config);
        assert_eq!(
            handshake(&cluster, &config, "one.internal"),
            HandshakeKind::Full
        );
        assert_eq!(
            handshake(&cluster, &config, "one.internal"),
            HandshakeKind::Resumed,
            "the heap works"
        );
        assert_eq!(
            handshake(&cluster, &config, "two.internal"),
            HandshakeKind::Full
        );
        assert_eq!(
            handshake(&cluster, &config, "two.internal"),
            HandshakeKind::Resumed
        );
    }
}

#[test]
fn case_25_records_of_every_size_carry_the_same_bytes() {
    let cluster = SERVER.create("records");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut config = (*tls::verified(&cluster.ca, &[version])).clone();
        // The smallest records that rustls sends: 27 bytes of data in each.
        config.max_fragment_size = Some(32);
        let probe = Probe::secured(cluster.addr(), Arc::new(config));
        let mut session = Session::over(probe, &cluster);
        for length in [1, 16_383, 16_384, 16_385, 70_000] {
            let text: String = (0..length)
                .map(|n| char::from(b'a' + u8::try_from(n % 23).unwrap()))
                .collect();
            assert_eq!(
                session.value(&format!("SELECT '{text}'")),
                text,
                "{length} {version:?}"
            );
        }
    }
}

#[test]
fn case_25_one_byte_records_and_full_ones_pass_alike() {
    let cluster = SERVER.create("bytes");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let probe = Probe::secured(cluster.addr(), tls::verified(&cluster.ca, &[version]));
        let mut session = Session::over(probe, &cluster);
        let mut command = vec![3];
        command.extend_from_slice(b"SELECT 'a byte a record', 17");
        for byte in tidegate_e2e::probe::frames(&command) {
            session.probe.raw(&[byte]).unwrap();
        }
        let rows = session.outcome().unwrap().text();
        assert_eq!(rows, [["a byte a record", "17"]]);
        // A packet that ends with a record, one byte before and one byte after.
        for spare in [0, 1, 2] {
            let text = "x".repeat(16_384 - 4 - 1 - "SELECT ''".len() - spare);
            assert_eq!(session.value(&format!("SELECT '{text}'")), text);
        }
    }
}

#[test]
fn case_25_keys_may_change_in_the_middle_of_a_session() {
    let cluster = SERVER.create("rekeyed");
    let probe = Probe::secured(
        cluster.addr(),
        tls::verified(&cluster.ca, &[&rustls::version::TLS13]),
    );
    let mut session = Session::over(probe, &cluster);
    for _ in 0..20 {
        session.probe.update_keys();
        assert_eq!(session.value("SELECT REPEAT('k', 20000)").len(), 20_000);
    }
    assert!(session.ping());
}

#[test]
fn case_25_a_client_that_asks_for_short_records_is_served() {
    let cluster = SERVER.create("short");
    for length in ["512", "4096"] {
        let said = s_client(
            &cluster,
            &["-tls1_2", "-maxfraglen", length, "-tlsextdebug"],
        );
        assert!(has_verified(&said), "{length}: {said}");
    }
}
