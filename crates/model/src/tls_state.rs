//! Port for the state of TLS: certificates with their keys and history, ticket keys, ACME accounts,
//! records and challenges. Implemented in `tls`, by the files of the data folder.
//!
//! Calls may block on a disk: none is made on a worker thread of connections.

use crate::error_chain::SharedError;
use zeroize::Zeroizing;

/// Version of a stored value. Equal versions of one name mean the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueVersion(pub u64);

/// A value and its version. The bytes are wiped when dropped, since they may contain a key.
#[derive(Debug)]
pub struct StoredValue {
    pub bytes: Zeroizing<Vec<u8>>,
    pub version: ValueVersion,
}

/// Condition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutIf {
    /// Whatever the value is now. For values that one task decides about, or that can't be read.
    Always,
    /// The value still has this version (`None`: there is no value).
    Unchanged(Option<ValueVersion>),
}

/// Values by name. A name is a path without a leading slash, such as `tls/leaf.pem`.
pub trait TlsStateStore: Send + Sync + 'static {
    /// Reads a value; `None` if there is none.
    fn get(&self, name: &str) -> Result<Option<StoredValue>, TlsStateError>;

    /// Replaces a value, or removes it (`None`). Returns its new version. Durable when it returns;
    /// after a crash, the value is the old or the new one.
    ///
    /// # Errors
    /// [`TlsStateError::Changed`] if the condition is not met.
    fn put(
        &self,
        name: &str,
        value: Option<&[u8]>,
        condition: PutIf,
    ) -> Result<Option<ValueVersion>, TlsStateError>;

    /// Returns a watcher of a value's changes, by this process and by others.
    fn watch(&self, name: &str) -> Box<dyn ValueWatch>;

    /// Returns the names of the values in a folder, sorted.
    fn names(&self, folder: &str) -> Result<Vec<String>, TlsStateError>;
}

/// Watcher of one value.
pub trait ValueWatch: Send {
    /// Whether the value has changed since the last call, or since the watcher was made. A value
    /// that can't be read has not changed.
    fn has_changed(&mut self) -> bool;
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsStateError {
    #[error("{0} was changed at the same time")]
    Changed(String),
    #[error("{name} can't be used")]
    Failed {
        name: String,
        #[source]
        source: SharedError,
    },
}
