//! TLS of a session's connection to its engine: the client's version and cipher, and one
//! certificate that is accepted, that of the current run. No chain and no name is verified.

use crate::error::TlsError;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    ServerConnection, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};
use std::sync::Arc;
use tidegate_model::EngineCertificate;

/// Name that the handshake needs. It is not sent, and no certificate is compared with it.
const ENGINE_NAME: &str = "engine";

/// Starts the client's side of TLS to an engine. It offers the version and the cipher that `client`
/// uses, so that the engine knows the truth about the client's connection.
pub fn connect_engine(
    client: &ServerConnection,
    certificate: Arc<EngineCertificate>,
) -> Result<Box<ClientConnection>, TlsError> {
    let suite = client
        .negotiated_cipher_suite()
        .map_or(cipher_suite::TLS13_AES_128_GCM_SHA256, engine_suite);
    let config = engine_config(suite, certificate)?;
    let name = ServerName::try_from(ENGINE_NAME).map_err(|_| TlsError::EngineName)?;
    Ok(Box::new(ClientConnection::new(Arc::new(config), name)?))
}

fn engine_config(
    suite: SupportedCipherSuite,
    certificate: Arc<EngineCertificate>,
) -> Result<ClientConfig, TlsError> {
    let provider = CryptoProvider {
        cipher_suites: vec![suite],
        // Both ends are on this machine, so nobody records the traffic to decrypt it later: a
        // post-quantum exchange would only cost time.
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
        ..default_provider()
    };
    let algorithms = provider.signature_verification_algorithms;
    let version: &SupportedProtocolVersion = match suite {
        SupportedCipherSuite::Tls12(_) => &TLS12,
        SupportedCipherSuite::Tls13(_) => &TLS13,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedCertificate {
            certificate,
            algorithms,
        }))
        .with_no_client_auth();
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Returns the suite for the engine's key, which is ECDSA: for RSA, the one that differs in the
/// certificate's signature only.
fn engine_suite(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    match suite.suite() {
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        _ => suite,
    }
}

/// Verifier that accepts one certificate, whoever issued it, from a server that has its key.
#[derive(Debug)]
struct PinnedCertificate {
    certificate: Arc<EngineCertificate>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if end_entity.as_ref() == self.certificate.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "engine_leg_tests.rs"]
mod tests;
