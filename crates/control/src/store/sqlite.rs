//! Store in one SQLite file. The lock of the data directory ensures that only one server uses it.

use super::books::read_book;
use super::changes::{
    BeginDelete, BuryCluster, PublishCluster, RenameCluster, ReserveCluster, SetCluster,
};
use super::cluster_rows::read_row;
use super::error::{StoreError, StoreResult};
use super::interface::Store;
use super::migrate;
use super::reserve::Reserve;
use super::rows::{ClusterRow, Reservation, UnknownFolders};
use super::runs::{BeginRun, EndRun, SaveAccounts};
use super::writer::{StoreWriter, is_full};
use crate::limits;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use tidegate_model::{
    AccountBook, BoxFuture, ClusterId, ClusterLimits, ClusterName, ClusterSettings, RunEpoch,
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

    async fn load_rows(&self) -> StoreResult<Vec<ClusterRow>> {
        let mut tx = self.reads.begin().await?;
        let rows = sqlx::query("SELECT * FROM clusters WHERE phase <> 'gone' ORDER BY id")
            .fetch_all(&mut *tx)
            .await?;
        let mut out = Vec::with_capacity(rows.len());
        for row in &rows {
            match read_row(row) {
                Ok(row) => out.push(row),
                // Its number, prefix and user number stay taken in the store.
                Err(error) => {
                    tracing::error!(%error, "a cluster is left out: its row in the store is \
                                             damaged")
                }
            }
        }
        Ok(out)
    }
}

fn pool_of(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(limits::STORE_WAIT)
}

impl Store for SqliteStore {
    fn load(&self) -> BoxFuture<'_, StoreResult<Vec<ClusterRow>>> {
        Box::pin(self.load_rows())
    }

    fn reserve<'a>(
        &'a self,
        wanted: &'a Reservation,
        uids: Option<RangeInclusive<u32>>,
        strays: &'a UnknownFolders,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>> {
        let change = ReserveCluster {
            wanted: wanted.clone(),
            uids,
            strays: strays.clone(),
        };
        Box::pin(self.writer.write(change))
    }

    fn publish<'a>(
        &'a self,
        id: ClusterId,
        seed: &'a AccountBook,
    ) -> BoxFuture<'a, StoreResult<ClusterRow>> {
        Box::pin(self.writer.write(PublishCluster {
            cluster: id,
            seed: seed.clone(),
        }))
    }

    fn set_cluster(
        &self,
        id: ClusterId,
        limits: ClusterLimits,
        settings: ClusterSettings,
    ) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SetCluster {
            cluster: id,
            limits,
            settings,
        }))
    }

    fn rename(&self, id: ClusterId, name: ClusterName) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(RenameCluster { cluster: id, name }))
    }

    fn begin_delete(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(BeginDelete(id)))
    }

    fn bury(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(BuryCluster(id)))
    }

    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<RunEpoch>> {
        Box::pin(self.writer.write(BeginRun(id)))
    }

    fn end_run(
        &self,
        id: ClusterId,
        run: RunEpoch,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(EndRun {
            cluster: id,
            run,
            book,
        }))
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
