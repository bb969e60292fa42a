//! Place of a cluster's engine log, read from the store of a data directory whether or not a server
//! runs on it.

use crate::store::{SqliteStore, StoreError};
use std::path::{Path, PathBuf};
use tidegate_engine::EngineSettings;

/// Returns the path of the log of a cluster's engine; `None` if there is no cluster of that name.
/// Changes nothing.
///
/// # Errors
/// If the store can't be read.
pub async fn engine_log(data: &Path, name: &str) -> Result<Option<PathBuf>, StoreError> {
    let store = data.join("store.sqlite");
    let id = SqliteStore::find_id(&store, name).await?;
    Ok(id.map(|id| EngineSettings::log_of(data, id)))
}
