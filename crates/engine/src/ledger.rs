//! The port through which this room has runs and accounts noted durably. Never knows the store
//! behind it.

use std::sync::Arc;
use tidegate_model::SharedError;
use tidegate_model::{AccountBook, BoxFuture, ClusterId, RunEpoch};

/// Implemented in `control` over the store.
pub trait Ledger: Send + Sync + 'static {
    /// Notes durably that the cluster is awake, and counts its run up. Called before the engine
    /// starts: whoever finds the note without an end recovers the engine before any login is
    /// judged.
    fn begin_run(&self, cluster: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>>;

    /// Frees what is in memory of a cluster's accounts: a reading that replaces all of them is
    /// about to begin, and two books of a cluster need not exist at once.
    fn make_room(&self, _cluster: ClusterId) {}

    /// Notes durably that this run ended cleanly with these accounts: the cluster is asleep and
    /// settled.
    fn end_run(
        &self,
        cluster: ClusterId,
        run: RunEpoch,
        accounts: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Keeps a fresh reading. The first one of a cluster also says that its root is in the engine
    /// ("provisioned").
    fn save_accounts(
        &self,
        cluster: ClusterId,
        accounts: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>>;
}

/// Error of the store behind the port.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct LedgerError(SharedError);

impl LedgerError {
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Arc::from(source.into()))
    }
}
