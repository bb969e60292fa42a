//! Trait of a store of roots, and the names that our roots have in every store.

use anyhow::Result;
use std::path::PathBuf;
use tidegate_tls::LocalRoot;

/// Beginning of every name that this program gives to a root.
pub const NAME: &str = "tidegate-local-";

/// Hexadecimal digits of the fingerprint in a name: 64 bits, enough to keep names apart.
const MARK_LENGTH: usize = 16;

/// Returns the name of this root, which is the same in every store.
pub fn store_name(root: &LocalRoot) -> String {
    format!(
        "{NAME}{}",
        root.fingerprint
            .get(..MARK_LENGTH)
            .unwrap_or(&root.fingerprint)
    )
}

/// Trust store.
pub trait TrustStore {
    /// Name of the store, for people.
    fn title(&self) -> String;
    /// Folder or file in which the store keeps our roots.
    fn place(&self) -> PathBuf;
    /// Whether programs that read this store trust the root.
    fn trusts(&self, root: &LocalRoot) -> Result<bool>;
    /// All roots under names that this program gives.
    fn ours(&self) -> Result<Vec<LocalRoot>>;
    /// Adds a root that is not in the store. Returns lines that say what was done.
    fn install(&self, root: &LocalRoot) -> Result<Vec<String>>;
    /// Removes roots and everything made from them. Returns lines that say what was done; none if
    /// nothing was there.
    fn remove(&self, roots: &[LocalRoot]) -> Result<Vec<String>>;
}
