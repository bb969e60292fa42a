//! Certificates of the database and the console: opened from the configuration, and their events
//! passed on to the journal and the log.

use super::listen::is_loopback;
use super::{acme_settings, master_key};
use crate::config::Config;
use crate::failure::Failure;
use anyhow::Result;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use tidegate_model::{Event, Journal, Trust};
use tidegate_tls::{AcmeShared, Identity, MasterKey, StateFolder, TlsEvent, TlsSettings, Versions};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Identities of the database and the console, opened.
pub struct Identities {
    pub database: Identity,
    pub web: Identity,
    pub shared: Option<AcmeShared>,
    /// Notified whenever the database has a new certificate.
    pub swapped: Arc<Notify>,
}

impl Identities {
    pub fn open(
        config: &Config,
        root: &Path,
        console: &[TcpListener],
        journal: &Arc<dyn Journal>,
    ) -> Result<Self> {
        let swapped = Arc::new(Notify::new());
        let values = StateFolder::of_files(root);
        let master = master_key::open(root, values.clone())?;
        let shared = acme_settings::shared(config)?;
        let database = open_database_certificate(
            config,
            DatabaseInputs {
                data: root,
                values: values.clone(),
                master: master.clone(),
                shared: shared.as_ref(),
                journal: Arc::clone(journal),
                swapped: Arc::clone(&swapped),
            },
        )?;
        let inputs = ConsoleInputs {
            data: root,
            values,
            master,
            database: &database,
            shared: shared.as_ref(),
            journal: Arc::clone(journal),
        };
        let web = open_console_certificate(config, console, inputs)?;
        Ok(Self {
            database,
            web,
            shared,
            swapped,
        })
    }
}

/// Inputs for the database's certificate.
struct DatabaseInputs<'a> {
    data: &'a Path,
    values: StateFolder,
    master: MasterKey,
    shared: Option<&'a AcmeShared>,
    journal: Arc<dyn Journal>,
    swapped: Arc<Notify>,
}

/// Opens the database's certificate. `swapped` is notified whenever a new one is in use.
fn open_database_certificate(config: &Config, inputs: DatabaseInputs<'_>) -> Result<Identity> {
    let DatabaseInputs {
        data,
        values,
        master,
        shared,
        journal,
        swapped,
    } = inputs;
    let mut settings = TlsSettings::new(data);
    settings.names = config.names("tls.names")?;
    // A certificate from the local CA serves the console too.
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
    settings.values = Some(values);
    settings.master = Some(master);
    let on_event = move |event| {
        if matches!(event, TlsEvent::Swapped { .. }) {
            swapped.notify_one();
        }
        record_database_event(&*journal, event);
    };
    Identity::open(settings, on_event).map_err(|error| {
        let hint = "correct tls.certificate and tls.key (`tidegate config show` shows where they \
                    are set), or remove both: the local CA then makes a certificate";
        Failure::new("the certificate can't be used", hint)
            .caused_by(error)
            .into()
    })
}

/// Records an event in the journal if the journal has such an event, and logs it otherwise.
fn record_database_event(journal: &dyn Journal, event: TlsEvent) {
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

/// Inputs for the console's certificate.
struct ConsoleInputs<'a> {
    data: &'a Path,
    values: StateFolder,
    master: MasterKey,
    database: &'a Identity,
    shared: Option<&'a AcmeShared>,
    journal: Arc<dyn Journal>,
}

/// Opens the console's own certificate. Without one, the console shares the database's, which is
/// allowed on loopback and with the local CA only.
fn open_console_certificate(
    config: &Config,
    listeners: &[TcpListener],
    inputs: ConsoleInputs<'_>,
) -> Result<Identity> {
    let ConsoleInputs {
        data,
        values,
        master,
        database,
        shared,
        journal,
    } = inputs;
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
            .find(|a| !is_loopback(a.ip()));
        return match open {
            Some(address) if !matches!(database.trust(), Trust::Local(_)) => Err(Failure::usage(
                format!("the console on {address} would share the database's name and certificate"),
                "give the console its own name: --console-domain NAME together with --domain, or \
                 console.certificate",
            )
            .into()),
            _ => Ok(database.clone()),
        };
    }
    settings.master = Some(master);
    // The console shares the database's ACME accounts: a CA may accept the key that binds an
    // external account only once.
    settings.accounts = Some(values.folder("acme"));
    settings.values = Some(values.folder("console"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&settings.data)?;
    let on_event = move |event| record_console_event(&*journal, event);
    Identity::open(settings, on_event).map_err(|error| {
        let hint = "correct console.certificate and console.key, or remove both";
        Failure::new("the console's certificate can't be used", hint)
            .caused_by(error)
            .into()
    })
}

/// Records an event of the console's certificate, marked as the console's.
fn record_console_event(journal: &dyn Journal, event: TlsEvent) {
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
