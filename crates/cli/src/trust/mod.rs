//! Trust stores of this machine: the system's, those of Java, and those of the user's browsers.
//! Only certificates that Tidegate made are added and removed, recognized by their name and
//! fingerprint.

mod browsers;
mod copy;
mod files;
mod folder;
mod java;
mod kinds;
mod macos;
mod store;
pub mod tool;
mod user;

use anyhow::Result;
use std::path::Path;
pub use store::{TrustStore, store_name};
use tidegate_tls::LocalRoot;

/// Returns the stores of this machine, the system's first, because Java's may be generated from it.
pub fn stores() -> Vec<Box<dyn TrustStore>> {
    let system: Option<Box<dyn TrustStore>> = if cfg!(target_os = "macos") {
        Some(Box::new(macos::Keychain))
    } else {
        folder::FolderStore::find(Path::new("/"))
            .map(|store| Box::new(store) as Box<dyn TrustStore>)
    };
    let java = java::JavaStore::find()
        .into_iter()
        .map(|store| Box::new(store) as Box<dyn TrustStore>);
    system
        .into_iter()
        .chain(java)
        .chain(browser_stores())
        .collect()
}

/// Returns the stores of the browsers of the user who typed the command.
pub fn browser_stores() -> Vec<Box<dyn TrustStore>> {
    browsers::BrowserStore::find(Path::new("/"))
        .into_iter()
        .map(|store| Box::new(store) as Box<dyn TrustStore>)
        .collect()
}

/// State of the local CA in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Installed,
    /// Not the current CA, but an older one of this data directory.
    Older,
    Absent,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Older => "older",
            Self::Absent => "absent",
        }
    }
}

/// Roots that Tidegate made and a store contains.
pub struct StoreContent {
    pub state: State,
    /// Older roots of this data directory.
    pub older: Vec<LocalRoot>,
    /// Roots of other data directories.
    pub others: Vec<LocalRoot>,
}

/// Reads what a store contains.
pub fn store_content(
    store: &dyn TrustStore,
    current: Option<&LocalRoot>,
    former: &[LocalRoot],
) -> Result<StoreContent> {
    let installed = match current {
        Some(root) => store.trusts(root)?,
        None => false,
    };
    let rest = store
        .ours()?
        .into_iter()
        .filter(|root| current != Some(root));
    let (older, others): (Vec<_>, Vec<_>) = rest.partition(|root| former.contains(root));
    let state = match (installed, older.is_empty()) {
        (true, _) => State::Installed,
        (false, false) => State::Older,
        (false, true) => State::Absent,
    };
    Ok(StoreContent {
        state,
        older,
        others,
    })
}
