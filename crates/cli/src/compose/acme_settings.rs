//! Fills the settings of ACME from the configuration. It asks no CA and reads no certificate.

use crate::config::Config;
use crate::failure::Failure;
use anyhow::Result;
use std::path::PathBuf;
use tidegate_tls::{
    AcmeSettings, AcmeShared, CaSettings, ChallengeKind, DnsSettings, DnsUpdate, ExternalAccount,
};

const CHALLENGES: [ChallengeKind; 3] = [
    ChallengeKind::Http01,
    ChallengeKind::TlsAlpn01,
    ChallengeKind::Dns01,
];

/// A secret that the service manager hands over, if it does.
pub fn credential(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name);
    path.is_file().then_some(path)
}

/// What the certificates of endpoint and console share; none where no domain is configured.
pub fn shared(config: &Config) -> Result<Option<AcmeShared>> {
    if config.names("acme.domains")?.is_empty() {
        return Ok(None);
    }
    Ok(Some(AcmeShared::new(
        config.addresses("acme.http_listen")?,
        config.addresses("acme.alpn_listen")?,
    )?))
}

/// Those of the endpoint.
pub fn settings(config: &Config, shared: Option<&AcmeShared>) -> Result<Option<AcmeSettings>> {
    let Some(shared) = shared else {
        return Ok(None);
    };
    let domains = config.names("acme.domains")?;
    let mut authorities = vec![authority(config, "acme")?];
    for section in ["acme_fallback", "acme_fallback_2"] {
        if text(config, section, "directory")?.is_some() {
            authorities.push(authority(config, section)?);
        }
    }
    let challenges = challenges(config, &domains)?;
    let dns = dns(config)?;
    if challenges.contains(&ChallengeKind::Dns01) && dns.is_none() {
        return Err(Failure::usage(
            "acme.challenges names dns-01, and nothing can write into the DNS",
            "set acme.dns_server, acme.dns_zone, acme.dns_key_name and acme.dns_key_file; or \
             acme.dns_hook",
        )
        .into());
    }
    Ok(Some(AcmeSettings {
        domains,
        authorities,
        challenges,
        rsa: config.text("acme.rsa")? == "yes",
        shared: shared.clone(),
        dns,
    }))
}

fn text(config: &Config, section: &str, key: &str) -> Result<Option<String>> {
    let value = config.text(&format!("{section}.{key}"))?;
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

/// The CA that one section describes.
fn authority(config: &Config, section: &str) -> Result<CaSettings> {
    let text = |key: &str| text(config, section, key);
    let file = |key: &str| config.file(&format!("{section}.{key}"));
    let directory = text("directory")?.unwrap_or_default();
    if !directory.starts_with("https://") {
        let cause = format!("{section}.directory is {directory:?}, which is no https URL");
        return Err(Failure::usage(
            cause,
            "set it to the URL that the CA gives for its ACME directory",
        )
        .into());
    }
    let eab = match (text("eab_key_id")?, file("eab_key_file")?) {
        (Some(key_id), Some(key_file)) => Some(ExternalAccount { key_id, key_file }),
        (None, None) => None,
        _ => {
            let cause = format!("of {section}.eab_key_id and {section}.eab_key_file one is set");
            return Err(
                Failure::usage(cause, "set both, as the CA gave them out, or neither").into(),
            );
        }
    };
    Ok(CaSettings {
        staging: staging(config, section, &directory)?,
        directory,
        email: text("email")?,
        directory_ca: file("directory_ca")?,
        roots: file("roots")?,
        profile: text("profile")?,
        eab,
    })
}

/// Where orders at this CA are rehearsed, if anywhere.
fn staging(config: &Config, section: &str, directory: &str) -> Result<Option<String>> {
    match text(config, section, "staging")? {
        None => Ok(CaSettings::new(directory).staging),
        Some(word) if word == "none" => Ok(None),
        Some(url) if url.starts_with("https://") => Ok(Some(url)),
        Some(url) => {
            let cause = format!("{section}.staging is {url:?}, which is no https URL");
            Err(Failure::usage(
                cause,
                "set it to the URL of the CA's staging directory, or to \"none\"",
            )
            .into())
        }
    }
}

fn challenges(config: &Config, domains: &[String]) -> Result<Vec<ChallengeKind>> {
    let wanted = config.names("acme.challenges")?;
    let known = |word: &String| {
        CHALLENGES
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| word.clone())
    };
    let found = wanted.iter().map(known).collect::<Result<Vec<_>, _>>();
    let hint = "they are http-01, tls-alpn-01 and dns-01";
    let found =
        found.map_err(|word| Failure::usage(format!("acme.challenges holds {word:?}"), hint))?;
    if found.is_empty() {
        return Err(Failure::usage("acme.challenges is empty", hint).into());
    }
    if let Some(wild) = domains.iter().find(|name| name.starts_with("*."))
        && found.iter().any(|kind| *kind != ChallengeKind::Dns01)
    {
        let cause = format!("control of {wild} can only be proved by dns-01");
        return Err(Failure::usage(cause, "set acme.challenges = [\"dns-01\"]").into());
    }
    Ok(found)
}

fn dns(config: &Config) -> Result<Option<DnsSettings>> {
    let text = |key: &str| text(config, "acme", key);
    if let Some(program) = config.file("acme.dns_hook")? {
        return Ok(Some(DnsSettings::Hook(program)));
    }
    let Some(server) = text("dns_server")? else {
        return Ok(None);
    };
    let server = server.parse().map_err(|_| {
        Failure::usage(
            format!("acme.dns_server is {server:?}"),
            "write ADDRESS:PORT, such as 192.0.2.53:53",
        )
    })?;
    match (
        text("dns_zone")?,
        text("dns_key_name")?,
        config.file("acme.dns_key_file")?,
    ) {
        (Some(zone), Some(key_name), Some(key_file)) => Ok(Some(DnsSettings::Update(DnsUpdate {
            server,
            zone,
            key_name,
            key_file,
        }))),
        _ => Err(Failure::usage(
            "acme.dns_server is set without all of acme.dns_zone, acme.dns_key_name and \
             acme.dns_key_file",
            "set all four: the server, its zone, and the key that signs updates",
        )
        .into()),
    }
}
