//! Opens the certificates of endpoint and console from the configuration, and hands on what they
//! tell. It judges no certificate and asks no CA.

use super::acme_settings;
use super::port_holder;
use crate::config::Config;
use crate::failure::Failure;
use anyhow::Result;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use tidegate_model::{Event, Journal, Trust};
use tidegate_tls::{AcmeShared, Identity, TlsEvent, TlsSettings, Versions};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The endpoint's.
pub fn database(
    config: &Config,
    data: &Path,
    shared: Option<&AcmeShared>,
    (journal, swapped): (Arc<dyn Journal>, Arc<Notify>),
) -> Result<Identity> {
    let mut settings = TlsSettings::new(data);
    settings.names = config.names("tls.names")?;
    // Where a local CA signs, it signs for both.
    let console = config.text("console.domain")?;
    if !console.is_empty() && shared.is_none() {
        settings.names.push(console.to_owned());
    }
    settings.certificate = config.file("tls.certificate")?;
    settings.key = config.file("tls.key")?;
    settings.ca = config.file("tls.ca")?;
    settings.versions = match config.text("tls.versions")? {
        "1.2" => Versions::Only12,
        "1.3" => Versions::Only13,
        _ => Versions::Both,
    };
    settings.acme = acme_settings::settings(config, shared)?;
    settings.master_key = acme_settings::credential("master.key");
    let on_event = move |event| {
        if matches!(event, TlsEvent::Swapped { .. }) {
            swapped.notify_one();
        }
        tell(&*journal, event);
    };
    Identity::open(settings, on_event).map_err(|error| {
        let hint = "mend tls.certificate and tls.key (`tidegate config show` tells where they were \
                    set), or leave both \
                    out: a local CA then makes a certificate";
        anyhow::Error::from(error).context(Failure::new("the certificate can't be served", hint))
    })
}

/// Events that the journal has a place for go there; the others are told where they are: in the
/// log.
fn tell(journal: &dyn Journal, event: TlsEvent) {
    match event {
        TlsEvent::Swapped {
            names,
            not_after_unix,
        } => {
            journal.record(&Event::CertificateSwapped {
                names,
                not_after_unix,
            });
        }
        TlsEvent::Alarm { what, .. } => journal.record(&Event::CertificateAlarm { what }),
        TlsEvent::Rejected { reason } => journal.record(&Event::CertificateRejected { reason }),
        TlsEvent::CaCreated { .. } => tracing::info!("{event}"),
        other => tracing::warn!("{other}"),
    }
}

/// What the console's certificate is opened with.
pub struct Beside<'a> {
    pub data: &'a Path,
    pub database: &'a Identity,
    pub shared: Option<&'a AcmeShared>,
    pub journal: Arc<dyn Journal>,
}

/// The console's own certificate, or on loopback and with a local CA the database's.
pub fn console(config: &Config, listeners: &[TcpListener], beside: Beside<'_>) -> Result<Identity> {
    let Beside {
        data,
        database,
        shared,
        journal,
    } = beside;
    let domain = config.text("console.domain")?;
    let mut settings = TlsSettings::new(data.join("console"));
    settings.certificate = config.file("console.certificate")?;
    settings.key = config.file("console.key")?;
    if settings.certificate.is_none() && !domain.is_empty() && !listeners.is_empty() {
        settings.acme = acme_settings::settings(config, shared)?.map(|acme| {
            let domains = vec![domain.to_owned()];
            tidegate_tls::AcmeSettings { domains, ..acme }
        });
    }
    if settings.certificate.is_none() && settings.acme.is_none() {
        let open = listeners
            .iter()
            .filter_map(|l| l.local_addr().ok())
            .find(|a| !port_holder::is_loopback(a.ip()));
        return match open {
            Some(address) if !matches!(database.trust(), Trust::Local(_)) => Err(Failure::usage(
                format!("the console on {address} would have the database's name and certificate"),
                "give it a name of its own: --console-domain NAME with --domain, or \
                 console.certificate",
            )
            .into()),
            _ => Ok(database.clone()),
        };
    }
    settings.master_key =
        Some(acme_settings::credential("master.key").unwrap_or_else(|| data.join("master.key")));
    // One account per CA: a key that binds it to an account elsewhere may be good for one only.
    settings.accounts = Some(data.join("acme"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&settings.data)?;
    Identity::open(settings, move |event| tell_console(&*journal, event)).map_err(|error| {
        let hint = "mend console.certificate and console.key, or leave both out";
        anyhow::Error::from(error).context(Failure::new(
            "the console's certificate can't be served",
            hint,
        ))
    })
}

/// As the endpoint's events, with a word about whose they are.
fn tell_console(journal: &dyn Journal, event: TlsEvent) {
    match event {
        TlsEvent::Alarm { what, .. } => {
            journal.record(&Event::CertificateAlarm {
                what: format!("console: {what}"),
            });
        }
        TlsEvent::Rejected { reason } => {
            journal.record(&Event::CertificateRejected {
                reason: format!("console: {reason}"),
            });
        }
        TlsEvent::Swapped { .. } | TlsEvent::CaCreated { .. } => tracing::info!("console: {event}"),
        other => tracing::warn!("console: {other}"),
    }
}
