//! Lists of live clusters. Each is read from an index, so that only the rows of the list are read,
//! whatever the number of clusters.

use super::cluster_rows::read_row;
use super::codec::{to_i64, to_ms};
use super::error::{StoreError, StoreResult};
use super::rows::{ListPart, ListStart, PartWanted};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;
use tidegate_model::{ClusterId, ClusterName, Prefix};

const PREFIXES: &str = "SELECT id, prefix FROM clusters WHERE phase = 'live'";

/// The name of a live cluster is taken, so the index of taken names has all of them in order. The
/// plus keeps the phase from choosing another index, whose rows would be sorted for each part.
const FORWARD: &str = "SELECT c.*, b.run AS book_run, b.complete AS book_complete FROM clusters c \
     LEFT JOIN books b ON b.cluster = c.id WHERE c.name_taken > ? AND +c.phase = 'live' AND \
     (INSTR(c.name_taken, ?) > 0 OR INSTR(CONCAT(c.prefix, '.', ?), ?) > 0) ORDER BY c.name_taken \
     LIMIT ?";

const BACKWARD: &str = "SELECT c.*, b.run AS book_run, b.complete AS book_complete FROM clusters c \
     LEFT JOIN books b ON b.cluster = c.id WHERE c.name_taken < ? AND +c.phase = 'live' AND \
     (INSTR(c.name_taken, ?) > 0 OR INSTR(CONCAT(c.prefix, '.', ?), ?) > 0) ORDER BY c.name_taken \
     DESC LIMIT ?";

const SLEEPING_AFTER: &str = "SELECT id FROM clusters WHERE phase = 'live' AND sleep_after_ms >= ?";

const KINDS: &str = "SELECT DISTINCT engine FROM clusters WHERE phase = 'live'";

const OF_KIND: &str = "SELECT id FROM clusters WHERE phase = 'live' AND engine = ?";

/// Reads the numbers and prefixes of all live clusters.
pub async fn read_prefixes(db: &mut SqliteConnection) -> StoreResult<Vec<(ClusterId, Prefix)>> {
    let rows = sqlx::query(PREFIXES).fetch_all(db).await?;
    let mut prefixes = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = id_of(row, "id")?;
        match Prefix::parse(row.try_get("prefix")?) {
            Some(prefix) => prefixes.push((id, prefix)),
            None => log_damage(&StoreError::Corrupt {
                cluster: to_i64(id.0),
                what: "bad prefix".to_owned(),
            }),
        }
    }
    Ok(prefixes)
}

/// Finds the cluster that has this name.
pub async fn find_name(
    db: &mut SqliteConnection,
    name: &ClusterName,
) -> StoreResult<Option<ClusterId>> {
    let sql = "SELECT id FROM clusters WHERE name_taken = ?";
    let row = sqlx::query(sql).bind(name.as_str()).fetch_optional(db);
    row.await?.map(|row| id_of(&row, "id")).transpose()
}

/// Reads a part of the list.
pub async fn read_part(db: &mut SqliteConnection, wanted: &PartWanted) -> StoreResult<ListPart> {
    let sql = match &wanted.start {
        ListStart::First | ListStart::After(_) => FORWARD,
        ListStart::Before(_) => BACKWARD,
    };
    let start = match &wanted.start {
        // No name is empty, so all are after it.
        ListStart::First => "",
        ListStart::After(name) | ListStart::Before(name) => name.as_str(),
    };
    let rows = sqlx::query(sql)
        .bind(start)
        .bind(wanted.find.as_str())
        .bind(wanted.user)
        .bind(wanted.find.as_str())
        .bind(to_i64(wanted.most as u64))
        .fetch_all(db)
        .await?;
    let mut part = ListPart::default();
    for row in &rows {
        match read_row(row) {
            Ok(row) => part.rows.push(row),
            // Its number, name and prefix stay taken in the store.
            Err(error) => log_damage(&error),
        }
    }
    if rows.len() == wanted.most {
        part.last = part.rows.last().map(|row| row.name.clone());
    }
    Ok(part)
}

pub fn log_damage(error: &StoreError) {
    tracing::error!(%error, "a cluster is left out: its row in the store is damaged");
}

/// Finds the live clusters that sleep after so long or later.
pub async fn find_sleeping_after(
    db: &mut SqliteConnection,
    time: Duration,
) -> StoreResult<Vec<ClusterId>> {
    let rows = sqlx::query(SLEEPING_AFTER).bind(to_ms(time)).fetch_all(db);
    ids(&rows.await?, "id")
}

/// Finds the live clusters whose kind of engine is none of these.
pub async fn find_other_kinds(
    db: &mut SqliteConnection,
    known: &[&'static str],
) -> StoreResult<Vec<ClusterId>> {
    let mut found = Vec::new();
    for row in sqlx::query(KINDS).fetch_all(&mut *db).await? {
        let kind: String = row.try_get("engine")?;
        if known.contains(&kind.as_str()) {
            continue;
        }
        let rows = sqlx::query(OF_KIND).bind(kind).fetch_all(&mut *db).await?;
        found.extend(ids(&rows, "id")?);
    }
    Ok(found)
}

/// Numbers of clusters in this column.
pub fn ids(rows: &[SqliteRow], column: &str) -> StoreResult<Vec<ClusterId>> {
    rows.iter().map(|row| id_of(row, column)).collect()
}

fn id_of(row: &SqliteRow, column: &str) -> StoreResult<ClusterId> {
    let id: i64 = row.try_get(column)?;
    Ok(ClusterId(id.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn each_list_is_read_from_an_index_and_sorts_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&tmp.path().join("store.sqlite"))
            .await
            .unwrap();
        for (sql, index) in [
            (PREFIXES, "COVERING INDEX clusters_prefix"),
            (FORWARD, "sqlite_autoindex_clusters"),
            (BACKWARD, "sqlite_autoindex_clusters"),
            (SLEEPING_AFTER, "COVERING INDEX clusters_sleep"),
            (KINDS, "COVERING INDEX clusters_engine"),
            (OF_KIND, "COVERING INDEX clusters_engine"),
        ] {
            let explained = format!("EXPLAIN QUERY PLAN {sql}");
            let rows = sqlx::query(sqlx::AssertSqlSafe(explained))
                .fetch_all(&store.reads)
                .await
                .unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{sql}: {plan}");
            assert!(
                !plan.contains("TEMP B-TREE") && !plan.contains("SCAN"),
                "{sql}: {plan}"
            );
        }
    }
}
