//! Fills the settings of ACME from the configuration. It asks no CA and reads no certificate.

use crate::config::Config;
use anyhow::Result;
use tidegate_tls::{AcmeSettings, CaSettings, ChallengeKind};

/// None where no domain is configured.
pub fn settings(config: &Config) -> Result<Option<AcmeSettings>> {
    let domains = config.names("acme.domains")?;
    if domains.is_empty() {
        return Ok(None);
    }
    Ok(Some(AcmeSettings {
        domains,
        authorities: vec![authority(config, "acme")?],
        challenges: vec![ChallengeKind::Http01],
        http_listen: config.addresses("acme.http_listen")?,
    }))
}

/// The CA that one section describes.
fn authority(config: &Config, section: &str) -> Result<CaSettings> {
    let text = |key: &str| -> Result<Option<String>> {
        let value = config.text(&format!("{section}.{key}"))?;
        Ok((!value.is_empty()).then(|| value.to_owned()))
    };
    Ok(CaSettings {
        directory: text("directory")?.unwrap_or_default(),
        email: text("email")?,
        directory_ca: config.file(&format!("{section}.directory_ca"))?,
        roots: config.file(&format!("{section}.roots"))?,
        profile: text("profile")?,
    })
}
