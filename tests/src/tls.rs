//! TLS of the tests' client: rustls with exactly the roots that a test names. It always verifies,
//! except with [`unverified`], for tests that need a bad certificate.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use std::path::Path;
use std::sync::Arc;

pub const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Configuration that verifies the name and the chain up to the certificates of this file.
pub fn verified(ca: &Path, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found =
        CertificateDer::pem_file_iter(ca).unwrap_or_else(|e| panic!("{}: {e}", ca.display()));
    for certificate in found {
        roots
            .add(certificate.expect("a certificate"))
            .expect("a root");
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Configuration that accepts any certificate.
pub fn unverified() -> Arc<ClientConfig> {
    unverified_with(
        provider()
            .signature_verification_algorithms
            .supported_schemes(),
    )
}

/// Verifier that accepts any certificate and offers these signature schemes only.
pub fn unverified_with(schemes: Vec<SignatureScheme>) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(BOTH)
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything(schemes)))
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug)]
struct Anything(Vec<SignatureScheme>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// Returns a TLS server with the certificate of `chain.pem` and `key.pem` in this folder.
pub fn server_config(folder: &Path) -> Arc<rustls::ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(folder.join("chain.pem")).expect("a chain")];
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    Arc::new(config)
}
