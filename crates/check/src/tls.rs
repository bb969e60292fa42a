//! Handshakes by rustls that accept every certificate and record what the server sent: the chain,
//! the alert, a request for a client certificate, early data. The signatures of the handshake are
//! verified; `chain` judges trust afterwards.

use crate::link::Link;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, ResolvesClientCert, Resumption,
    Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, NamedGroup,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) type Stream = StreamOwned<ClientConnection, Link>;

/// Offer of a handshake.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub sni: bool,
    pub alpn: &'static [&'static [u8]],
}

pub(crate) const BOTH: &[&SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];
pub(crate) const ONLY_13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
pub(crate) const ONLY_12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];

/// A client for one or more connections; later ones may resume a session.
#[derive(Debug)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    witness: Arc<HandshakeFacts>,
}

/// Facts that rustls' callbacks recorded.
#[derive(Debug)]
struct HandshakeFacts {
    algorithms: WebPkiSupportedAlgorithms,
    cache: ClientSessionMemoryCache,
    asked_for_certificate: AtomicBool,
    tickets: AtomicUsize,
    early_data: AtomicU32,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

/// A completed handshake.
#[derive(Debug)]
pub(crate) struct SecuredStream {
    pub stream: Stream,
}

pub(crate) fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

impl Client {
    pub fn new(offer: &Offer) -> Result<Self, Error> {
        let provider = Arc::new(provider());
        let witness = Arc::new(HandshakeFacts {
            algorithms: provider.signature_verification_algorithms,
            cache: ClientSessionMemoryCache::new(8),
            asked_for_certificate: AtomicBool::new(false),
            tickets: AtomicUsize::new(0),
            early_data: AtomicU32::new(0),
            chain: Mutex::default(),
        });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(offer.versions)?
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_client_cert_resolver(witness.clone());
        config.enable_sni = offer.sni;
        config.alpn_protocols = offer.alpn.iter().map(|p| p.to_vec()).collect();
        config.resumption = Resumption::store(witness.clone());
        Ok(Self {
            config: Arc::new(config),
            witness,
        })
    }

    pub fn begin(&self, name: &ServerName<'static>) -> Result<ClientConnection, Error> {
        ClientConnection::new(self.config.clone(), name.clone())
    }

    pub fn was_asked_for_certificate(&self) -> bool {
        self.witness.asked_for_certificate.load(Ordering::Relaxed)
    }

    /// Returns the last chain, even if the handshake then failed.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.witness
            .chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn tickets(&self) -> usize {
        self.witness.tickets.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes of early data that a ticket allows.
    pub fn early_data(&self) -> u32 {
        self.witness.early_data.load(Ordering::Relaxed)
    }
}

/// Runs the handshake on a link whose TLS request was sent.
pub(crate) fn shake(
    connection: ClientConnection,
    mut link: Link,
) -> Result<SecuredStream, (io::Error, Link)> {
    let mut connection = connection;
    link.mark();
    while connection.is_handshaking() {
        match connection.complete_io(&mut link) {
            Ok(_) => {}
            Err(error) => return Err((error, link)),
        }
    }
    // In TLS 1.3 the client still has to send its last flight.
    while connection.wants_write() {
        if let Err(error) = connection.write_tls(&mut link) {
            return Err((error, link));
        }
    }
    Ok(SecuredStream {
        stream: StreamOwned::new(connection, link),
    })
}

impl SecuredStream {
    /// Returns version, suite and group as evidence.
    pub fn facts(&self) -> String {
        let connection = &self.stream.conn;
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        let suite = connection
            .negotiated_cipher_suite()
            .map(|s| format!("{:?}", s.suite()))
            .unwrap_or_default();
        let group = connection
            .negotiated_key_exchange_group()
            .map(|g| format!(", {:?}", g.name()))
            .unwrap_or_default();
        format!(
            "{version}, {}{group}",
            suite
                .trim_start_matches("TLS13_")
                .trim_start_matches("TLS_")
        )
    }

    pub fn resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

/// Returns the reason of a failed handshake as evidence: the alert, if there was one.
pub(crate) fn reason(error: &io::Error) -> String {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(Error::AlertReceived(alert)) => {
            let number = u8::from(*alert);
            format!("alert {number} ({})", crate::hello::alert_name(number))
        }
        Some(other) => other.to_string(),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                "nothing came in time".to_owned()
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                "the connection was reset".to_owned()
            }
            _ => error.to_string(),
        },
    }
}

/// Returns the number of the alert, if there was one.
pub(crate) fn alert(error: &io::Error) -> Option<u8> {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(Error::AlertReceived(alert)) => Some(u8::from(*alert)),
        _ => None,
    }
}

impl ServerCertVerifier for HandshakeFacts {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|c| c.clone().into_owned())
            .collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        // Every chain is accepted here, so that an invalid one can be described.
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for HandshakeFacts {
    /// rustls calls this only if the server asks for a certificate.
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked_for_certificate.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ClientSessionStore for HandshakeFacts {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.cache.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.cache.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.tickets.fetch_add(1, Ordering::Relaxed);
        self.cache.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.cache.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.cache.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        value: Tls13ClientSessionValue,
    ) {
        self.tickets.fetch_add(1, Ordering::Relaxed);
        self.early_data
            .fetch_max(value.max_early_data_size(), Ordering::Relaxed);
        self.cache.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(server_name)
    }
}
