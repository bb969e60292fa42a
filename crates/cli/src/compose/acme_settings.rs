//! Settings of ACME, filled from the configuration.

use crate::config::Config;
use crate::failure::Failure;
use anyhow::Result;
use std::net::SocketAddr;
use std::path::PathBuf;
use tidegate_tls::{
    AcmeSettings, AcmeShared, CaSettings, ChallengeKind, DnsSettings, DnsUpdate, ExternalAccount,
};

const CHALLENGES: [ChallengeKind; 3] = [
    ChallengeKind::Http01,
    ChallengeKind::TlsAlpn01,
    ChallengeKind::Dns01,
];

/// Returns the path of a secret that the service manager passes to this service, if it does.
pub fn credential(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name);
    path.is_file().then_some(path)
}

/// Returns the part of ACME that the certificates of database and console share: the listeners for
/// the CA's validation. `None` if no domain is configured.
pub fn shared(config: &Config) -> Result<Option<AcmeShared>> {
    if config.names("acme.domains")?.is_empty() {
        return Ok(None);
    }
    Ok(Some(AcmeShared::new(
        config.addresses("acme.http_listen")?,
        config.addresses("acme.alpn_listen")?,
    )?))
}

/// Returns the settings of the database's certificate; `None` if no domain is configured.
pub fn settings(config: &Config, shared: Option<&AcmeShared>) -> Result<Option<AcmeSettings>> {
    let Some(shared) = shared else {
        return Ok(None);
    };
    let domains = config.names("acme.domains")?;
    let mut authorities = vec![authority(Section::of(config, "acme"))?];
    for name in ["acme_fallback", "acme_fallback_2"] {
        let section = Section::of(config, name);
        if section.text("directory")?.is_some() {
            authorities.push(authority(section)?);
        }
    }
    let challenges = challenges(config, &domains)?;
    let dns = dns(config)?;
    if challenges.contains(&ChallengeKind::Dns01) && dns.is_none() {
        return Err(Failure::usage(
            "acme.challenges contains dns-01, but no way to change the DNS is configured",
            "set acme.dns_server, acme.dns_zone, acme.dns_key_name and acme.dns_key_file, or set \
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

/// Section of the configuration whose keys are read by their short names.
#[derive(Clone, Copy)]
struct Section<'a> {
    config: &'a Config,
    name: &'static str,
}

impl<'a> Section<'a> {
    fn of(config: &'a Config, name: &'static str) -> Self {
        Self { config, name }
    }

    /// Returns a text; `None` if it is empty.
    fn text(self, key: &str) -> Result<Option<String>> {
        let value = self.config.text(&format!("{}.{key}", self.name))?;
        Ok((!value.is_empty()).then(|| value.to_owned()))
    }

    fn file(self, key: &str) -> Result<Option<PathBuf>> {
        self.config.file(&format!("{}.{key}", self.name))
    }
}

/// Returns the CA that a section describes.
fn authority(section: Section<'_>) -> Result<CaSettings> {
    let name = section.name;
    let directory = section.text("directory")?.unwrap_or_default();
    if !directory.starts_with("https://") {
        let cause = format!("{name}.directory is {directory:?}, which is not an https URL");
        return Err(Failure::usage(cause, "set it to the URL of the CA's ACME directory").into());
    }
    let eab = match (section.text("eab_key_id")?, section.file("eab_key_file")?) {
        (Some(key_id), Some(key_file)) => Some(ExternalAccount { key_id, key_file }),
        (None, None) => None,
        _ => {
            let cause = format!("only one of {name}.eab_key_id and {name}.eab_key_file is set");
            return Err(Failure::usage(cause, "set both, as the CA gave them, or neither").into());
        }
    };
    Ok(CaSettings {
        staging: staging(section, &directory)?,
        directory,
        email: section.text("email")?,
        directory_ca: section.file("directory_ca")?,
        roots: section.file("roots")?,
        profile: section.text("profile")?,
        eab,
    })
}

/// Returns the URL of the CA's staging directory, where orders are rehearsed, if it has one.
fn staging(section: Section<'_>, directory: &str) -> Result<Option<String>> {
    match section.text("staging")? {
        None => Ok(CaSettings::new(directory).staging),
        Some(word) if word == "none" => Ok(None),
        Some(url) if url.starts_with("https://") => Ok(Some(url)),
        Some(url) => {
            let cause = format!(
                "{}.staging is {url:?}, which is not an https URL",
                section.name
            );
            Err(Failure::usage(
                cause,
                "set it to the URL of the CA's staging directory, or to \"none\"",
            )
            .into())
        }
    }
}

fn challenges(config: &Config, domains: &[String]) -> Result<Vec<ChallengeKind>> {
    let hint = "the challenges are http-01, tls-alpn-01 and dns-01";
    let mut found = Vec::new();
    for word in config.names("acme.challenges")? {
        let kind = CHALLENGES.into_iter().find(|kind| kind.as_str() == word);
        found.push(kind.ok_or_else(|| {
            Failure::usage(
                format!("acme.challenges contains {word:?}, which is unknown"),
                hint,
            )
        })?);
    }
    if found.is_empty() {
        return Err(Failure::usage("acme.challenges is empty", hint).into());
    }
    // CAs validate wildcards by DNS only.
    if let Some(wild) = domains.iter().find(|name| name.starts_with("*."))
        && found.iter().any(|kind| *kind != ChallengeKind::Dns01)
    {
        let cause = format!("a certificate for {wild} requires dns-01 as the only challenge");
        return Err(Failure::usage(cause, "set acme.challenges = [\"dns-01\"]").into());
    }
    Ok(found)
}

fn dns(config: &Config) -> Result<Option<DnsSettings>> {
    let acme = Section::of(config, "acme");
    if let Some(program) = acme.file("dns_hook")? {
        return Ok(Some(DnsSettings::Hook(program)));
    }
    let Some(server) = acme.text("dns_server")? else {
        return Ok(None);
    };
    let server = socket_address("acme.dns_server", &server)?;
    let resolver = acme.text("dns_resolver")?;
    let resolver = resolver
        .map(|resolver| socket_address("acme.dns_resolver", &resolver))
        .transpose()?;
    match (
        acme.text("dns_zone")?,
        acme.text("dns_key_name")?,
        acme.file("dns_key_file")?,
    ) {
        (Some(zone), Some(key_name), Some(key_file)) => Ok(Some(DnsSettings::Update(DnsUpdate {
            server,
            zone,
            key_name,
            key_file,
            resolver,
            settle: config.duration("acme.dns_settle")?,
        }))),
        _ => Err(Failure::usage(
            "acme.dns_server is set, but acme.dns_zone, acme.dns_key_name or acme.dns_key_file is \
             missing",
            "set all four: the server, its zone, and the name and the file of the key that signs \
             updates",
        )
        .into()),
    }
}

fn socket_address(key: &str, text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|error: std::net::AddrParseError| {
        let cause = format!("{key} is {text:?}, which is not ADDRESS:PORT");
        let failure = Failure::usage(cause, "write it such as \"192.0.2.53:53\"");
        failure.caused_by(error).into()
    })
}
