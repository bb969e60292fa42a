//! TLS-ALPN-01 (RFC 8737): challenge certificates, and a listener that is open while orders run. It
//! completes handshakes with validators only, and sends no data.

use crate::acme::failure::{Failure, Step};
use crate::acme::listen::{self, OpenListeners};
use crate::error::TlsError;
use crate::lock::locked;
use crate::profile;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const PROTOCOL: &[u8] = b"acme-tls/1";

/// Challenge certificates by name.
#[derive(Debug, Default)]
pub struct ChallengeAnswers(Mutex<HashMap<String, Arc<CertifiedKey>>>);

impl ResolvesServerCert for ChallengeAnswers {
    /// Returns the name's challenge certificate. A client that is no validator gets none, and its
    /// handshake fails.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if !is_asked(&hello) {
            return None;
        }
        let answers = locked(&self.0);
        answers
            .get(&hello.server_name()?.to_ascii_lowercase())
            .cloned()
    }
}

/// The answers of one order. They are removed when this is dropped, and the listeners close with
/// the last order.
pub struct Alpn01 {
    answers: Arc<ChallengeAnswers>,
    names: Vec<String>,
    _open: Arc<OpenListeners>,
}

impl Alpn01 {
    pub fn new(answers: Arc<ChallengeAnswers>, open: Arc<OpenListeners>) -> Self {
        Self {
            answers,
            names: Vec::new(),
            _open: open,
        }
    }

    /// Answers the challenge of a name. `digest` is the SHA-256 of the key authorization.
    pub fn answer(&mut self, name: &str, digest: &[u8; 32]) -> Result<(), Failure> {
        let certified =
            challenge_certificate(name, digest).map_err(Failure::at(Step::Challenge))?;
        let mut answers = locked(&self.answers.0);
        self.names.push(name.to_ascii_lowercase());
        answers.insert(name.to_ascii_lowercase(), Arc::new(certified));
        Ok(())
    }
}

impl Drop for Alpn01 {
    fn drop(&mut self) {
        let mut answers = locked(&self.answers.0);
        // Only this order's names: another order may be running.
        answers.retain(|name, _| !self.names.contains(name));
    }
}

/// Whether this ClientHello is a validator's.
pub fn is_asked(hello: &ClientHello<'_>) -> bool {
    hello
        .alpn()
        .is_some_and(|mut offered| offered.any(|protocol| protocol == PROTOCOL))
}

/// Makes the server profile that answers validators.
pub fn server_config(answers: Arc<ChallengeAnswers>) -> Result<Arc<ServerConfig>, TlsError> {
    let config = ServerConfig::builder_with_provider(profile::provider())
        // RFC 8737 requires TLS 1.2 or later.
        .with_protocol_versions(&[&TLS13, &TLS12])?;
    let mut config = config.with_no_client_auth().with_cert_resolver(answers);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// Answers validators until the future is dropped.
pub async fn serve(listener: TcpListener, config: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(config);
    // The certificate is the whole answer.
    listen::serve(listener, move |stream| acceptor.accept(stream)).await;
}

fn challenge_certificate(name: &str, digest: &[u8; 32]) -> Result<CertifiedKey, TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(TlsError::ChallengeKey)?;
    Ok(CertifiedKey::new(
        vec![certificate.der().clone()],
        any_ecdsa_type(&der)?,
    ))
}
