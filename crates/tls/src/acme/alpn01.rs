//! TLS-ALPN-01 (RFC 8737): a listener that exists while an order is under way, shakes hands with nobody but a CA's
//! validator, and says nothing after that.

use crate::acme::failure::{Failure, Step};
use crate::acme::listen;
use crate::profile;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const PROTOCOL: &[u8] = b"acme-tls/1";

/// The certificates that answer, by the name they answer for.
#[derive(Debug, Default)]
struct Answers(Mutex<HashMap<String, Arc<CertifiedKey>>>);

impl ResolvesServerCert for Answers {
    /// Nothing for whoever does not ask as a validator does: the handshake then ends.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if !hello.alpn()?.any(|offered| offered == PROTOCOL) {
            return None;
        }
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }
}

/// The open listener. Closed when dropped, with every connection it took.
pub struct Alpn01 {
    answers: Arc<Answers>,
    _serving: JoinSet<()>,
}

impl Alpn01 {
    pub fn open(addresses: &[SocketAddr]) -> Result<Self, Failure> {
        let at = Failure::at(Step::Challenge);
        let answers = Arc::new(Answers::default());
        let config = ServerConfig::builder_with_provider(profile::provider()).with_protocol_versions(&[&TLS13, &TLS12]);
        let config = config.map_err(|error| Failure::new(Step::Challenge, error))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(answers.clone());
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut serving = JoinSet::new();
        for listener in listen::open_all(addresses).map_err(at)? {
            let acceptor = acceptor.clone();
            // The certificate is the whole answer.
            serving.spawn(listen::serve(listener, move |stream| acceptor.accept(stream)));
        }
        Ok(Self { answers, _serving: serving })
    }

    /// `digest` is the SHA-256 of the key authorization.
    pub fn answer(&self, name: &str, digest: &[u8; 32]) -> Result<(), Failure> {
        let certified = challenge_certificate(name, digest).map_err(Failure::at(Step::Challenge))?;
        let mut answers = self.answers.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(name.to_ascii_lowercase(), Arc::new(certified));
        Ok(())
    }
}

fn challenge_certificate(name: &str, digest: &[u8; 32]) -> Result<CertifiedKey, crate::TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let der = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|error| crate::TlsError::Certificate((*error).to_owned()))?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], any_ecdsa_type(&der)?))
}
