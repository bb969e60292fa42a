//! The client of an engine against a TLS server: what it offers, and which certificate it accepts.

use super::*;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::io::ErrorKind;

/// Key and certificate of an engine.
struct Engine {
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Engine {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::default();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { key, certificate }
    }

    /// Another certificate of the same key.
    fn again(&self) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["other".to_owned()]).unwrap();
        params.serial_number = Some(7.into());
        params.self_signed(&self.key).unwrap().der().clone()
    }

    fn pin(&self) -> Arc<EngineCertificate> {
        Arc::new(EngineCertificate(self.certificate.to_vec()))
    }
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConnection {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    ServerConnection::new(Arc::new(config)).unwrap()
}

/// Moves bytes between both until nothing is left to send. Returns the client's error.
fn shake_hands(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Error> {
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        read_all(&wire, |bytes| server.read_tls(bytes));
        // An alert of the client is an error to the server.
        let _ = server.process_new_packets();
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        read_all(&wire, |bytes| client.read_tls(bytes));
        client.process_new_packets()?;
    }
    Ok(())
}

fn read_all(mut wire: &[u8], mut read: impl FnMut(&mut &[u8]) -> std::io::Result<usize>) {
    while !wire.is_empty() {
        match read(&mut wire) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Other => return,
            Err(e) => panic!("{e}"),
        }
    }
}

fn name_of(suite: SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}

fn connect(suite: SupportedCipherSuite, pin: Arc<EngineCertificate>) -> ClientConnection {
    let config = engine_config(engine_suite(suite), pin).unwrap();
    ClientConnection::new(Arc::new(config), ENGINE_NAME.try_into().unwrap()).unwrap()
}

#[test]
fn version_and_cipher_are_those_of_the_client_also_where_its_certificate_is_rsa() {
    let engine = Engine::new();
    for suite in default_provider().cipher_suites {
        let mut client = connect(suite, engine.pin());
        let mut server = server(engine.certificate.clone(), &engine.key);
        shake_hands(&mut client, &mut server).unwrap();
        let got = client.negotiated_cipher_suite().unwrap();
        assert_eq!(name_of(got), name_of(suite).replace("_RSA_", "_ECDSA_"));
        assert_eq!(got.version(), suite.version());
    }
}

#[test]
fn a_certificate_is_accepted_only_byte_for_byte_and_with_its_key() {
    let engine = Engine::new();
    let stranger = Engine::new();
    let suite = cipher_suite::TLS13_AES_128_GCM_SHA256;
    for suite in [suite, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256] {
        for certificate in [engine.again(), stranger.certificate.clone()] {
            let mut client = connect(suite, engine.pin());
            let mut server = match certificate == stranger.certificate {
                true => server(certificate, &stranger.key),
                false => server(certificate, &engine.key),
            };
            let refused = shake_hands(&mut client, &mut server).unwrap_err();
            let why = CertificateError::ApplicationVerificationFailure;
            assert_eq!(refused, Error::InvalidCertificate(why));
        }
    }
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let engine = Engine::new();
    let stranger = Engine::new();
    let key = PrivateKeyDer::Pkcs8(stranger.key.serialize_der().into());
    let signer = any_supported_type(&key).unwrap();
    // Nothing checks here that both belong together.
    let pair = CertifiedKey::new(vec![engine.certificate.clone()], signer);
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    let mut client = connect(cipher_suite::TLS13_AES_128_GCM_SHA256, engine.pin());
    let refused = shake_hands(&mut client, &mut server).unwrap_err();
    let why = CertificateError::BadSignature;
    assert_eq!(refused, Error::InvalidCertificate(why));
}
