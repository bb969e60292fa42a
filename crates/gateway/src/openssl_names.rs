//! Versions and ciphers in the words of OpenSSL, which MySQL's clients and servers use.

use rustls::{CipherSuite, ProtocolVersion, ServerConnection};
use tidegate_wire::tls_status::TlsFacts;

/// Returns version and cipher of a client's connection. Empty before the handshake has chosen them.
pub(crate) fn openssl_facts(session: &ServerConnection) -> TlsFacts {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "",
    };
    let suite = session.negotiated_cipher_suite();
    let cipher = suite.and_then(|suite| cipher_name(suite.suite()));
    TlsFacts {
        version,
        cipher: cipher.unwrap_or_default(),
    }
}

/// Returns the name of a suite that the gateway offers.
fn cipher_name(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_that_is_offered_has_a_name() {
        for suite in rustls::crypto::aws_lc_rs::default_provider().cipher_suites {
            let id = suite.suite();
            let name = cipher_name(id).unwrap_or_else(|| panic!("{id:?}"));
            // SHA-256 goes without saying in these names of OpenSSL.
            let parts: Vec<String> = format!("{id:?}")
                .replace("TLS13_", "TLS_")
                .replace("TLS_ECDHE", "ECDHE")
                .replace("WITH_", "")
                .split('_')
                .map(str::to_owned)
                .collect();
            let joined: String = name.replace(['-', '_'], "");
            assert!(parts.concat().starts_with(&joined), "{id:?}: {name}");
        }
    }
}
