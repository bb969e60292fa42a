//! The ports: what one room needs of another without knowing it.

use crate::account::Account;
use crate::book::Claim;
use crate::id::{ClusterId, ClusterName, EngineSessionId, Prefix, RunEpoch};
use crate::lease::Lease;
use crate::limits::ClusterLimits;
use crate::refusal::RefusalKind;
use std::pin::Pin;
use std::time::Instant;

/// A boxed future, so that ports can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the directory knows of a cluster when somebody knocks.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub cluster: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    /// Accounts that this login may mean. Never the whole book: a session keeps this for as long as
    /// it lasts.
    pub accounts: Vec<Account>,
    /// True while the engine is cleanly asleep (nobody can have changed an account since the
    /// reading) or has failed (nothing newer can be known): a mismatch is then a verdict. Otherwise
    /// a mismatch waits for [`Directory::refresh`].
    pub settled: bool,
    /// Found without a clean sleep at this start, and not recovered yet: `accounts` may be out of
    /// date, so no password is judged before [`Directory::recovered`] ends.
    pub recovering: bool,
    pub limits: ClusterLimits,
}

/// Keyed hash of a login's prefix: the same for the same prefix, over restarts too, and
/// unpredictable from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrefixTag(pub u64);

/// The cluster whose delays and refusals an unknown prefix imitates. Contains nothing that a
/// password could be judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twin {
    pub cluster: ClusterId,
    /// As [`Tenant::settled`].
    pub settled: bool,
    /// As [`Tenant::recovering`].
    pub recovering: bool,
}

/// Answer of the directory to a prefix.
#[derive(Debug, Clone)]
pub enum Found {
    Cluster(Tenant),
    /// No cluster has the prefix. The twin is missing only while there is no cluster at all.
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

    /// State by which a mismatch is answered: that of the cluster itself or of the twin.
    pub fn standing(&self) -> Option<Twin> {
        match self {
            Self::Cluster(Tenant {
                cluster,
                settled,
                recovering,
                ..
            }) => Some(Twin {
                cluster: *cluster,
                settled: *settled,
                recovering: *recovering,
            }),
            Self::Nobody(twin) => *twin,
        }
    }
}

/// Who exists. Implemented in `control`.
pub trait Directory: Send + Sync + 'static {
    /// The cluster behind a prefix with the accounts that `claim` may mean, or the twin that `tag`
    /// chooses. The same work is done whether it exists or not. Reads the store if the book of the
    /// cluster, or of the twin, is not in memory.
    fn find<'a>(
        &'a self,
        prefix: &'a Prefix,
        tag: PrefixTag,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Found, DirectoryError>>;

    /// The accounts that `claim` may mean, as a reading saw them that **began after** `not_before`.
    /// Off the login's own path: at most one reading runs and one is queued per cluster, however
    /// many ask.
    fn refresh<'a>(
        &'a self,
        cluster: ClusterId,
        claim: &'a Claim,
        not_before: Instant,
    ) -> BoxFuture<'a, Result<Vec<Account>, DirectoryError>>;

    /// Takes as long as [`Directory::refresh`] of this cluster would take, and fails as often. For
    /// unknown prefixes: the engine itself is asked only if its last reading is too old to imitate,
    /// at a rate that has a bound.
    fn imitate_refresh(&self, cluster: ClusterId) -> BoxFuture<'_, Result<(), DirectoryError>>;

    /// Ends when the recovery of this one cluster has ended, successfully or not.
    fn recovered(&self, cluster: ClusterId) -> BoxFuture<'_, ()>;
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
    /// A lease on the running engine, starting it if it sleeps: one start for any number of
    /// waiters. Dropping the future frees the place.
    fn attach(
        &self,
        cluster: ClusterId,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<Lease, AttachError>>;

    /// Ends a session in the engine whose client has gone while a command was outstanding, so that
    /// the work stops. Asks for nothing back; does nothing if that run is over.
    fn end_session(&self, cluster: ClusterId, run: RunEpoch, session: EngineSessionId);
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    #[error("the cluster was not awake by the deadline")]
    Deadline,
    #[error("the engine can't start: {0}")]
    Failed(String),
    /// A limit or the machine has no place for the engine now; nothing is wrong with the cluster.
    #[error("{reason}")]
    Refused { kind: RefusalKind, reason: String },
    #[error("the cluster does not exist any more")]
    Gone,
    #[error("the server is stopping")]
    Stopping,
}
