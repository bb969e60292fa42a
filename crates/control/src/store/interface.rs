//! Interface of the store, so that a MySQL-compatible database can take the place of SQLite when
//! several gateways share their records.

use super::access_rows::{AccessRows, Hash, KeyRow, LinkRow};
use super::error::StoreResult;
use super::rows::{ClusterRow, Reservation, UnknownFolders};
use crate::settings::WebSessionLife;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tidegate_engine::Candidate;
use tidegate_model::{
    AccountBook, BoxFuture, ClusterId, ClusterLimits, ClusterName, ClusterSettings, RunEpoch,
};

/// Records of clusters. Every change is durable when its method returns.
pub trait Store: AccessStore + UidStore + Send + Sync + 'static {
    /// Loads all clusters that are not tombstones, without their accounts. A row that can't be read
    /// is left out and logged, so that one damaged cluster doesn't keep the server from starting.
    fn load(&self) -> BoxFuture<'_, StoreResult<Vec<ClusterRow>>>;

    /// Inserts a cluster in phase `Creating`, with a new number and, from `uids` if given, a user
    /// number.
    fn reserve<'a>(
        &'a self,
        wanted: &'a Reservation,
        uids: Option<RangeInclusive<u32>>,
        strays: &'a UnknownFolders,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>>;

    /// Changes a cluster from `Creating` to `Live`, with its first accounts unless a run has read
    /// some already.
    fn publish<'a>(
        &'a self,
        id: ClusterId,
        seed: &'a AccountBook,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>>;

    /// Changes the limits and settings of a live cluster.
    fn set_cluster(
        &self,
        id: ClusterId,
        limits: ClusterLimits,
        settings: ClusterSettings,
    ) -> BoxFuture<'_, StoreResult<()>>;

    /// Gives a live cluster another name, and frees the former one.
    fn rename(&self, id: ClusterId, name: ClusterName) -> BoxFuture<'_, StoreResult<()>>;

    /// Marks a cluster as being deleted. Frees the name; number, prefix and user number are kept
    /// until [`Store::bury`].
    fn begin_delete(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>>;

    /// Turns a cluster whose files are removed into a tombstone: frees the user number, deletes the
    /// accounts.
    fn bury(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>>;

    /// Increments the run and records that the engine may be running. Waits while the disk is full.
    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<RunEpoch>>;

    /// Records the accounts last read in a run and its clean end, both or neither. Waits while the
    /// disk is full.
    fn end_run(
        &self,
        id: ClusterId,
        run: RunEpoch,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, StoreResult<()>>;

    /// Reads the copy of a cluster's accounts; empty and incomplete if there is none or no such
    /// cluster.
    fn book(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<AccountBook>>;

    /// Replaces the copy of a cluster's accounts. Waits while the disk is full.
    fn save_accounts(
        &self,
        id: ClusterId,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, StoreResult<()>>;

    /// Whether a change waits for disk space.
    fn is_disk_full(&self) -> bool;

    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Records of access. Every change is durable when its method returns.
pub trait AccessStore {
    /// Makes the operator of this name if it is missing.
    fn ensure_operator(&self, name: &str, now: i64) -> BoxFuture<'_, StoreResult<()>>;

    fn load_access(&self) -> BoxFuture<'_, StoreResult<AccessRows>>;

    /// Adds a link. Deletes expired links, and the oldest above the bound.
    fn add_link(&self, link: LinkRow, operator: &str, now: i64) -> BoxFuture<'_, StoreResult<()>>;

    /// Replaces a valid link by a session and returns the operator's name. `None` if the link is
    /// not valid.
    fn redeem(
        &self,
        link: Hash,
        session: Hash,
        now: i64,
        life: WebSessionLife,
    ) -> BoxFuture<'_, StoreResult<Option<String>>>;

    fn saw_web_session(&self, hash: Hash, now: i64) -> BoxFuture<'_, StoreResult<()>>;
    fn end_web_session(&self, hash: Hash) -> BoxFuture<'_, StoreResult<()>>;

    fn add_key(&self, key: KeyRow) -> BoxFuture<'_, StoreResult<()>>;
    fn saw_key(&self, id: String, now: i64) -> BoxFuture<'_, StoreResult<()>>;
    fn remove_key(&self, id: String) -> BoxFuture<'_, StoreResult<()>>;

    /// Number of API keys that got the scope `all` when the store was opened, because keys had no
    /// scopes before.
    fn keys_widened(&self) -> u64;
}

/// Records of user numbers. Every change is durable when its method returns.
pub trait UidStore {
    /// Returns the next numbers of the range to give out, at most `limit` and without those of
    /// `skip`: first those that no cluster ever had, then the ones freed longest ago. The store
    /// doesn't know whether something of the former cluster is left.
    fn uid_candidates<'a>(
        &'a self,
        range: RangeInclusive<u32>,
        limit: usize,
        skip: &'a BTreeSet<u32>,
    ) -> BoxFuture<'a, StoreResult<Vec<Candidate>>>;

    /// Gives other numbers to clusters, to all of them or none.
    fn set_uids(&self, changes: Vec<(ClusterId, u32)>) -> BoxFuture<'_, StoreResult<()>>;
}
