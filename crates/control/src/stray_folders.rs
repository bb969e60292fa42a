//! Directories of clusters that the store doesn't have: of an older store, or a copy. They are not
//! touched, but their numbers and owners are not given to new clusters.

use crate::register::Register;
use crate::store::{Phase, Store, StoreResult, UnknownFolders};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::ClusterId;
use tokio::sync::OnceCell;

/// These directories, found once: by the first creation of a cluster, or soon after the start. None
/// is added while the server runs.
pub struct StrayFolders {
    engines: PathBuf,
    register: Arc<Register>,
    store: Arc<dyn Store>,
    found: OnceCell<UnknownFolders>,
}

impl StrayFolders {
    pub fn new(engines: PathBuf, register: Arc<Register>, store: Arc<dyn Store>) -> Self {
        Self {
            engines,
            register,
            store,
            found: OnceCell::new(),
        }
    }

    pub async fn find(&self) -> StoreResult<&UnknownFolders> {
        self.found.get_or_try_init(|| self.search()).await
    }

    async fn search(&self) -> StoreResult<UnknownFolders> {
        let mut known = self.register.index().ids().to_vec();
        known.sort_unstable();
        let engines = self.engines.clone();
        // Reads the directory, which blocks.
        let unknown = tokio::task::spawn_blocking(move || find_unknown(&engines, &known)).await;
        let mut strays = UnknownFolders::default();
        for (id, path) in unknown.unwrap_or_default() {
            // A cluster that is being created or deleted has a row.
            let row = self.store.cluster(id).await?;
            if row.is_some_and(|row| row.phase != Phase::Gone) {
                continue;
            }
            // Gone: its deletion has ended meanwhile.
            let Ok(meta) = path.symlink_metadata() else {
                continue;
            };
            tracing::warn!(path = %path.display(), "this directory belongs to no cluster; it is \
                 not touched");
            strays.ids.insert(id);
            strays.uids.insert(meta.uid());
        }
        Ok(strays)
    }
}

/// Finds the directories of clusters that are not among these, which are sorted.
fn find_unknown(engines: &Path, known: &[ClusterId]) -> Vec<(ClusterId, PathBuf)> {
    let mut unknown = Vec::new();
    for entry in std::fs::read_dir(engines).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.parse().ok());
        if let Some(id) = id.map(ClusterId)
            && known.binary_search(&id).is_err()
        {
            unknown.push((id, entry.path()));
        }
    }
    unknown
}
