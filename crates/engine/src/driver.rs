//! The port between this room and one kind of engine: a driver per cluster, and a run per start. It
//! does not use leases, waiters or the ledger.

use crate::administration::Administration;
use crate::error::{EngineError, RunError, StartError};
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::{
    Accounts, BoxFuture, ClusterLimits, ClusterUsage, EngineAddress, EngineCertificate,
    EngineSession, LiveSwitch, ReadingOrder, ServerVariables,
};

/// The engine of one cluster, running or not.
///
/// The defaults are those of an engine that runs elsewhere: this server sets no limits for it and
/// needs no space to start it.
/// Events that tenants have defined, and whether the engine runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineEvents {
    pub defined: u64,
    /// Whether its scheduler is on, whoever turned it on or off.
    pub running: bool,
}

pub trait Driver: Send + Sync + 'static {
    /// Creates what must exist between runs, such as the listening socket. Called once; an error
    /// makes the cluster failed until a start succeeds.
    fn prepare(&self) -> Result<(), StartError> {
        Ok(())
    }

    /// Starts the engine and logs in to it; the first start also creates its root. Dropping the
    /// future cancels the start and leaves no process.
    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>>;

    /// Address at which sessions connect; the same for all runs.
    fn address(&self) -> EngineAddress;

    /// Whether the record of a run must be durable before its engine starts, because the engine
    /// writes to this machine and recovers after a crash. If not, both happen at the same time.
    fn durable_start(&self) -> bool {
        false
    }

    /// Whether the engine may be stopped when nobody uses it.
    fn sleeps(&self) -> bool {
        true
    }

    /// Sets the limits of the next run.
    fn set_limits(&self, _limits: &ClusterLimits) {}

    /// Sets the server variables of the next runs, which can then be changed while they run.
    /// `None`: none, and they need not be changed.
    fn set_variables(&self, _variables: Option<&ServerVariables>) {}

    /// Checks whether an engine may start now. Called before the start is recorded.
    fn admit(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(async { Ok(()) })
    }

    /// Whether a start failed only because the disk is full.
    fn is_lack_of_space(&self, _error: &StartError) -> bool {
        false
    }

    /// Allows a cluster at its disk limit to delete for this long.
    fn allow_shrink(&self, _time: Duration) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async { Err(EngineError::Unsupported("a disk limit")) })
    }

    /// Makes the next start repair the accounts, and create `user@'%'` again with this password and
    /// all privileges of a cluster's root. False if this kind of engine can't, or not now.
    fn repair_accounts(&self, _repair: Repair, _user: &str, _stage2: [u8; 20]) -> bool {
        false
    }

    /// Measured use of the cluster. `run`: the engine that is alive.
    fn usage(&self, run: Option<Arc<dyn Run>>) -> BoxFuture<'_, ClusterUsage> {
        Box::pin(async move {
            let now = match run {
                Some(run) => run.usage().await,
                None => RunUsage::default(),
            };
            ClusterUsage {
                disk_bytes: None,
                memory_bytes: now.memory_bytes,
                cpu_micros: now.cpu_micros,
                tasks: now.tasks,
                ..ClusterUsage::default()
            }
        })
    }

    /// Whether a driver that is made again serves as well as this one, while the cluster sleeps.
    fn is_forgettable(&self) -> bool {
        true
    }

    /// Number of events as the last run had them at its end, if it is known.
    fn last_events(&self) -> Option<u64> {
        None
    }

    /// Deletes everything. Only called when no run is alive.
    fn remove(&self) -> BoxFuture<'_, Result<(), EngineError>>;
}

/// Accounts that a repair keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// The accounts, as far as they can be read, and their privileges.
    Accounts,
    /// None: the tables of accounts and privileges are renamed and created again.
    Anew,
}

/// Measured use of one run. A field that can't be measured is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunUsage {
    /// Anonymous memory.
    pub memory_bytes: Option<u64>,
    pub cpu_micros: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

/// A run of an engine. Dropping it kills the engine, if it is a process of this server.
///
/// The defaults are those of an engine that runs elsewhere: this server neither sees its end nor
/// stops it. A kind whose engines are processes of this server implements all methods.
pub trait Run: Send + Sync + 'static {
    /// Waits until the engine has ended, and returns how.
    fn ended(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }

    /// Waits until the engine has given no sign of life for as long as `patience`.
    fn frozen(&self, _patience: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    /// Returns the number of a reading of the accounts that is about to begin.
    fn next_reading(&self) -> ReadingOrder;

    /// Certificate by which this run is recognized over TLS. `None`: it offers no TLS.
    fn certificate(&self) -> Option<Arc<EngineCertificate>> {
        None
    }

    /// All accounts that clients may log in with: without roles and without the engine's and the
    /// gateway's own accounts. Incomplete if there are more than a book has room for.
    fn accounts(&self) -> BoxFuture<'_, Result<Accounts, RunError>>;

    /// Accounts of these users only, or of more.
    fn accounts_of<'a>(
        &'a self,
        _users: &'a [String],
    ) -> BoxFuture<'a, Result<Accounts, RunError>> {
        self.accounts()
    }

    /// Sets the password of the account `user@host`, by SHA1(SHA1(password)).
    fn set_password<'a>(
        &'a self,
        user: &'a str,
        host: &'a str,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), RunError>>;

    /// Sets the limits of this run from now on, except those that a process can only be started
    /// with.
    fn set_limits(&self, _limits: &ClusterLimits) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(async { Ok(()) })
    }

    /// Switch that is on while the engine is read-only because of the cluster's disk limit.
    fn at_disk_limit(&self) -> LiveSwitch {
        LiveSwitch::default()
    }

    /// Drops accounts without a name, which the engine prefers to the operator's own at their
    /// hosts. Returns how many; 0 for a user that is not the operator's.
    fn drop_shadows<'a>(&'a self, _user: &'a str) -> BoxFuture<'a, Result<usize, RunError>> {
        Box::pin(async { Ok(0) })
    }

    /// Whether the engine still answers. False if that is not known.
    fn answers(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { false })
    }

    /// Users and databases of this run. `None`: this kind of engine does not manage them.
    fn administration(&self) -> Option<&dyn Administration> {
        None
    }

    /// Changes the server variables of this run: all of them or, if the engine refuses one, none.
    /// False: it can't be changed while it runs, so its next start has them.
    fn set_variables<'a>(
        &'a self,
        _variables: &'a ServerVariables,
    ) -> BoxFuture<'a, Result<bool, RunError>> {
        let none = "this kind of engine has no server variables".to_owned();
        Box::pin(async { Err(RunError::Refused(none)) })
    }

    /// Measured use of this run. Cheap: reads a few small files of the kernel.
    fn usage(&self) -> BoxFuture<'_, RunUsage> {
        Box::pin(async { RunUsage::default() })
    }

    /// Events of the engine, as it tells at this moment.
    fn events(&self) -> BoxFuture<'_, Option<EngineEvents>> {
        Box::pin(async { None })
    }

    /// Ends the engine now. `reason` is reported as its end.
    fn kill_because(&self, _reason: String) {}

    /// Ends one session and its work.
    fn end_session(&self, session: EngineSession) -> BoxFuture<'_, Result<(), RunError>>;

    /// Waits until the engine has no session but the gateway's own, and ends with KILL those that
    /// stay. False if some still stay.
    fn settle(&self, _patience: Duration) -> BoxFuture<'_, Result<bool, RunError>> {
        Box::pin(async { Ok(true) })
    }

    /// Stops the engine cleanly, and kills it if that takes too long. True if it ended by itself in
    /// time.
    fn stop(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }
}
