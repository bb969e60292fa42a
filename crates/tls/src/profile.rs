//! The two TLS profiles of the house: the public server and the verifying client. Neither has a
//! switch that makes it weaker, and neither uses the process-wide crypto provider.

use crate::chain::{mozilla_roots, roots};
use crate::error::TlsError;
use crate::limits::TLS13_TICKETS;
use crate::state;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, ServerConfig, SupportedProtocolVersion};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::Trust;

/// Which roots the verifying client believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those in a PEM file, and no others.
    File(PathBuf),
    /// Mozilla's list.
    Mozilla,
}

impl Roots {
    /// What a client needs to believe a server of this trust. A private CA without a file leaves
    /// Mozilla's list, which will refuse it: there is nothing else to verify against.
    pub fn for_trust(trust: &Trust) -> Self {
        match trust {
            Trust::Local(ca) | Trust::Private(Some(ca)) => Self::File(ca.clone()),
            Trust::Public | Trust::Private(None) => Self::Mozilla,
        }
    }

    /// A CA file.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().to_path_buf())
    }
}

/// The TLS versions that the endpoint speaks; nothing older is ever spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Versions {
    #[default]
    Both,
    Only12,
    Only13,
}

/// AWS-LC seeds a random generator per thread at its first use, which takes tens of milliseconds on
/// a busy machine: done when a worker starts, no handshake waits for it.
pub fn warm_thread() {
    // If it gives nothing now, the first handshake asks again and reports it.
    let _ = provider().secure_random.fill(&mut [0]);
}

/// The provider of both profiles. Its TLS 1.2 suites are all ECDHE with an AEAD.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The provider's suites, those with AES-128 and SHA-256 before the others: what processors have
/// instructions for.
fn lightest_first(provider: &CryptoProvider) -> CryptoProvider {
    use CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TLS13_AES_128_GCM_SHA256,
    };
    let light = [
        TLS13_AES_128_GCM_SHA256,
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ];
    let mut provider = provider.clone();
    // Stable: what is not moved keeps its order.
    provider
        .cipher_suites
        .sort_by_key(|suite| !light.contains(&suite.suite()));
    provider
}

/// The public server: TLS 1.2 and 1.3 (or the one of them that is wanted), no client certificates,
/// no early data.
pub fn server_config(
    provider: Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesServerCert>,
    versions: Versions,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[&SupportedProtocolVersion] = match versions {
        Versions::Both => &[&TLS13, &TLS12],
        Versions::Only12 => &[&TLS12],
        Versions::Only13 => &[&TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(lightest_first(&provider)))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    // Every suite of ours is sound, so the choice is by cost: docs/decisions/0008-suite-order.md.
    config.ignore_client_order = true;
    // MySQL clients send no ALPN, which is accepted; a browser always sends one and is stopped by
    // alert 120 before its request could be taken for a packet.
    config.alpn_protocols = vec![b"mysql".to_vec()];
    config.ticketer = tickets;
    // Tickets keep the state at the client: no session is stored here, for either version.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Sent with the end of the handshake, so before any reply: some drivers take later bytes for a
    // broken session.
    config.send_tls13_tickets = TLS13_TICKETS;
    // A login that could be replayed is no login.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// The console's server: HTTP/1.1 by ALPN and nothing else, so that no request can be sent on to a
/// MySQL port and no packet here. Nothing is resumed: a ticket of one protocol must not open the
/// other.
pub fn web_config(
    provider: Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesServerCert>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(lightest_first(&provider)))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// The verifying client: chain and name, TLS 1.2 and 1.3, no certificate of its own, every
/// handshake in full.
pub fn client_config(believed: Roots) -> Result<Arc<ClientConfig>, TlsError> {
    let believed = match &believed {
        Roots::File(path) => roots(&state::read(path)?, path)?,
        Roots::Mozilla => mozilla_roots(),
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_root_certificates(believed)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
