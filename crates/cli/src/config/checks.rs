//! Checks of settings that depend on each other.

use super::Config;
use crate::failure::Failure;
use anyhow::Result;

/// Checks the settings of certificates.
pub fn check_certificates(config: &Config) -> Result<()> {
    let certificate = config.file("tls.certificate")?;
    check_pair(config, "tls.certificate", "tls.key")?;
    check_pair(config, "console.certificate", "console.key")?;
    if certificate.is_some() && !config.names("acme.domains")?.is_empty() {
        return Err(Failure::usage(
            "both tls.certificate and acme.domains (--domain) are set",
            "keep one of them: either files with your certificate, or ACME",
        )
        .into());
    }
    check_console_name(config)?;
    if config.file("tls.ca")?.is_some() && certificate.is_none() {
        return Err(Failure::usage(
            "tls.ca is set without tls.certificate",
            "tls.ca is the CA file of the certificate in tls.certificate; remove it to use the \
             local CA",
        )
        .into());
    }
    Ok(())
}

/// Checks that a certificate and its key are both set, or neither.
fn check_pair(config: &Config, certificate: &str, key: &str) -> Result<()> {
    let (set, missing) = match (config.file(certificate)?, config.file(key)?) {
        (Some(_), None) => (certificate, key),
        (None, Some(_)) => (key, certificate),
        (Some(_), Some(_)) | (None, None) => return Ok(()),
    };
    Err(Failure::usage(
        format!("{set} is set, but {missing} is not"),
        "set both, or neither",
    )
    .into())
}

/// Checks that the console's name is not in the database's certificate. With one certificate for
/// both, an attacker in the network could redirect a connection from one port to the other, and the
/// client would not notice.
fn check_console_name(config: &Config) -> Result<()> {
    let console = config.text("console.domain")?.to_ascii_lowercase();
    if console.is_empty() {
        return Ok(());
    }
    let wildcard = console
        .split_once('.')
        .map(|(_, above)| format!("*.{above}"));
    let domains = config.names("acme.domains")?;
    let covering = domains
        .iter()
        .map(|domain| domain.to_ascii_lowercase())
        .find(|domain| *domain == console || Some(domain) == wildcard.as_ref());
    match covering {
        Some(domain) => Err(Failure::usage(
            format!(
                "console.domain (--console-domain) is {console:?}, which the database's {domain:?} \
                 covers"
            ),
            "give the console its own name, which no certificate of the database contains",
        )
        .into()),
        None => Ok(()),
    }
}
