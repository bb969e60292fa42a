//! The stores of this machine in which programs look for roots they trust: the system's and Java's.
//! It puts in and takes out what Tidegate made, known by its name and its fingerprint, and never
//! touches anybody else's certificate.

mod files;
mod folder;
mod java;
mod kinds;
mod macos;
mod store;
pub mod tool;

use anyhow::Result;
use std::path::Path;
pub use store::{Store, store_name};
use tidegate_tls::LocalRoot;

/// The stores of this machine, the system's first: Java's may be made from it.
pub fn stores() -> Vec<Box<dyn Store>> {
    let system: Option<Box<dyn Store>> = if cfg!(target_os = "macos") {
        Some(Box::new(macos::Keychain))
    } else {
        folder::FolderStore::find(Path::new("/")).map(|store| Box::new(store) as Box<dyn Store>)
    };
    let java = java::JavaStore::find()
        .into_iter()
        .map(|store| Box::new(store) as Box<dyn Store>);
    system.into_iter().chain(java).collect()
}

/// How one root stands in one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Installed,
    /// Not this one, but one that this data directory had before.
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

/// What a store has of ours.
pub struct Finding {
    pub state: State,
    /// Former roots of this data directory that are still in it.
    pub older: Vec<LocalRoot>,
    /// Roots of other data directories.
    pub others: Vec<LocalRoot>,
}

/// Looks into a store; changes nothing.
pub fn look(
    store: &dyn Store,
    current: Option<&LocalRoot>,
    former: &[LocalRoot],
) -> Result<Finding> {
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
    Ok(Finding {
        state,
        older,
        others,
    })
}
