//! TLS profiles: the public server, the console's server and the verifying client. None has an
//! option that weakens it, and none uses the process-wide crypto provider.

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

/// Roots that the verifying client trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Only the certificates of a PEM file.
    File(PathBuf),
    /// Mozilla's list.
    Mozilla,
}

impl Roots {
    /// Returns the roots that verify a server of this trust. For a private CA without a file that
    /// is Mozilla's list, which will refuse it: there is nothing else to verify against.
    pub fn for_trust(trust: &Trust) -> Self {
        match trust {
            Trust::Local(ca) | Trust::Private(Some(ca)) => Self::File(ca.clone()),
            Trust::Public | Trust::Private(None) => Self::Mozilla,
        }
    }

    /// Returns the roots of a CA file.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().to_path_buf())
    }
}

/// TLS versions that the endpoint accepts. Older versions are never accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Versions {
    #[default]
    Both,
    Only12,
    Only13,
}

/// Prepares the calling thread for handshakes. AWS-LC seeds a random generator per thread at its
/// first use, which takes tens of milliseconds on a busy machine; a worker does it when it starts,
/// so no handshake waits for it.
pub fn warm_thread() {
    // On failure the first handshake tries again and reports it.
    let _ = provider().secure_random.fill(&mut [0]);
}

/// Returns the crypto provider of all profiles. Its TLS 1.2 suites are all ECDHE with an AEAD.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Returns the provider with AES-128 and SHA-256 suites first, for which processors have
/// instructions.
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
    // The sort is stable: all other suites keep their order.
    provider
        .cipher_suites
        .sort_by_key(|suite| !light.contains(&suite.suite()));
    provider
}

/// Makes the public server's profile: TLS 1.2 and 1.3 (or one of them), no client certificates, no
/// early data.
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
    // Every offered suite is secure, so the server chooses by cost:
    // docs/decisions/0008-suite-order.md.
    config.ignore_client_order = true;
    // MySQL clients send no ALPN, which is accepted. A browser always sends one and gets alert 120,
    // before its request could be taken for a packet.
    config.alpn_protocols = vec![b"mysql".to_vec()];
    config.ticketer = tickets;
    // Tickets keep the session state at the client; the server stores none, for either version.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Tickets are sent with the end of the handshake, before any reply: some drivers take later
    // bytes for a broken session.
    config.send_tls13_tickets = TLS13_TICKETS;
    // Early data could be replayed, so a login must not be in it.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// Makes the console's server profile: ALPN is HTTP/1.1 only, so that requests can't be redirected
/// to a MySQL port, or packets to this one. Sessions are not resumed: a ticket of one protocol must
/// not be valid for the other.
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

/// Makes the verifying client's profile: it verifies chain and name, speaks TLS 1.2 and 1.3, has no
/// client certificate and never resumes a session.
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
