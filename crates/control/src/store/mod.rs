//! What must survive the server: clusters, the runs of their engines, the copy of their accounts,
//! and who may use console and API. Never a password or a token, and never anything about a session
//! of a cluster.
//!
//! One trait, so that a MySQL-compatible database can stand behind it when several gateways share
//! their facts.

mod access;
mod books;
mod changes;
mod codec;
mod migrate;
mod migrate_books;
mod reserve;
mod runs;
mod sqlite;
mod uids;
mod writer;

pub use access::{AccessRows, AccessStore, Hash, KeyRow, LinkRow, WebSessionRow};
pub use sqlite::SqliteStore;
pub use uids::UidStore;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tidegate_model::{
    AccountBook, BoxFuture, ClusterEngine, ClusterId, ClusterLimits, ClusterName, Prefix, RunEpoch,
};

/// How far a cluster has come. Only `Live` ones are ever shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Written before anything stands on disk: whoever finds it at start sweeps what there is.
    Creating,
    Live,
    /// Invisible from here on; its directory is going or gone.
    Deleting,
    /// A tombstone: keeps the number and the prefix from being given out again.
    Gone,
}

/// One cluster as the store has it.
#[derive(Debug, Clone)]
pub struct ClusterRow {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    /// The system user its engine runs as, where the server is root.
    pub uid: Option<u32>,
    pub limits: ClusterLimits,
    pub phase: Phase,
    /// The last run that was begun; 0 before the first.
    pub run: RunEpoch,
    /// A run was begun and has not ended cleanly.
    pub awake: bool,
    /// The run that its stored accounts were read in.
    pub accounts_run: RunEpoch,
    /// Whether they are all accounts of the cluster.
    pub accounts_complete: bool,
}

/// What a new cluster is made from.
#[derive(Debug, Clone)]
pub struct Reservation {
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    pub limits: ClusterLimits,
}

/// What may not be given out although no row holds it: directories that lie about from an older
/// store.
#[derive(Debug, Clone, Default)]
pub struct Strays {
    /// The highest number that a directory carries.
    pub id_max: u64,
    /// Owners of those directories.
    pub uids: BTreeSet<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the name {0} is taken")]
    NameTaken(ClusterName),
    #[error("there is a key of that name already")]
    KeyNameTaken,
    #[error("there are as many keys as there may be")]
    TooManyKeys,
    #[error("the prefix is taken")]
    PrefixTaken,
    #[error("no user number is left")]
    NoUidLeft,
    #[error("there is no cluster {0}")]
    Unknown(ClusterId),
    #[error("it was written by a newer version (schema {found}, this version knows {known})")]
    Newer { found: i64, known: i64 },
    #[error("row of cluster {cluster}: {what}")]
    Corrupt { cluster: i64, what: String },
    #[error("there is no such operator")]
    NoOperator,
    #[error("the disk is full")]
    DiskFull,
    #[error("the store is closed")]
    Closed,
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

pub type StoreResult<T> = Result<T, StoreError>;

/// Every method is durable when it returns.
pub trait Store: AccessStore + UidStore + Send + Sync + 'static {
    /// Everything that is not a tombstone, without the accounts. A row that can't be read is left
    /// out and logged: one cluster's damage must not keep the others from starting.
    fn load(&self) -> BoxFuture<'_, StoreResult<Vec<ClusterRow>>>;

    /// Gives out number, name, prefix and (from `uids`, if any) the system user, in phase
    /// `Creating`.
    fn reserve<'a>(
        &'a self,
        wanted: &'a Reservation,
        uids: Option<RangeInclusive<u32>>,
        strays: &'a Strays,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>>;

    /// `Creating` becomes `Live`, with its first accounts unless a run has read some already.
    fn publish<'a>(
        &'a self,
        id: ClusterId,
        seed: &'a AccountBook,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>>;

    /// What a live cluster may use from now on.
    fn set_limits(&self, id: ClusterId, limits: ClusterLimits) -> BoxFuture<'_, StoreResult<()>>;

    /// Frees the name; keeps number, prefix and user until [`Store::bury`].
    fn begin_delete(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>>;

    /// Called once no file of it is left: frees the user, forgets the accounts.
    fn bury(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>>;

    /// Counts the run up and notes that the engine may be running. Waits while the disk is full.
    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<RunEpoch>>;

    /// The accounts as read last in that run, and the note that it ended cleanly; both or neither.
    /// Waits while the disk is full.
    fn end_run(
        &self,
        id: ClusterId,
        run: RunEpoch,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, StoreResult<()>>;

    /// The copy of a cluster's accounts; empty and incomplete if there is none, also of a cluster
    /// that does not exist.
    fn book(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<AccountBook>>;

    /// Waits while the disk is full.
    fn save_accounts(
        &self,
        id: ClusterId,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, StoreResult<()>>;

    /// Whether a change waits for room on the disk.
    fn is_disk_full(&self) -> bool;

    fn close(&self) -> BoxFuture<'_, ()>;
}
