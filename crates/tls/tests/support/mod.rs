//! Helpers of this room's tests: a temporary CA and a handshake in memory.
#![allow(dead_code, reason = "each test binary uses its part")]

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// A company's CA.
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl TestCa {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues certificate and key for `names`, valid from and until so many days from now.
    pub fn leaf(&self, names: &[&str], from: i64, to: i64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "test leaf");
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let now = OffsetDateTime::now_utc();
        params.not_before = now + Duration::days(from);
        params.not_after = now + Duration::days(to);
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }
}

/// Writes certificate, key and CA into `folder` and returns their paths.
pub fn write_pair(
    folder: &Path,
    ca: &TestCa,
    pair: &(String, String),
) -> (PathBuf, PathBuf, PathBuf) {
    let paths = (
        folder.join("cert.pem"),
        folder.join("key.pem"),
        folder.join("company-ca.pem"),
    );
    std::fs::write(&paths.0, &pair.0).unwrap();
    std::fs::write(&paths.1, &pair.1).unwrap();
    std::fs::set_permissions(&paths.1, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&paths.2, ca.pem()).unwrap();
    paths
}

/// Both sides of a completed handshake.
pub struct Shaken {
    pub client: ClientConnection,
    pub server: ServerConnection,
}

/// Runs a complete handshake in memory. An error of either side is the result.
pub fn shake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    host: &str,
) -> Result<Shaken, rustls::Error> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(client, name)?;
    let mut server = ServerConnection::new(server)?;
    loop {
        let mut moved = 0;
        let mut wire = Vec::new();
        while client.wants_write() {
            moved += client.write_tls(&mut wire).unwrap();
        }
        let mut left = wire.as_slice();
        while !left.is_empty() {
            server.read_tls(&mut left).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            moved += server.write_tls(&mut wire).unwrap();
        }
        let mut left = wire.as_slice();
        while !left.is_empty() {
            client.read_tls(&mut left).unwrap();
            client.process_new_packets()?;
        }
        if moved == 0 {
            assert!(
                !client.is_handshaking() && !server.is_handshaking(),
                "the handshake stalls"
            );
            return Ok(Shaken { client, server });
        }
    }
}

/// Returns the leaf that the client got.
pub fn leaf_seen(shaken: &Shaken) -> Vec<u8> {
    shaken.client.peer_certificates().unwrap()[0].to_vec()
}

/// Makes a client that accepts one version only.
pub fn only(version: &'static rustls::SupportedProtocolVersion, ca_pem: &str) -> Arc<ClientConfig> {
    client(
        version,
        ca_pem,
        rustls::crypto::aws_lc_rs::default_provider(),
    )
}

/// Makes a client that offers one version and one suite.
pub fn with_suite(
    version: &'static rustls::SupportedProtocolVersion,
    ca_pem: &str,
    suite: rustls::CipherSuite,
) -> Arc<ClientConfig> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|offered| offered.suite() == suite);
    client(version, ca_pem, provider)
}

fn client(
    version: &'static rustls::SupportedProtocolVersion,
    ca_pem: &str,
    provider: rustls::crypto::CryptoProvider,
) -> Arc<ClientConfig> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
