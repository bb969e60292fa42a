//! Reading of cluster rows in SQLite.

use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use super::rows::{BookHead, ClusterRow, Phase};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;
use tidegate_model::server_variables::check_variable;
use tidegate_model::{
    AddressRange, ClusterEngine, ClusterId, ClusterLimits, ClusterName, ClusterSettings,
    EngineParameters, Prefix, RunEpoch, ServerVariables,
};

/// Fails unless a change has changed the cluster's row.
pub fn expect_one_row(rows: u64, id: ClusterId) -> StoreResult<()> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::Unknown(id))
    }
}

pub async fn read_one(db: &mut SqliteConnection, id: ClusterId) -> StoreResult<ClusterRow> {
    find_one(db, id).await?.ok_or(StoreError::Unknown(id))
}

pub async fn find_one(db: &mut SqliteConnection, id: ClusterId) -> StoreResult<Option<ClusterRow>> {
    let row = sqlx::query(
        "SELECT c.*, b.run AS book_run, b.complete AS book_complete FROM clusters c LEFT JOIN \
         books b ON b.cluster = c.id WHERE c.id = ?",
    )
    .bind(to_i64(id.0))
    .fetch_optional(&mut *db)
    .await?;
    row.map(|row| read_row(&row)).transpose()
}

/// Reads the clusters whose record or book has changed since this version, at most `limit`. Those
/// that are gone are left out if all are asked for.
pub async fn read_changed(
    db: &mut SqliteConnection,
    since: u64,
    limit: usize,
) -> StoreResult<Vec<SqliteRow>> {
    let sql = "SELECT c.*, b.run AS book_run, b.complete AS book_complete, changed.at FROM \
               (SELECT id, MAX(version) AS at FROM \
               (SELECT id, version FROM clusters WHERE version > ? UNION ALL \
               SELECT cluster, version FROM books WHERE version > ?) AS marks GROUP BY id) AS \
               changed JOIN clusters c ON c.id = changed.id LEFT JOIN books b ON b.cluster = c.id \
               WHERE c.phase <> 'gone' OR ? > 0 ORDER BY changed.at LIMIT ?";
    let since = to_i64(since);
    let rows = sqlx::query(sql)
        .bind(since)
        .bind(since)
        .bind(since)
        .bind(to_i64(limit as u64))
        .fetch_all(db)
        .await?;
    Ok(rows)
}

pub fn read_row(row: &SqliteRow) -> StoreResult<ClusterRow> {
    let id: i64 = row.try_get("id")?;
    let name: String = row.try_get("name")?;
    let prefix: String = row.try_get("prefix")?;
    let parameters: String = row.try_get("engine_parameters")?;
    let phase = match row.try_get::<String, _>("phase")?.as_str() {
        "creating" => Phase::Creating,
        "live" => Phase::Live,
        "deleting" => Phase::Deleting,
        "gone" => Phase::Gone,
        _ => return Err(corrupt(id, "unknown phase")),
    };
    Ok(ClusterRow {
        id: ClusterId(id.unsigned_abs()),
        name: ClusterName::parse(&name).map_err(|_| corrupt(id, "bad name"))?,
        prefix: Prefix::parse(&prefix).ok_or_else(|| corrupt(id, "bad prefix"))?,
        created_unix: row.try_get("created_unix")?,
        engine: ClusterEngine {
            kind: row.try_get("engine")?,
            parameters: EngineParameters::from_json(&parameters)
                .map_err(|e| corrupt(id, &format!("bad engine_parameters: {e}")))?,
        },
        limits: read_limits(row).map_err(|error| match error {
            sqlx::Error::ColumnDecode { index, .. } => corrupt(id, &format!("bad {index}")),
            other => other.into(),
        })?,
        settings: read_settings(row)?,
        phase,
        version: integer(row, "version")?.unsigned_abs(),
        book: read_book_head(row),
    })
}

/// Reads what is known of the book. Damage there means that only the book is damaged: the cluster
/// works, except for logins while it sleeps.
fn read_book_head(row: &SqliteRow) -> BookHead {
    let run = integer(row, "book_run").unwrap_or(0);
    BookHead {
        run: RunEpoch(run.unsigned_abs()),
        complete: integer(row, "book_complete").is_ok_and(|complete| complete != 0),
    }
}

fn read_limits(row: &SqliteRow) -> Result<ClusterLimits, sqlx::Error> {
    // The `u32` are narrower than their columns, so a value out of range is an error of its column.
    Ok(ClusterLimits {
        connections_max: row.try_get("connections_max")?,
        sleep_after: milliseconds(row, "sleep_after_ms")?,
        transaction_idle_max: milliseconds(row, "transaction_idle_max_ms")?,
        memory_max_bytes: integer(row, "memory_max_bytes")?.unsigned_abs(),
        disk_max_bytes: integer(row, "disk_max_bytes")?.unsigned_abs(),
        cpu_weight: row.try_get("cpu_weight")?,
        tasks_max: row.try_get("tasks_max")?,
    })
}

fn read_settings(row: &SqliteRow) -> StoreResult<ClusterSettings> {
    Ok(ClusterSettings {
        deletion_protection: integer(row, "deletion_protection")? != 0,
        ping_holds: integer(row, "ping_holds")? != 0,
        events: integer(row, "events")? != 0,
        ip_allow: read_ranges(row)?,
        variables: read_variables(row),
    })
}

/// Reads the allowed addresses. With a damaged list the cluster is left out: it must not become
/// open to everybody.
fn read_ranges(row: &SqliteRow) -> StoreResult<Vec<AddressRange>> {
    let id: i64 = row.try_get("id")?;
    let text: String = row.try_get("ip_allow")?;
    let ranges = text.split_whitespace().map(AddressRange::parse_network);
    ranges
        .collect::<Result<_, _>>()
        .map_err(|e| corrupt(id, &format!("bad ip_allow: {e}")))
}

/// Reads the server variables. A damaged one is left out: the cluster starts with its default.
fn read_variables(row: &SqliteRow) -> ServerVariables {
    let text: String = row.try_get("variables").unwrap_or_default();
    let read = serde_json::from_str::<ServerVariables>(&text).unwrap_or_else(|error| {
        tracing::warn!(%error, "the server variables of a cluster are damaged in the store; their \
             defaults apply");
        ServerVariables::new()
    });
    let known = |(name, value): (String, String)| match check_variable(&name, &value) {
        Ok((name, value)) => Some((name.to_owned(), value)),
        Err(error) => {
            tracing::warn!(%error, "a server variable in the store is not valid; its default \
                 applies");
            None
        }
    };
    read.into_iter().filter_map(known).collect()
}

fn integer(row: &SqliteRow, column: &str) -> Result<i64, sqlx::Error> {
    row.try_get(column)
}

fn milliseconds(row: &SqliteRow, column: &str) -> Result<Duration, sqlx::Error> {
    let ms = integer(row, column)?;
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

fn corrupt(cluster: i64, what: &str) -> StoreError {
    StoreError::Corrupt {
        cluster,
        what: what.to_owned(),
    }
}
