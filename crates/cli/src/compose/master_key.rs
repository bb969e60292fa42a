//! The master key of a server: opened, with warnings about what it does not open, and followed
//! while it changes.

use super::acme_settings;
use crate::failure::Failure;
use anyhow::{Context, Result};
use std::path::Path;
use tidegate_gateway::Gateway;
use tidegate_tls::{MasterKey, StateFolder, SubKey, TlsError};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Opens the key that the service manager passes, else the one in the data directory.
pub fn open(data: &Path, values: StateFolder) -> Result<MasterKey> {
    let master = open_key(data, values).map_err(|error| {
        Failure::new(
            "the master key can't be used",
            "restore `master.key` from a backup; see docs/certificates.md",
        )
        .caused_by(error)
    })?;
    warn_of_foreign_values(&master);
    if master.is_rotating() && master.is_given() {
        tracing::info!(
            key = %master.id(),
            "everything is encrypted with the first master key of the credential; remove the \
             second one from it"
        );
    } else if master.is_rotating() {
        tracing::warn!(
            "the rotation of the master key could not be completed; hint: free disk space, then \
             run `tidegate key rotate-master`"
        );
    }
    Ok(master)
}

fn open_key(data: &Path, values: StateFolder) -> Result<MasterKey, TlsError> {
    match acme_settings::credential("master.key") {
        Some(file) => MasterKey::open_given(&file, values),
        None => MasterKey::open(data, values),
    }
}

/// Logs which files another master key encrypted. The server starts all the same: it orders and
/// makes what it can't read again.
fn warn_of_foreign_values(master: &MasterKey) {
    match master.foreign_values() {
        Ok(foreign) => foreign.iter().for_each(|file| {
            tracing::warn!(
                "{} was encrypted with master key {}, and this server has {}: its content can't \
                 be used; hint: stop the server, restore that key from a backup and start again",
                file.name,
                file.key,
                master.id()
            );
        }),
        Err(error) => tracing::warn!(%error, "the encrypted files could not be checked"),
    }
}

/// Derives a key from the master key.
pub fn derive(master: &MasterKey, use_of: SubKey) -> Result<Zeroizing<[u8; 32]>> {
    master
        .derive(use_of)
        .context("deriving a key failed in the system's cryptography")
}

/// Gives the gateway the key of unknown prefixes again whenever the master key has changed. (The
/// key of failed logins only places counts in memory: with another one, they would be forgotten.)
pub async fn follow(master: MasterKey, gateway: Gateway, closing: CancellationToken) {
    let mut id = master.watch_id();
    while let Some(Ok(())) = closing.run_until_cancelled(id.changed()).await {
        if let Some(key) = master.derive(SubKey::UnknownPrefixes) {
            gateway.set_decoy_key(key);
        }
    }
}
