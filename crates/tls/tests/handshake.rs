//! Complete handshakes with the public server profile, in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

mod support;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, CipherSuite, ClientConfig, Error, HandshakeKind,
    NamedGroup, ProtocolVersion,
};
use std::path::Path;
use std::sync::Arc;
use support::{TestCa, only, shake, with_suite, write_pair};
use tidegate_tls::{Identity, Roots, TlsSettings, client_config};

fn local(folder: &Path) -> (Identity, String) {
    let settings = TlsSettings {
        names: vec!["db.test".to_owned()],
        ..TlsSettings::new(folder)
    };
    let identity = Identity::open(settings, |_| {}).unwrap();
    (
        identity,
        std::fs::read_to_string(folder.join("ca.pem")).unwrap(),
    )
}

#[test]
fn case_14_each_version_works_when_the_client_insists_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ca) = local(folder.path());
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let shaken = shake(only(version, &ca), identity.server_config(), "localhost").unwrap();
        assert_eq!(shaken.client.protocol_version(), Some(expected));
        assert_eq!(
            shaken.client.peer_certificates().unwrap().len(),
            2,
            "leaf and issuing CA, not the root"
        );
    }
}

#[test]
fn every_suite_offered_is_ecdhe_with_an_aead() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, _) = local(folder.path());
    let config = identity.server_config();
    for suite in &config.crypto_provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        assert!(
            name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"),
            "{name}"
        );
        assert!(
            name.contains("GCM") || name.contains("CHACHA20_POLY1305"),
            "{name}"
        );
    }
    assert_eq!(config.max_early_data_size, 0);
}

#[test]
fn the_lighter_suite_is_chosen_where_the_client_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ca) = local(folder.path());
    let cases = [
        (
            &TLS13,
            CipherSuite::TLS13_AES_128_GCM_SHA256,
            CipherSuite::TLS13_AES_256_GCM_SHA384,
        ),
        (
            &TLS12,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
    ];
    for (version, light, strong) in cases {
        // rustls' own client names AES-256 first.
        let shaken = shake(only(version, &ca), identity.server_config(), "localhost").unwrap();
        assert_eq!(
            shaken.client.negotiated_cipher_suite().unwrap().suite(),
            light
        );
        let picky = with_suite(version, &ca, strong);
        let shaken = shake(picky, identity.server_config(), "localhost").unwrap();
        assert_eq!(
            shaken.client.negotiated_cipher_suite().unwrap().suite(),
            strong,
            "it offers nothing else"
        );
    }
}

#[test]
fn each_name_verifies_and_each_other_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, _) = local(folder.path());
    let client = client_config(Roots::file(folder.path().join("ca.pem"))).unwrap();
    for name in ["localhost", "127.0.0.1", "::1", "db.test"] {
        assert!(
            shake(client.clone(), identity.server_config(), name).is_ok(),
            "{name}"
        );
    }
    for name in ["other.test", "x.localhost", "127.0.0.2", "example.com"] {
        let refused = shake(client.clone(), identity.server_config(), name)
            .err()
            .unwrap();
        let by_name = CertificateError::NotValidForName;
        assert!(
            matches!(
                &refused,
                Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
            ) || refused == Error::InvalidCertificate(by_name),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn a_wrong_ca_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (identity, _) = local(folder.path());
    local(other.path());
    for roots in [Roots::file(other.path().join("ca.pem")), Roots::Mozilla] {
        let refused = shake(
            client_config(roots).unwrap(),
            identity.server_config(),
            "localhost",
        )
        .err()
        .unwrap();
        assert_eq!(
            refused,
            Error::InvalidCertificate(CertificateError::UnknownIssuer)
        );
    }
}

#[test]
fn an_expired_leaf_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let (certificate, key, ca) = write_pair(folder.path(), &ca, &ca.leaf(&["db.test"], -60, -1));
    let settings = TlsSettings {
        certificate: Some(certificate),
        key: Some(key),
        ca: Some(ca.clone()),
        ..TlsSettings::new(folder.path())
    };
    let identity = Identity::open(settings, |_| {}).unwrap();
    let refused = shake(
        client_config(Roots::File(ca)).unwrap(),
        identity.server_config(),
        "db.test",
    )
    .err()
    .unwrap();
    assert!(matches!(
        refused,
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. }
        )
    ));
}

#[test]
fn case_17_a_client_without_sni_gets_the_same_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ca) = local(folder.path());
    let mut silent = (*only(&TLS13, &ca)).clone();
    silent.enable_sni = false;
    let shaken = shake(Arc::new(silent), identity.server_config(), "db.test").unwrap();
    assert_eq!(shaken.server.server_name(), None);
}

#[test]
fn a_foreign_alpn_is_refused_and_its_absence_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ca) = local(folder.path());
    let mut browser = (*only(&TLS13, &ca)).clone();
    browser.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let refused = shake(Arc::new(browser), identity.server_config(), "localhost")
        .err()
        .unwrap();
    assert_eq!(refused, Error::NoApplicationProtocol);
    // The alert's number on the wire (RFC 7301, 3.2).
    assert_eq!(u8::from(AlertDescription::NoApplicationProtocol), 120);
    assert!(shake(only(&TLS13, &ca), identity.server_config(), "localhost").is_ok());
}

#[test]
fn a_client_set_up_with_a_certificate_is_never_asked_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ca) = local(folder.path());
    let own = TestCa::new("client").leaf(&["client.test"], -1, 30);
    for version in [&TLS12, &TLS13] {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(own.0.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(own.1.as_bytes()).unwrap(),
            )
            .unwrap();
        let shaken = shake(Arc::new(client), identity.server_config(), "localhost").unwrap();
        assert!(shaken.server.peer_certificates().is_none());
    }
}

/// A client's session store that ignores names: it offers every ticket to every host.
#[derive(Debug)]
struct Confused(ClientSessionMemoryCache);

fn one_name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

impl ClientSessionStore for Confused {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(one_name(), group);
    }
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&one_name())
    }
    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(one_name(), value);
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&one_name())
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&one_name());
    }
    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(one_name(), value);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&one_name())
    }
}

#[test]
fn case_15_the_server_itself_refuses_a_ticket_of_another_name() {
    for version in [&TLS12, &TLS13] {
        let folder = tempfile::tempdir().unwrap();
        let (identity, ca) = local(folder.path());
        let mut client = ClientConfig::clone(&only(version, &ca));
        client.resumption = Resumption::store(Arc::new(Confused(ClientSessionMemoryCache::new(8))));
        let client = Arc::new(client);
        for (resumed, why) in [(false, "nothing to resume"), (true, "the store works")] {
            let shaken = shake(client.clone(), identity.server_config(), "localhost").unwrap();
            let kind = shaken.server.handshake_kind().unwrap();
            assert_eq!(kind == HandshakeKind::Resumed, resumed, "{why}");
        }
        // Either a full handshake or an error, but never a session of the other name.
        let other = shake(client, identity.server_config(), "db.test");
        let resumed =
            other.is_ok_and(|s| s.server.handshake_kind() == Some(HandshakeKind::Resumed));
        assert!(!resumed);
    }
}

/// Whether a handshake resumes a session. Client and server agree on it.
fn is_resumed(client: &Arc<ClientConfig>, identity: &Identity, host: &str) -> bool {
    let shaken = shake(client.clone(), identity.server_config(), host).unwrap();
    let resumed = shaken.server.handshake_kind() == Some(HandshakeKind::Resumed);
    let client = shaken.client.handshake_kind() == Some(HandshakeKind::Resumed);
    assert_eq!(client, resumed);
    resumed
}

#[test]
fn case_15_a_ticket_resumes_over_a_restart_and_never_for_another_name() {
    for version in [&TLS12, &TLS13] {
        let folder = tempfile::tempdir().unwrap();
        let (identity, ca) = local(folder.path());
        let client = only(version, &ca);
        assert!(!is_resumed(&client, &identity, "localhost"));
        assert!(is_resumed(&client, &identity, "localhost"));
        assert!(
            !is_resumed(&client, &identity, "db.test"),
            "another name does not resume it"
        );
        let (restarted, _) = local(folder.path());
        assert!(
            is_resumed(&client, &restarted, "localhost"),
            "ticket keys are kept"
        );
        std::fs::remove_file(folder.path().join("master.key")).unwrap();
        let (bare, _) = local(folder.path());
        assert!(
            !is_resumed(&client, &bare, "localhost"),
            "without the master key they are lost, and nothing else"
        );
    }
}

#[test]
fn case_16_tickets_arrive_with_the_handshake_and_none_later() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ca) = local(folder.path());
    let mut shaken = shake(only(&TLS13, &ca), identity.server_config(), "localhost").unwrap();
    assert_eq!(shaken.client.tls13_tickets_received(), 1);
    // A login and its reply are one record each, and nothing else is sent.
    for (from, to) in [(true, b"login"), (false, b"reply")] {
        let mut wire = Vec::new();
        let state = if from {
            std::io::Write::write_all(&mut shaken.client.writer(), to).unwrap();
            shaken.client.write_tls(&mut wire).unwrap();
            shaken.server.read_tls(&mut wire.as_slice()).unwrap();
            shaken.server.process_new_packets().unwrap()
        } else {
            std::io::Write::write_all(&mut shaken.server.writer(), to).unwrap();
            shaken.server.write_tls(&mut wire).unwrap();
            shaken.client.read_tls(&mut wire.as_slice()).unwrap();
            shaken.client.process_new_packets().unwrap()
        };
        assert_eq!(state.plaintext_bytes_to_read(), 5);
        assert!(!shaken.server.wants_write());
    }
    assert_eq!(shaken.client.tls13_tickets_received(), 1);
}

#[test]
fn key_exchange_is_post_quantum_where_the_client_can() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ca) = local(folder.path());
    let shaken = shake(only(&TLS13, &ca), identity.server_config(), "localhost").unwrap();
    let group = shaken
        .client
        .negotiated_key_exchange_group()
        .unwrap()
        .name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    assert_ne!(
        shaken.client.negotiated_cipher_suite().unwrap().suite(),
        CipherSuite::TLS_NULL_WITH_NULL_NULL
    );
}
