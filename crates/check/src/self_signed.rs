//! A self-signed certificate that the CA file contains, as clients judge it. OpenSSL, Go, Java and
//! Node accept it as its own root, if its key usages allow a TLS server. webpki, and so every
//! client with rustls, also refuses a CA's certificate as a server's.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

/// Returns the reason for which OpenSSL's clients refuse this certificate as that of a server, from
/// its key usages (`check_purpose_ssl_server` in OpenSSL's crypto/x509/v3_purp.c).
pub(crate) fn usage_fault(der: &CertificateDer<'_>) -> Option<&'static str> {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else {
        return Some("it can't be read");
    };
    extended_fault(&certificate).or_else(|| key_fault(&certificate))
}

fn extended_fault(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    match certificate.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.server_auth => {
            Some("its extended key usage lacks serverAuth, so OpenSSL refuses it")
        }
        Ok(_) => None,
        Err(_) => Some("its extended key usage can't be read"),
    }
}

fn key_fault(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    match certificate.key_usage() {
        Ok(Some(usage)) => {
            let usage = usage.value;
            let allows_tls =
                usage.digital_signature() || usage.key_encipherment() || usage.key_agreement();
            (!allows_tls).then_some("its key usage allows no TLS server, so OpenSSL refuses it")
        }
        Ok(None) => None,
        Err(_) => Some("its key usage can't be read"),
    }
}
