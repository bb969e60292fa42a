//! What a kind of engine is to this room: one driver behind these two traits. Never knows leases,
//! waiters or ledgers.

use crate::error::StartError;
use crate::local::disk::DiskGuard;
use crate::local::process_usage::RunUsage;
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::{
    Accounts, BoxFuture, ClusterLimits, ClusterUsage, EngineAddress, EngineSessionId,
};

/// The engine of one cluster, running or not.
pub trait Driver: Send + Sync + 'static {
    /// Starts it and proves our login to it; at the first time its root is made. Dropping the
    /// future gives the start up and leaves no process.
    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>>;

    /// Address at which sessions connect; the same for all runs.
    fn address(&self) -> EngineAddress;

    /// Sets the limits of the next run.
    fn set_limits(&self, limits: &ClusterLimits);

    /// Judges whether an engine may start now. Called before anything is recorded of the start.
    fn admit(&self) -> BoxFuture<'_, Result<(), StartError>>;

    /// Why the file system has no space to start an engine, if it has none.
    fn lacks_space(&self) -> Option<String>;

    /// The guard of the cluster's disk limit.
    fn disk(&self) -> Arc<DiskGuard>;

    /// Measured use of the cluster. `run`: the engine that is alive.
    fn usage(&self, run: Option<Arc<dyn Run>>) -> BoxFuture<'_, ClusterUsage>;

    /// Deletes everything. Only called when no run is alive.
    fn remove(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// One run. Dropped, the engine is killed.
pub trait Run: Send + Sync + 'static {
    /// Ends when the engine has, with how.
    fn ended(&self) -> BoxFuture<'_, String>;

    /// Ends when the engine has given no sign of life for as long as `patience`.
    fn frozen(&self, patience: Duration) -> BoxFuture<'_, ()>;

    /// All accounts people may log in with: no roles, and not the engine's and the gateway's own.
    /// Incomplete if there are more than a book has room for.
    fn accounts(&self) -> BoxFuture<'_, Result<Accounts, RunError>>;

    /// Those of these users only.
    fn accounts_of<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<Accounts, RunError>>;

    /// Of the account `user@host`, by SHA1(SHA1(password)).
    fn set_password<'a>(
        &'a self,
        user: &'a str,
        host: &'a str,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), RunError>>;

    /// Sets the limits of this run from now on, but for those that a process can only be started
    /// with.
    fn set_limits(&self, limits: &ClusterLimits) -> BoxFuture<'_, Result<(), RunError>>;

    /// Measured use of this run. Cheap: reads a few small files of the kernel.
    fn usage(&self) -> BoxFuture<'_, RunUsage>;

    /// Processes of this run, as far as the server sees them.
    fn processes(&self) -> Vec<i32>;

    /// Refuses writes to everybody without the right to write all the same, or allows them again.
    fn set_read_only(&self, read_only: bool) -> BoxFuture<'_, Result<(), RunError>>;

    /// Ends it now. `reason` is reported as its end.
    fn kill_because(&self, reason: String);

    fn end_session(&self, session: EngineSessionId) -> BoxFuture<'_, Result<(), RunError>>;

    /// Waits until the engine knows no session but ours; ends with KILL those that stay. False if
    /// some still do.
    fn settle(&self, patience: Duration) -> BoxFuture<'_, Result<bool, RunError>>;

    /// Orderly, then not. True if it ended by itself in time.
    fn stop(&self) -> BoxFuture<'_, bool>;
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// The engine said no; the connection is good.
    #[error("{0}")]
    Refused(String),
    /// There is no administrative connection at the moment. The engine may be well.
    #[error("the administrative connection is lost: {0}")]
    Lost(String),
}
