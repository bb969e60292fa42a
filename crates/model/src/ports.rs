//! The ports: what one room needs of another without knowing it.

use crate::account::AccountBook;
use crate::id::{ClusterId, ClusterName, EngineSessionId, Prefix, RunEpoch};
use crate::lease::Lease;
use crate::limits::ClusterLimits;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// A boxed future, so that ports can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the directory knows of a cluster when somebody knocks.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub cluster: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub accounts: Arc<AccountBook>,
    /// True only while the engine is cleanly asleep: then nobody can have changed an account since the
    /// reading, and a mismatch is a verdict. Otherwise a mismatch waits for [`Directory::refresh`].
    pub settled: bool,
    pub limits: ClusterLimits,
}

/// Who exists. Implemented in `control`.
pub trait Directory: Send + Sync + 'static {
    /// The cluster behind a prefix. The same work is done whether it exists or not.
    fn find<'a>(&'a self, prefix: &'a Prefix) -> BoxFuture<'a, Result<Option<Tenant>, DirectoryError>>;

    /// The accounts as a reading saw them that **began after** `not_before`. Off the login's own path: at most
    /// one reading runs and one is queued per cluster, however many ask.
    fn refresh(
        &self,
        cluster: ClusterId,
        not_before: Instant,
    ) -> BoxFuture<'_, Result<Arc<AccountBook>, DirectoryError>>;

    /// Ends when the recovery pass of this start has ended. Until then no credential is judged.
    fn ready(&self) -> BoxFuture<'_, ()>;
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum DirectoryError {
    #[error("the cluster's accounts could not be read: {0}")]
    Unreadable(String),
    #[error("the store could not be read: {0}")]
    Store(String),
}

/// Who can be woken. Implemented in `engine`.
pub trait Waker: Send + Sync + 'static {
    /// A lease on the running engine, starting it if it sleeps: one start for any number of waiters. Dropping
    /// the future frees the place.
    fn attach(&self, cluster: ClusterId, deadline: Instant) -> BoxFuture<'_, Result<Lease, AttachError>>;

    /// Ends a session in the engine whose client has gone while a command was outstanding, so that the work
    /// stops. Asks for nothing back; does nothing if that run is over.
    fn end_session(&self, cluster: ClusterId, run: RunEpoch, session: EngineSessionId);
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    #[error("the cluster was not awake by the deadline")]
    Deadline,
    #[error("the engine can't start: {0}")]
    Failed(String),
    #[error("the cluster does not exist any more")]
    Gone,
    #[error("the server is stopping")]
    Stopping,
}
