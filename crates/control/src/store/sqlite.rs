//! The store in one SQLite file. Never used by two servers at once: the lock of the data directory sees to that.

use super::books::{read_book, write_book};
use super::codec::{to_i64, to_ms};
use super::{ClusterRow, Phase, Reservation, Store, StoreError, StoreResult, Strays, migrate};
use crate::limits;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Row, SqliteConnection, SqlitePool};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use tidegate_model::{AccountBook, BoxFuture, ClusterId, ClusterLimits, ClusterName, Prefix, RunEpoch};

/// See [`Store`].
#[derive(Debug)]
pub struct SqliteStore {
    pub(super) pool: SqlitePool,
}

impl SqliteStore {
    /// Opens or makes the file, 0600. SQLite gives its journal files the mode of the file itself.
    pub async fn open(file: &Path) -> StoreResult<Self> {
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // A run that was begun must be on disk before its engine writes a byte.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(limits::STORE_BUSY)
            // What is deleted (hashes of former passwords) is overwritten.
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(limits::STORE_CONNECTIONS)
            .acquire_timeout(limits::STORE_WAIT)
            .connect_with(options)
            .await?;
        migrate::sqlite(&pool).await?;
        Ok(Self { pool })
    }

    async fn load_rows(&self) -> StoreResult<Vec<ClusterRow>> {
        let mut tx = self.pool.begin().await?;
        let rows = sqlx::query("SELECT * FROM clusters WHERE phase <> 'gone' ORDER BY id").fetch_all(&mut *tx).await?;
        let mut out = Vec::with_capacity(rows.len());
        for row in &rows {
            match read_row(row) {
                Ok(row) => out.push(row),
                // Its number, prefix and user stay taken in the store.
                Err(error) => tracing::error!(%error, "a cluster is left out: its row in the store is damaged"),
            }
        }
        Ok(out)
    }

    async fn insert(
        &self,
        wanted: &Reservation,
        uids: Option<RangeInclusive<u32>>,
        strays: &Strays,
    ) -> StoreResult<ClusterRow> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let taken: i64 = sqlx::query("SELECT COUNT(*) AS n FROM clusters WHERE name_taken = ?")
            .bind(wanted.name.as_str())
            .fetch_one(&mut *tx)
            .await?
            .try_get("n")?;
        if taken > 0 {
            return Err(StoreError::NameTaken(wanted.name.clone()));
        }
        let taken: i64 = sqlx::query("SELECT COUNT(*) AS n FROM clusters WHERE prefix = ?")
            .bind(wanted.prefix.as_str())
            .fetch_one(&mut *tx)
            .await?
            .try_get("n")?;
        if taken > 0 {
            return Err(StoreError::PrefixTaken);
        }
        let id = next_id(&mut tx, strays).await?;
        let uid = match uids {
            Some(range) => Some(free_uid(&mut tx, range, strays).await?),
            None => None,
        };
        sqlx::query(
            "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, uid, connections_max, sleep_after_ms, \
             transaction_idle_max_ms, memory_max_bytes, disk_max_bytes, cpu_weight, tasks_max, phase) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'creating')",
        )
        .bind(to_i64(id))
        .bind(wanted.name.as_str())
        .bind(wanted.name.as_str())
        .bind(wanted.prefix.as_str())
        .bind(wanted.created_unix)
        .bind(uid.map(i64::from))
        .bind(i64::from(wanted.limits.connections_max))
        .bind(to_ms(wanted.limits.sleep_after))
        .bind(to_ms(wanted.limits.transaction_idle_max))
        .bind(to_i64(wanted.limits.memory_max_bytes))
        .bind(to_i64(wanted.limits.disk_max_bytes))
        .bind(i64::from(wanted.limits.cpu_weight))
        .bind(i64::from(wanted.limits.tasks_max))
        .execute(&mut *tx)
        .await?;
        let row = read_one(&mut tx, ClusterId(id)).await?;
        tx.commit().await?;
        Ok(row)
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
        Box::pin(self.insert(wanted, uids, strays))
    }

    fn publish<'a>(&'a self, id: ClusterId, seed: &'a AccountBook) -> BoxFuture<'a, StoreResult<ClusterRow>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            if read_book(&mut tx, id).await?.accounts.is_empty() {
                write_book(&mut tx, id, seed).await?;
            }
            let sql = "UPDATE clusters SET phase = 'live' WHERE id = ? AND phase = 'creating'";
            touched(sqlx::query(sql).bind(to_i64(id.0)).execute(&mut *tx).await?.rows_affected(), id)?;
            let row = read_one(&mut tx, id).await?;
            tx.commit().await?;
            Ok(row)
        })
    }

    fn set_limits(&self, id: ClusterId, limits: ClusterLimits) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(async move {
            let sql = "UPDATE clusters SET connections_max = ?, sleep_after_ms = ?, transaction_idle_max_ms = ?, \
                       memory_max_bytes = ?, disk_max_bytes = ?, cpu_weight = ?, tasks_max = ? \
                       WHERE id = ? AND phase = 'live'";
            let change = sqlx::query(sql)
                .bind(i64::from(limits.connections_max))
                .bind(to_ms(limits.sleep_after))
                .bind(to_ms(limits.transaction_idle_max))
                .bind(to_i64(limits.memory_max_bytes))
                .bind(to_i64(limits.disk_max_bytes))
                .bind(i64::from(limits.cpu_weight))
                .bind(i64::from(limits.tasks_max))
                .bind(to_i64(id.0));
            touched(change.execute(&self.pool).await?.rows_affected(), id)
        })
    }

    fn begin_delete(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(async move {
            let sql = "UPDATE clusters SET phase = 'deleting', name_taken = NULL WHERE id = ? AND phase <> 'gone'";
            touched(sqlx::query(sql).bind(to_i64(id.0)).execute(&self.pool).await?.rows_affected(), id)
        })
    }

    fn bury(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("DELETE FROM books WHERE cluster = ?").bind(to_i64(id.0)).execute(&mut *tx).await?;
            let sql = "UPDATE clusters SET phase = 'gone', name_taken = NULL, uid = NULL, awake = 0 WHERE id = ?";
            sqlx::query(sql).bind(to_i64(id.0)).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(())
        })
    }

    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<RunEpoch>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let sql = "UPDATE clusters SET run = run + 1, awake = 1 WHERE id = ? AND phase IN ('creating', 'live')";
            touched(sqlx::query(sql).bind(to_i64(id.0)).execute(&mut *tx).await?.rows_affected(), id)?;
            let row =
                sqlx::query("SELECT run FROM clusters WHERE id = ?").bind(to_i64(id.0)).fetch_one(&mut *tx).await?;
            let run: i64 = row.try_get("run")?;
            tx.commit().await?;
            Ok(RunEpoch(run.unsigned_abs()))
        })
    }

    fn end_run<'a>(&'a self, id: ClusterId, run: RunEpoch, book: &'a AccountBook) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            write_book(&mut tx, id, book).await?;
            // A later run that has begun meanwhile is not over.
            let sql = "UPDATE clusters SET awake = 0 WHERE id = ? AND run = ?";
            let done = sqlx::query(sql).bind(to_i64(id.0)).bind(to_i64(run.0)).execute(&mut *tx).await?;
            touched(done.rows_affected(), id)?;
            tx.commit().await?;
            Ok(())
        })
    }

    fn book(&self, id: ClusterId) -> BoxFuture<'_, StoreResult<AccountBook>> {
        Box::pin(async move { read_book(&mut *self.pool.acquire().await?, id).await })
    }

    fn save_accounts<'a>(&'a self, id: ClusterId, book: &'a AccountBook) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            write_book(&mut tx, id, book).await?;
            tx.commit().await?;
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

fn touched(rows: u64, id: ClusterId) -> StoreResult<()> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Unknown(id)) }
}

async fn next_id(db: &mut SqliteConnection, strays: &Strays) -> StoreResult<u64> {
    let row = sqlx::query("SELECT COALESCE(MAX(id), 0) AS id FROM clusters").fetch_one(db).await?;
    let highest: i64 = row.try_get("id")?;
    Ok(highest.unsigned_abs().max(strays.id_max).saturating_add(1))
}

async fn free_uid(db: &mut SqliteConnection, range: RangeInclusive<u32>, strays: &Strays) -> StoreResult<u32> {
    let rows = sqlx::query("SELECT uid FROM clusters WHERE uid IS NOT NULL").fetch_all(db).await?;
    let mut taken = BTreeSet::new();
    for row in &rows {
        taken.insert(row.try_get::<i64, _>("uid")?);
    }
    let free = |uid: &u32| !taken.contains(&i64::from(*uid)) && !strays.uids.contains(uid);
    range.into_iter().find(free).ok_or(StoreError::NoUidLeft)
}

async fn read_one(db: &mut SqliteConnection, id: ClusterId) -> StoreResult<ClusterRow> {
    let row = sqlx::query("SELECT * FROM clusters WHERE id = ?").bind(to_i64(id.0)).fetch_optional(&mut *db).await?;
    match row {
        Some(row) => read_row(&row),
        None => Err(StoreError::Unknown(id)),
    }
}

fn read_row(row: &SqliteRow) -> StoreResult<ClusterRow> {
    let id: i64 = row.try_get("id")?;
    let corrupt = |what: &str| StoreError::Corrupt { cluster: id, what: what.to_owned() };
    let int = |column: &str| row.try_get::<i64, _>(column);
    let name: String = row.try_get("name")?;
    let prefix: String = row.try_get("prefix")?;
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
        uid,
        limits: read_limits(row).map_err(|error| match error {
            sqlx::Error::ColumnDecode { index, .. } => corrupt(&format!("bad {index}")),
            other => other.into(),
        })?,
        phase,
        run: RunEpoch(int("run")?.unsigned_abs()),
        awake: int("awake")? != 0,
        accounts_run: RunEpoch(int("accounts_run")?.unsigned_abs()),
    })
}

fn read_limits(row: &SqliteRow) -> Result<ClusterLimits, sqlx::Error> {
    let ms = |column: &str| row.try_get::<i64, _>(column).map(|v| Duration::from_millis(v.unsigned_abs()));
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
