//! Trait of a store of roots, and the names that our roots have in every store.

use anyhow::Result;
use std::path::PathBuf;
use tidegate_tls::LocalRoot;

/// Every name that this program gives begins so.
pub const NAME: &str = "tidegate-local-";

/// As much of a fingerprint as makes two alike names a miracle: 64 bits.
const MARK_LENGTH: usize = 16;

/// The one name of this root in every store.
pub fn store_name(root: &LocalRoot) -> String {
    format!(
        "{NAME}{}",
        root.fingerprint
            .get(..MARK_LENGTH)
            .unwrap_or(&root.fingerprint)
    )
}

/// One store.
pub trait Store {
    /// What it is, for people.
    fn title(&self) -> String;
    /// Where a root of ours lies in it.
    fn place(&self) -> PathBuf;
    /// Whether programs that read this store believe the root.
    fn trusts(&self, root: &LocalRoot) -> Result<bool>;
    /// All roots that bear a name of ours.
    fn ours(&self) -> Result<Vec<LocalRoot>>;
    /// Puts a root in that isn't there. Lines say what was done.
    fn install(&self, root: &LocalRoot) -> Result<Vec<String>>;
    /// Takes roots out, with every trace. Lines say what was done; none if nothing was there.
    fn remove(&self, roots: &[LocalRoot]) -> Result<Vec<String>>;
}
