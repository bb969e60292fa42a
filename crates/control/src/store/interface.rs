//! Interface of the store, so that a MySQL-compatible database can take the place of SQLite when
//! several gateways share their records.

use super::access_rows::{AccessRows, Hash, KeyRow, LinkRow};
use super::error::StoreResult;
use super::rows::{ClusterRow, Reservation, Strays};
use crate::settings::WebSessionLife;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tidegate_engine::Candidate;
use tidegate_model::{AccountBook, BoxFuture, ClusterId, ClusterLimits, RunEpoch};

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

/// Every change is durable when it returns.
pub trait AccessStore {
    /// The operator of that name, made if missing.
    fn ensure_operator(&self, name: &str, now: i64) -> BoxFuture<'_, StoreResult<()>>;

    fn load_access(&self) -> BoxFuture<'_, StoreResult<AccessRows>>;

    /// Drops links that have expired, and the oldest beyond the bound.
    fn add_link(&self, link: LinkRow, operator: &str, now: i64) -> BoxFuture<'_, StoreResult<()>>;

    /// A valid link becomes a session; both or neither. `None` if the link is not valid.
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

    /// API keys that got the scope `all` when the store was opened, since keys had no scopes
    /// before.
    fn keys_widened(&self) -> u64;
}

/// Changes are durable when they return.
pub trait UidStore {
    /// The next numbers of the range to give out, at most `limit`: those that no cluster ever had,
    /// then the ones freed longest ago. Whether something of the former cluster is left is not
    /// known here. None of `skip`.
    fn uid_candidates<'a>(
        &'a self,
        range: RangeInclusive<u32>,
        limit: usize,
        skip: &'a BTreeSet<u32>,
    ) -> BoxFuture<'a, StoreResult<Vec<Candidate>>>;

    /// Gives clusters other numbers. All of them or none.
    fn set_uids(&self, changes: Vec<(ClusterId, u32)>) -> BoxFuture<'_, StoreResult<()>>;
}
