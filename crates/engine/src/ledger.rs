//! Port through which this room records runs and accounts durably. It hides the store behind it.

use crate::kind::ClusterSpec;
use std::sync::Arc;
use tidegate_model::SharedError;
use tidegate_model::{AccountBook, BoxFuture, ClusterId, RunEpoch, ServerVariables};

/// A cluster as it is recorded.
pub struct RecordedCluster {
    pub spec: ClusterSpec,
    /// Whether its last run ended with an orderly sleep.
    pub clean: bool,
    /// Server variables of its next runs, if it has any.
    pub variables: Option<ServerVariables>,
}

/// Implemented in `control` over the store.
pub trait Ledger: Send + Sync + 'static {
    /// Returns a cluster that this room does not have in memory. `None`: there is no such cluster.
    fn find_cluster(
        &self,
        _cluster: ClusterId,
    ) -> BoxFuture<'_, Result<Option<RecordedCluster>, LedgerError>> {
        Box::pin(async { Ok(None) })
    }

    /// Records durably that the cluster is awake, and increments its run number. Called before the
    /// engine starts. A start that finds this record without an end recovers the engine before any
    /// password is checked.
    fn begin_run(&self, cluster: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>>;

    /// Frees what is in memory of a cluster's accounts: a reading that replaces all of them is
    /// about to begin, and two books of a cluster need not exist at once.
    fn make_room(&self, _cluster: ClusterId) {}

    /// Records durably that this run ended cleanly with these accounts: the cluster is asleep and
    /// settled.
    fn end_run(
        &self,
        cluster: ClusterId,
        run: RunEpoch,
        accounts: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Stores a new reading. The first one of a cluster also says that its root is in the engine
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
