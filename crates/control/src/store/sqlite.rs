//! The store in one SQLite file. Never used by two servers at once: the lock of the data directory
//! sees to that.

use super::books::read_book;
use super::changes::{BeginDelete, BuryCluster, PublishCluster, ReserveCluster, SetLimits};
use super::codec::to_i64;
use super::reserve::Reserve;
use super::runs::{BeginRun, EndRun, SaveAccounts};
use super::writer::{Writer, is_full};
use super::{ClusterRow, Phase, Reservation, Store, StoreError, StoreResult, Strays, migrate};
use crate::limits;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, SqliteConnection, SqlitePool};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::{
    AccountBook, BoxFuture, ClusterEngine, ClusterId, ClusterLimits, ClusterName, EngineParameters,
    Prefix, RunEpoch,
};

/// See [`Store`]. Readers have connections of their own (WAL), so none waits for a writer or makes
/// one wait.
#[derive(Debug)]
pub struct SqliteStore {
    pub(super) reads: SqlitePool,
    pub(super) writer: Writer,
    writes: SqlitePool,
    /// API keys that got the scope `all` when the store was opened, since keys had no scopes
    /// before.
    pub(super) keys_widened: u64,
}

impl SqliteStore {
    /// Opens or makes the file, 0600. SQLite gives its journal files the mode of the file itself.
    pub async fn open(file: &Path) -> StoreResult<Self> {
        let reserve = Reserve::beside(file);
        match Self::open_with(file, &reserve).await {
            // Opening writes a little, and a server that can't start can't free anything.
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
            // A run that was begun must be on disk before its engine writes a byte.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(limits::STORE_BUSY)
            // In KB. A book passes through once; it need not stay here too.
            .pragma("cache_size", "-512")
            // What is deleted (hashes of former passwords) is overwritten.
            .pragma("secure_delete", "ON");
        let pool = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(limits::STORE_WAIT)
        };
        let writes = pool(1).connect_with(options.clone()).await?;
        let keys_widened = migrate::sqlite(&writes).await?.keys_widened;
        let reads = pool(limits::STORE_READERS)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        let writer = Writer::spawn(writes.clone(), reserve.clone());
        Ok(Self {
            reads,
            writer,
            writes,
            keys_widened,
        })
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
                // Its number, prefix and user stay taken in the store.
                Err(error) => {
                    tracing::error!(%error, "a cluster is left out: its row in the store is \
                                             damaged")
                }
            }
        }
        Ok(out)
    }
}

impl Store for SqliteStore {
    fn load(&self) -> BoxFuture<'_, StoreResult<Vec<ClusterRow>>> {
        Box::pin(self.load_rows())
    }

    fn reserve<'a>(
        &'a self,
        wanted: &'a Reservation,
        uids: Option<RangeInclusive<u32>>,
        strays: &'a Strays,
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

    fn set_limits(&self, id: ClusterId, limits: ClusterLimits) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SetLimits {
            cluster: id,
            limits,
        }))
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
            // One view of the store: a book that is written meanwhile must not be read in part.
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
            self.writer.close().await;
            self.reads.close().await;
            self.writes.close().await;
        })
    }
}

pub fn touched(rows: u64, id: ClusterId) -> StoreResult<()> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::Unknown(id))
    }
}

pub async fn next_id(db: &mut SqliteConnection, strays: &Strays) -> StoreResult<u64> {
    let row = sqlx::query("SELECT COALESCE(MAX(id), 0) AS id FROM clusters")
        .fetch_one(db)
        .await?;
    let highest: i64 = row.try_get("id")?;
    Ok(highest.unsigned_abs().max(strays.id_max).saturating_add(1))
}

pub async fn free_uid(
    db: &mut SqliteConnection,
    range: RangeInclusive<u32>,
    strays: &Strays,
) -> StoreResult<u32> {
    let rows = sqlx::query("SELECT uid FROM clusters WHERE uid IS NOT NULL")
        .fetch_all(db)
        .await?;
    let mut taken = BTreeSet::new();
    for row in &rows {
        taken.insert(row.try_get::<i64, _>("uid")?);
    }
    let free = |uid: &u32| !taken.contains(&i64::from(*uid)) && !strays.uids.contains(uid);
    range.into_iter().find(free).ok_or(StoreError::NoUidLeft)
}

pub async fn read_one(db: &mut SqliteConnection, id: ClusterId) -> StoreResult<ClusterRow> {
    let row = sqlx::query("SELECT * FROM clusters WHERE id = ?")
        .bind(to_i64(id.0))
        .fetch_optional(&mut *db)
        .await?;
    match row {
        Some(row) => read_row(&row),
        None => Err(StoreError::Unknown(id)),
    }
}

fn read_row(row: &SqliteRow) -> StoreResult<ClusterRow> {
    let id: i64 = row.try_get("id")?;
    let corrupt = |what: &str| StoreError::Corrupt {
        cluster: id,
        what: what.to_owned(),
    };
    let int = |column: &str| row.try_get::<i64, _>(column);
    let name: String = row.try_get("name")?;
    let prefix: String = row.try_get("prefix")?;
    let parameters: String = row.try_get("engine_parameters")?;
    let phase = match row.try_get::<String, _>("phase")?.as_str() {
        "creating" => Phase::Creating,
        "live" => Phase::Live,
        "deleting" => Phase::Deleting,
        "gone" => Phase::Gone,
        _ => return Err(corrupt("unknown phase")),
    };
    let uid = match row.try_get::<Option<i64>, _>("uid")? {
        Some(uid) => Some(u32::try_from(uid).map_err(|_| corrupt("bad uid"))?),
        None => None,
    };
    Ok(ClusterRow {
        id: ClusterId(id.unsigned_abs()),
        name: ClusterName::parse(&name).map_err(|_| corrupt("bad name"))?,
        prefix: Prefix::parse(&prefix).ok_or_else(|| corrupt("bad prefix"))?,
        created_unix: int("created_unix")?,
        engine: ClusterEngine {
            kind: row.try_get("engine")?,
            parameters: EngineParameters::from_json(&parameters)
                .map_err(|e| corrupt(&format!("bad engine_parameters: {e}")))?,
        },
        uid,
        limits: read_limits(row).map_err(|error| match error {
            sqlx::Error::ColumnDecode { index, .. } => corrupt(&format!("bad {index}")),
            other => other.into(),
        })?,
        phase,
        run: RunEpoch(int("run")?.unsigned_abs()),
        awake: int("awake")? != 0,
        accounts_run: RunEpoch(int("accounts_run")?.unsigned_abs()),
        // A column of another type makes a damaged book, which costs the cluster no more than its
        // logins asleep.
        accounts_complete: int("accounts_complete").is_ok_and(|complete| complete != 0),
    })
}

fn read_limits(row: &SqliteRow) -> Result<ClusterLimits, sqlx::Error> {
    let ms = |column: &str| {
        row.try_get::<i64, _>(column)
            .map(|v| Duration::from_millis(v.unsigned_abs()))
    };
    // Narrower than the column, so that a value out of range is an error of that column.
    let number = |column: &str| row.try_get::<u32, _>(column);
    let bytes = |column: &str| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    Ok(ClusterLimits {
        connections_max: number("connections_max")?,
        sleep_after: ms("sleep_after_ms")?,
        transaction_idle_max: ms("transaction_idle_max_ms")?,
        memory_max_bytes: bytes("memory_max_bytes")?,
        disk_max_bytes: bytes("disk_max_bytes")?,
        cpu_weight: number("cpu_weight")?,
        tasks_max: number("tasks_max")?,
    })
}
