//! A folder in the store of TLS state: the values of one certificate, of the database or the
//! console.

use crate::error::TlsError;
use crate::state_files::StateFiles;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tidegate_model::{PutIf, StoredValue, TlsStateStore, ValueVersion, ValueWatch};

/// Folder in the store of TLS state. Cheap to clone; all clones share the store.
#[derive(Clone)]
pub struct StateFolder {
    store: Arc<dyn TlsStateStore>,
    /// Empty, or a path with a slash at its end.
    prefix: String,
}

impl fmt::Debug for StateFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateFolder({:?})", self.prefix)
    }
}

impl StateFolder {
    /// Returns the values in the files of a data folder.
    pub fn of_files(data: &Path) -> Self {
        Self {
            store: Arc::new(StateFiles::new(data)),
            prefix: String::new(),
        }
    }

    /// Returns a folder in this one.
    pub fn folder(&self, name: &str) -> Self {
        Self {
            store: Arc::clone(&self.store),
            prefix: format!("{}{name}/", self.prefix),
        }
    }

    /// Returns the whole name of a value of this folder.
    pub fn whole_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn get(&self, name: &str) -> Result<Option<StoredValue>, TlsError> {
        Ok(self.store.get(&self.whole_name(name))?)
    }

    /// As [`TlsStateStore::put`].
    pub(crate) fn put(
        &self,
        name: &str,
        value: Option<&[u8]>,
        condition: PutIf,
    ) -> Result<Option<ValueVersion>, TlsError> {
        Ok(self.store.put(&self.whole_name(name), value, condition)?)
    }

    /// Replaces or removes a value, whatever it is now. For values that one task decides about.
    pub(crate) fn replace(&self, name: &str, value: Option<&[u8]>) -> Result<(), TlsError> {
        self.put(name, value, PutIf::Always).map(drop)
    }

    /// As [`TlsStateStore::watch`].
    pub(crate) fn watch(&self, name: &str) -> Box<dyn ValueWatch> {
        self.store.watch(&self.whole_name(name))
    }

    /// Returns the names of the values in a folder of this one.
    pub(crate) fn names(&self, folder: &str) -> Result<Vec<String>, TlsError> {
        let found = self.store.names(&self.whole_name(folder))?;
        Ok(found
            .iter()
            .filter_map(|name| name.strip_prefix(&self.prefix))
            .map(ToOwned::to_owned)
            .collect())
    }
}
