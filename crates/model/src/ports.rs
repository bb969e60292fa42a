//! Ports: traits through which rooms that may not import each other communicate.

use crate::account::Account;
use crate::book::Claim;
use crate::cluster_settings::LiveSwitch;
use crate::error_chain::SharedError;
use crate::id::{ClusterId, ClusterName, Prefix, RunEpoch};
use crate::lease::Lease;
use crate::limits::ClusterLimits;
use crate::refusal::RefusalKind;
use crate::session_id::{EngineSession, SessionId};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Instant;

/// Boxed future, so that the ports can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A cluster as the directory returns it for a login.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub cluster: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    /// Accounts that this login can mean. Never the whole book: a session keeps this value until it
    /// ends.
    pub accounts: Vec<Account>,
    /// Whether a wrong password can be denied at once. True while the engine is cleanly asleep
    /// (nobody can have changed an account since the reading) or has failed (nothing newer can be
    /// read). Otherwise a mismatch waits for [`Directory::refresh`].
    pub accounts_current: bool,
    /// Whether the cluster still waits for its recovery, because this start found it without a
    /// clean sleep. `accounts` may be out of date, so no password is checked before
    /// [`Directory::recovered`] returns.
    pub recovering: bool,
    pub limits: ClusterLimits,
    /// Whether logins may come from the address of this one.
    pub allows_client: bool,
    /// As [`ClusterSettings::ping_holds`](crate::ClusterSettings::ping_holds).
    pub ping_holds: LiveSwitch,
}

/// Keyed hash of a login's prefix: stable over restarts, and unpredictable from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrefixTag(pub u64);

/// Cluster whose delays and refusals an unknown prefix imitates. Contains nothing that a password
/// could be checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twin {
    pub cluster: ClusterId,
    /// As [`Tenant::accounts_current`].
    pub accounts_current: bool,
    /// As [`Tenant::recovering`].
    pub recovering: bool,
    /// As [`Tenant::allows_client`].
    pub allows_client: bool,
}

/// Result of a lookup of a prefix.
#[derive(Debug, Clone)]
pub enum Found {
    Cluster(Tenant),
    /// No cluster has the prefix. There is no twin only while the server has no cluster.
    Nobody(Option<Twin>),
}

impl Found {
    /// The cluster that has the prefix.
    pub fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Cluster(tenant) => Some(tenant),
            Self::Nobody(_) => None,
        }
    }

    /// State that decides how a wrong password is answered: that of the cluster itself or of its
    /// twin.
    pub fn standing(&self) -> Option<Twin> {
        match self {
            Self::Cluster(Tenant {
                cluster,
                accounts_current,
                recovering,
                allows_client,
                ..
            }) => Some(Twin {
                cluster: *cluster,
                accounts_current: *accounts_current,
                recovering: *recovering,
                allows_client: *allows_client,
            }),
            Self::Nobody(twin) => *twin,
        }
    }
}

/// Directory of clusters and their accounts. Implemented in `control`.
pub trait Directory: Send + Sync + 'static {
    /// Finds the cluster of a prefix with the accounts that `claim` can mean, or the twin that
    /// `tag` chooses. Does the same work in both cases, so that the time tells nothing. Reads the
    /// store if the book of the cluster, or of the twin, is not in memory.
    fn find<'a>(
        &'a self,
        prefix: &'a Prefix,
        tag: PrefixTag,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Found, DirectoryError>>;

    /// Returns the accounts that `claim` can mean from a reading that **began after** `not_before`.
    /// At most one reading runs and one is queued per cluster, whatever the number of callers.
    fn refresh<'a>(
        &'a self,
        cluster: ClusterId,
        claim: &'a Claim,
        not_before: Instant,
    ) -> BoxFuture<'a, Result<Vec<Account>, DirectoryError>>;

    /// Takes as long as [`Directory::refresh`] of this cluster would take, and fails as often. Used
    /// for unknown prefixes. The engine itself is read only if its last reading is too old to
    /// imitate, at a bounded rate.
    fn imitate_refresh(&self, cluster: ClusterId) -> BoxFuture<'_, Result<(), DirectoryError>>;

    /// Waits until the recovery of this cluster has ended, successfully or not.
    fn recovered(&self, cluster: ClusterId) -> BoxFuture<'_, ()>;
}

/// Error of the directory. Only logs show it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DirectoryError {
    #[error("the cluster's accounts could not be read")]
    Unreadable(#[source] SharedError),
    #[error("the store could not be read")]
    Store(#[source] SharedError),
    #[error("the cluster was deleted")]
    Deleted,
    #[error("there are too many accounts of these users")]
    TooManyAccounts,
    /// Failure of a login with an unknown prefix, as the imitated cluster's last reading failed.
    #[error("the imitated reading failed")]
    Imitated,
}

/// Source of leases on running engines. Implemented in `engine`.
pub trait Waker: Send + Sync + 'static {
    /// Returns a lease on the running engine. Starts it if it sleeps, once for any number of
    /// waiters. Dropping the future gives up the wait.
    fn attach<'a>(
        &'a self,
        request: AttachRequest<'a>,
    ) -> BoxFuture<'a, Result<Lease, AttachError>>;

    /// Kills the engine's session of a client that is gone while a command was running, so that the
    /// command stops. Does not wait; does nothing if its run is over.
    fn end_session(&self, cluster: ClusterId, session: EngineSession);

    /// Whether the engine of this run is alive, asked after it closed a session. Ends within a few
    /// seconds.
    fn is_alive(&self, cluster: ClusterId, run: RunEpoch) -> BoxFuture<'_, bool>;
}

/// Counts of failed logins, by source and by source and login name: the more there were, the later
/// the next denial is sent. Whether a name exists makes no difference. Implemented in `gateway`.
///
/// A login waits for each answer, so an implementation must bound how long it takes.
pub trait Throttle: Send + Sync + 'static {
    /// Counts a wrong password under this name. Returns after how many ticks its denial is sent.
    fn count_failure<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, u32>;

    /// Takes back one failure that turned out to be none.
    fn take_back<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, ()>;

    /// Forgets the failures of this source under a name whose password it knows. Its failures under
    /// other names stay counted.
    fn forgive<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, ()>;

    /// Whether this source has failed under this name more often than people mistype.
    fn is_suspected<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, bool>;
}

/// Request of a session, whose password was proved, for a cluster's engine.
#[derive(Debug, Clone, Copy)]
pub struct AttachRequest<'a> {
    pub cluster: ClusterId,
    pub deadline: Instant,
    pub session: SessionId,
    /// The name that the engine knows.
    pub user: &'a str,
    pub client: SocketAddr,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    #[error("the cluster has as many sessions as its limit allows")]
    Full,
    #[error("the cluster was not awake by the deadline")]
    Deadline,
    #[error("the engine can't start: {0}")]
    Failed(String),
    /// A limit or the machine has no room for the engine now; the cluster itself is fine.
    #[error("{reason}")]
    Refused { kind: RefusalKind, reason: String },
    #[error("the cluster does not exist any more")]
    Gone,
    #[error("the server is stopping")]
    Stopping,
}
