//! Interface of the store, in parts. A MySQL-compatible database can take the place of SQLite for
//! the parts that several gateways share; what belongs to one host always stays in its SQLite file.

use super::access_rows::{AccessRows, Hash, KeyRow, LinkRow};
use super::answers::{NewRequest, StoredRequest};
use super::error::StoreResult;
use super::operations::{OperationClaim, OperationKind, OperationRow};
use super::rows::{ClusterRow, HostRow, ListPart, PartWanted, Reservation, StoreChanges};
use crate::settings::WebSessionLife;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tidegate_engine::Candidate;
use tidegate_model::{
    AccountBook, BoxFuture, ClusterId, ClusterLimits, ClusterName, ClusterSettings, Prefix,
    RunEpoch,
};

/// All records of a server. Every change is durable when its method returns.
pub trait Store:
    ChangeFeed + ClusterStore + OperationStore + AccessStore + AnswerStore + HostStore + 'static
{
    /// Whether a change waits for disk space.
    fn is_disk_full(&self) -> bool;

    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Changes of the facts that gateways may share.
pub trait ChangeFeed: Send + Sync {
    /// Returns what has changed since this version, up to a bound; 0 for everything. A row that
    /// can't be read is left out and logged, so that one damaged cluster doesn't hide the others.
    fn changes(&self, since: u64) -> BoxFuture<'_, StoreResult<StoreChanges>>;

    /// Loads everything but tombstones.
    fn load(&self) -> BoxFuture<'_, StoreResult<StoreChanges>> {
        Box::pin(async move {
            let mut all = self.changes(0).await?;
            while all.more {
                let page = self.changes(all.version).await?;
                all.clusters.extend(page.clusters);
                all.access = page.access;
                all.version = page.version;
                all.more = page.more;
            }
            Ok(all)
        })
    }
}

/// Shared records of clusters and their accounts.
pub trait ClusterStore: Send + Sync {
    /// Reads the numbers and prefixes of all live clusters, from an index and not from their
    /// records. One whose prefix is damaged is left out and logged.
    fn prefixes(&self) -> BoxFuture<'_, StoreResult<Vec<(ClusterId, Prefix)>>>;

    /// Reads the record of a cluster in any phase.
    fn cluster(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<Option<ClusterRow>>>;

    /// Finds the cluster that has this name.
    fn find_name<'a>(
        &'a self,
        name: &'a ClusterName,
    ) -> BoxFuture<'a, StoreResult<Option<ClusterId>>>;

    /// Reads a part of the list of live clusters. One whose record is damaged is left out.
    fn cluster_list<'a>(&'a self, wanted: &'a PartWanted) -> BoxFuture<'a, StoreResult<ListPart>>;

    /// Finds the live clusters that sleep after so long or later.
    fn sleeping_after(&self, time: Duration) -> BoxFuture<'_, StoreResult<Vec<ClusterId>>>;

    /// Finds the live clusters whose kind of engine is none of these.
    fn of_other_kinds<'a>(
        &'a self,
        known: &'a [&'static str],
    ) -> BoxFuture<'a, StoreResult<Vec<ClusterId>>>;

    /// Inserts a cluster in phase `Creating`, and its operation.
    /// [`OperationClaim::of_new`] is the claim.
    fn reserve(&self, wanted: Reservation) -> BoxFuture<'_, StoreResult<ClusterRow>>;

    /// Changes a cluster from `Creating` to `Live`, with its first accounts unless a run has read
    /// some already, and ends its operation.
    fn publish<'a>(
        &'a self,
        claim: OperationClaim,
        seed: &'a AccountBook,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>>;

    /// Changes the limits and settings of a live cluster. Returns the record's new version.
    fn set_cluster(
        &self,
        id: ClusterId,
        limits: ClusterLimits,
        settings: ClusterSettings,
    ) -> BoxFuture<'_, StoreResult<u64>>;

    /// Gives a live cluster another name, and frees the former one. Returns the record's new
    /// version.
    fn rename(&self, id: ClusterId, name: ClusterName) -> BoxFuture<'_, StoreResult<u64>>;

    /// Marks a cluster as being deleted, and begins that operation or takes over the one that the
    /// cluster has. Frees the name; number and prefix are never free.
    fn begin_delete(&self, id: ClusterId, now: i64) -> BoxFuture<'_, StoreResult<OperationClaim>>;

    /// Turns a cluster whose files are removed into a tombstone, deletes its accounts, and ends its
    /// operation.
    fn bury(&self, claim: OperationClaim) -> BoxFuture<'_, StoreResult<()>>;

    /// Reads the copy of a cluster's accounts; empty and incomplete if there is none or no such
    /// cluster.
    fn book(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<AccountBook>>;

    /// Replaces the copy of a cluster's accounts, unless the stored one is of a later reading.
    /// Waits while the disk is full.
    fn save_accounts(
        &self,
        id: ClusterId,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, StoreResult<()>>;
}

/// Shared records of operations that are under way.
pub trait OperationStore: Send + Sync {
    fn operations(&self) -> BoxFuture<'_, StoreResult<Vec<OperationRow>>>;

    /// Begins an operation on a cluster, or takes over the one that it has.
    fn begin_operation(
        &self,
        id: ClusterId,
        kind: OperationKind,
        now: i64,
    ) -> BoxFuture<'_, StoreResult<OperationClaim>>;

    /// Ends an operation whose last step changed nothing in the store.
    fn end_operation(&self, claim: OperationClaim) -> BoxFuture<'_, StoreResult<()>>;
}

/// Shared records of access.
pub trait AccessStore: Send + Sync {
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

/// Shared records of requests with an idempotency key, and the answers to them.
pub trait AnswerStore: Send + Sync {
    /// Records a request before it is executed. Returns the record that its key has already, if it
    /// has not expired. Deletes expired records, and the oldest above the bounds.
    fn begin_request(
        &self,
        request: NewRequest,
        now: i64,
    ) -> BoxFuture<'_, StoreResult<Option<StoredRequest>>>;

    /// Replaces what is recorded about a request. Deletes the oldest records above the bounds.
    fn note_request(&self, key: String, noted: StoredRequest) -> BoxFuture<'_, StoreResult<()>>;

    /// Forgets a request, so that the next one with its key is executed.
    fn forget_request(&self, key: String) -> BoxFuture<'_, StoreResult<()>>;
}

/// Records of this host: the runs of its engines, and its system users.
pub trait HostStore: Send + Sync {
    /// Reads what this host knows of a cluster, if its engine runs here.
    fn host_row(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<Option<HostRow>>>;

    /// Finds the clusters of this host that are not settled, as [`HostRow::is_settled`] says.
    fn unsettled(&self) -> BoxFuture<'_, StoreResult<Vec<ClusterId>>>;

    /// Reads at most so many clusters of this host with their user numbers, ordered by these.
    fn system_users(&self, limit: usize) -> BoxFuture<'_, StoreResult<Vec<(ClusterId, u32)>>>;

    /// Finds the clusters of this host whose user number is not in the range.
    fn outside(&self, range: RangeInclusive<u32>) -> BoxFuture<'_, StoreResult<Vec<ClusterId>>>;

    /// Makes this host the one that runs a cluster's engine, as this system user. May be repeated.
    fn take_cluster(&self, id: ClusterId, uid: Option<u32>) -> BoxFuture<'_, StoreResult<()>>;

    /// Forgets a cluster whose files are removed, and frees its system user. May be repeated.
    fn release_cluster(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>>;

    /// Increments the run and records that the engine may be running. Waits while the disk is full.
    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<RunEpoch>>;

    /// Records the clean end of a run. Waits while the disk is full.
    fn end_run(&self, id: ClusterId, run: RunEpoch) -> BoxFuture<'_, StoreResult<()>>;

    /// Returns the next user numbers of the range to give out, at most `limit` and without those of
    /// `skip`: first those that no cluster ever had, then the ones freed longest ago. The store
    /// doesn't know whether something of the former cluster is left.
    fn uid_candidates<'a>(
        &'a self,
        range: RangeInclusive<u32>,
        limit: usize,
        skip: &'a BTreeSet<u32>,
    ) -> BoxFuture<'a, StoreResult<Vec<Candidate>>>;

    /// Gives other user numbers to clusters of this host, to all of them or none.
    fn set_uids(&self, changes: Vec<(ClusterId, u32)>) -> BoxFuture<'_, StoreResult<()>>;
}
