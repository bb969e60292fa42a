//! Store in one SQLite file. The lock of the data directory ensures that only one server uses it.

use super::access::read_access;
use super::answers::{BeginRequest, ForgetRequest, NewRequest, NoteRequest, StoredRequest};
use super::books::read_book;
use super::changes::{
    BeginDelete, BuryCluster, PublishCluster, RenameCluster, ReserveCluster, SetCluster,
};
use super::cluster_list::{
    find_name, find_other_kinds, find_sleeping_after, log_damage, read_part, read_prefixes,
};
use super::cluster_rows::{find_one, read_changed, read_row};
use super::error::{StoreError, StoreResult};
use super::feed::{has_access_changed, last_version};
use super::interface::{AnswerStore, ChangeFeed, ClusterStore, HostStore, OperationStore, Store};
use super::migrate;
use super::operations::{
    BeginOperation, EndOperation, OperationClaim, OperationKind, OperationRow, read_operations,
};
use super::reserve::Reserve;
use super::rows::{ClusterRow, HostRow, ListPart, PartWanted, Reservation, StoreChanges};
use super::runs::{BeginRun, EndRun, SaveAccounts, find_unsettled, read_host_row};
use super::system_users::{
    ReleaseCluster, SetUids, TakeCluster, find_outside, read_candidates, read_system_users,
};
use super::writer::{StoreWriter, is_full};
use crate::limits;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate_engine::Candidate;
use tidegate_model::{
    AccountBook, BoxFuture, ClusterId, ClusterLimits, ClusterName, ClusterSettings, Prefix,
    RunEpoch,
};

/// [`Store`] in SQLite. Readers have their own connections (WAL), so readers and the writer don't
/// wait for each other.
#[derive(Debug)]
pub struct SqliteStore {
    pub(super) reads: SqlitePool,
    pub(super) writer: StoreWriter,
    writes: SqlitePool,
    /// Number of API keys that got the scope `all` when the store was opened, because keys had no
    /// scopes before.
    pub(super) keys_widened: u64,
}

impl SqliteStore {
    /// Opens the file, or makes it with mode 0600. SQLite gives its journal files the same mode.
    pub async fn open(file: &Path) -> StoreResult<Self> {
        let reserve = Reserve::beside(file);
        match Self::open_with(file, &reserve).await {
            // Opening writes a little, and a server that can't start can't free any space.
            Err(StoreError::Database(error)) if is_full(&error) && reserve.release() => {
                tracing::warn!(
                    "the disk of the data directory is full; the store uses its reserve"
                );
                Self::open_with(file, &reserve).await
            }
            opened => opened,
        }
    }

    async fn open_with(file: &Path, reserve: &Reserve) -> StoreResult<Self> {
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // The begin of a run must be on disk before its engine writes anything.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(limits::STORE_BUSY)
            // 512 KB (the sign means KB). A book is read once, so caching its pages is of no use.
            .pragma("cache_size", "-512")
            // Overwrites deleted data, such as hashes of old passwords.
            .pragma("secure_delete", "ON");
        // One connection: SQLite has one writer at a time, and the changes have an order.
        let writes = pool_of(1).connect_with(options.clone()).await?;
        let keys_widened = migrate::sqlite(&writes).await?.keys_widened;
        let reads = pool_of(limits::STORE_READERS)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        let writer = StoreWriter::spawn(writes.clone(), reserve.clone());
        Ok(Self {
            reads,
            writer,
            writes,
            keys_widened,
        })
    }

    /// Returns the id of the cluster of this name, without changing the file or migrating it.
    pub async fn find_id(file: &Path, name: &str) -> StoreResult<Option<ClusterId>> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .busy_timeout(limits::STORE_BUSY);
        let pool = pool_of(1).connect_with(options).await?;
        let row = sqlx::query("SELECT id FROM clusters WHERE name_taken = ?")
            .bind(name)
            .fetch_optional(&pool)
            .await?;
        let id = row.map(|row| row.try_get::<i64, _>("id")).transpose()?;
        Ok(id.map(|id| ClusterId(id.unsigned_abs())))
    }

    /// Transactions that were committed since the store was opened.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    async fn read_changes(&self, since: u64) -> StoreResult<StoreChanges> {
        // One transaction, so that the version is that of the rows.
        let mut tx = self.reads.begin().await?;
        let rows = read_changed(&mut tx, since, limits::CHANGES_MAX).await?;
        let more = rows.len() == limits::CHANGES_MAX;
        let mut version = last_version(&mut tx).await?;
        let mut clusters = Vec::with_capacity(rows.len());
        for row in &rows {
            if more {
                version = row.try_get::<i64, _>("at")?.unsigned_abs();
            }
            match read_row(row) {
                Ok(row) => clusters.push(row),
                // Its number and prefix stay taken in the store.
                Err(error) => log_damage(&error),
            }
        }
        let access = match !more && has_access_changed(&mut tx, since).await? {
            true => Some(read_access(&mut tx).await?),
            false => None,
        };
        Ok(StoreChanges {
            version,
            more,
            clusters,
            access,
        })
    }
}

fn pool_of(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(limits::STORE_WAIT)
}

impl ChangeFeed for SqliteStore {
    fn changes(&self, since: u64) -> BoxFuture<'_, StoreResult<StoreChanges>> {
        Box::pin(self.read_changes(since))
    }
}

impl ClusterStore for SqliteStore {
    fn prefixes(&self) -> BoxFuture<'_, StoreResult<Vec<(ClusterId, Prefix)>>> {
        Box::pin(async move { read_prefixes(&mut *self.reads.acquire().await?).await })
    }

    fn cluster(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<Option<ClusterRow>>> {
        Box::pin(async move { find_one(&mut *self.reads.acquire().await?, id).await })
    }

    fn find_name<'a>(
        &'a self,
        name: &'a ClusterName,
    ) -> BoxFuture<'a, StoreResult<Option<ClusterId>>> {
        Box::pin(async move { find_name(&mut *self.reads.acquire().await?, name).await })
    }

    fn cluster_list<'a>(&'a self, wanted: &'a PartWanted) -> BoxFuture<'a, StoreResult<ListPart>> {
        Box::pin(async move { read_part(&mut *self.reads.acquire().await?, wanted).await })
    }

    fn sleeping_after(&self, time: Duration) -> BoxFuture<'_, StoreResult<Vec<ClusterId>>> {
        Box::pin(async move { find_sleeping_after(&mut *self.reads.acquire().await?, time).await })
    }

    fn of_other_kinds<'a>(
        &'a self,
        known: &'a [&'static str],
    ) -> BoxFuture<'a, StoreResult<Vec<ClusterId>>> {
        Box::pin(async move { find_other_kinds(&mut *self.reads.acquire().await?, known).await })
    }

    fn reserve(&self, wanted: Reservation) -> BoxFuture<'_, StoreResult<ClusterRow>> {
        Box::pin(self.writer.write(ReserveCluster(wanted)))
    }

    fn publish<'a>(
        &'a self,
        claim: OperationClaim,
        seed: &'a AccountBook,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>> {
        Box::pin(self.writer.write(PublishCluster {
            claim,
            seed: seed.clone(),
        }))
    }

    fn set_cluster(
        &self,
        id: ClusterId,
        limits: ClusterLimits,
        settings: ClusterSettings,
    ) -> BoxFuture<'_, StoreResult<u64>> {
        Box::pin(self.writer.write(SetCluster {
            cluster: id,
            limits,
            settings,
        }))
    }

    fn rename(&self, id: ClusterId, name: ClusterName) -> BoxFuture<'_, StoreResult<u64>> {
        Box::pin(self.writer.write(RenameCluster { cluster: id, name }))
    }

    fn begin_delete(&self, id: ClusterId, now: i64) -> BoxFuture<'_, StoreResult<OperationClaim>> {
        Box::pin(self.writer.write(BeginDelete { cluster: id, now }))
    }

    fn bury(&self, claim: OperationClaim) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(BuryCluster(claim)))
    }

    fn book(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<AccountBook>> {
        Box::pin(async move {
            // A transaction, so that a book that is written meanwhile isn't read in part.
            let mut view = self.reads.begin().await?;
            read_book(&mut view, id).await
        })
    }

    fn save_accounts(
        &self,
        id: ClusterId,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SaveAccounts { cluster: id, book }))
    }
}

impl OperationStore for SqliteStore {
    fn operations(&self) -> BoxFuture<'_, StoreResult<Vec<OperationRow>>> {
        Box::pin(async move { read_operations(&mut *self.reads.acquire().await?).await })
    }

    fn begin_operation(
        &self,
        id: ClusterId,
        kind: OperationKind,
        now: i64,
    ) -> BoxFuture<'_, StoreResult<OperationClaim>> {
        Box::pin(self.writer.write(BeginOperation {
            cluster: id,
            kind,
            now,
        }))
    }

    fn end_operation(&self, claim: OperationClaim) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(EndOperation(claim)))
    }
}

impl AnswerStore for SqliteStore {
    fn begin_request(
        &self,
        request: NewRequest,
        now: i64,
    ) -> BoxFuture<'_, StoreResult<Option<StoredRequest>>> {
        Box::pin(self.writer.write(BeginRequest { request, now }))
    }

    fn note_request(&self, key: String, noted: StoredRequest) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(NoteRequest { key, noted }))
    }

    fn forget_request(&self, key: String) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(ForgetRequest(key)))
    }
}

impl HostStore for SqliteStore {
    fn host_row(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<Option<HostRow>>> {
        Box::pin(async move { read_host_row(&mut *self.reads.acquire().await?, id).await })
    }

    fn unsettled(&self) -> BoxFuture<'_, StoreResult<Vec<ClusterId>>> {
        Box::pin(async move { find_unsettled(&mut *self.reads.acquire().await?).await })
    }

    fn system_users(&self, limit: usize) -> BoxFuture<'_, StoreResult<Vec<(ClusterId, u32)>>> {
        Box::pin(async move { read_system_users(&mut *self.reads.acquire().await?, limit).await })
    }

    fn outside(&self, range: RangeInclusive<u32>) -> BoxFuture<'_, StoreResult<Vec<ClusterId>>> {
        Box::pin(async move { find_outside(&mut *self.reads.acquire().await?, range).await })
    }

    fn take_cluster(&self, id: ClusterId, uid: Option<u32>) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(TakeCluster { cluster: id, uid }))
    }

    fn release_cluster(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(ReleaseCluster(id)))
    }

    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<RunEpoch>> {
        Box::pin(self.writer.write(BeginRun(id)))
    }

    fn end_run(&self, id: ClusterId, run: RunEpoch) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(EndRun { cluster: id, run }))
    }

    fn uid_candidates<'a>(
        &'a self,
        range: RangeInclusive<u32>,
        limit: usize,
        skip: &'a BTreeSet<u32>,
    ) -> BoxFuture<'a, StoreResult<Vec<Candidate>>> {
        Box::pin(async move {
            // A transaction, so that a number that is freed meanwhile is in one of the two lists.
            let mut view = self.reads.begin().await?;
            read_candidates(&mut view, range, limit, skip).await
        })
    }

    fn set_uids(&self, changes: Vec<(ClusterId, u32)>) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SetUids(changes)))
    }
}

impl Store for SqliteStore {
    fn is_disk_full(&self) -> bool {
        self.writer.is_disk_full()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The writer first: it tries the changes that still wait.
            self.writer.close().await;
            self.reads.close().await;
            self.writes.close().await;
        })
    }
}
