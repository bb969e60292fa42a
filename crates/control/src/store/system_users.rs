//! System users of this host in the store: those of clusters, and the order in which others were
//! freed.

use super::change::{ChangeClass, StoreChange};
use super::cluster_list::ids;
use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use tidegate_engine::Candidate;
use tidegate_model::ClusterId;

/// Reads the next numbers of the range to give out, as
/// [`HostStore::uid_candidates`](super::HostStore::uid_candidates) returns them.
pub async fn read_candidates(
    db: &mut SqliteConnection,
    range: RangeInclusive<u32>,
    limit: usize,
    skip: &BTreeSet<u32>,
) -> StoreResult<Vec<Candidate>> {
    let taken = sqlx::query("SELECT uid FROM system_users WHERE cluster IS NOT NULL")
        .fetch_all(&mut *db)
        .await?;
    let freed = sqlx::query("SELECT uid FROM system_users WHERE cluster IS NULL ORDER BY freed")
        .fetch_all(db)
        .await?;
    let taken: BTreeSet<u32> = uids_of(&taken)?.into_iter().collect();
    let freed: Vec<u32> = uids_of(&freed)?;
    let used: BTreeSet<u32> = freed.iter().copied().collect();
    let unused = range.clone().filter(|uid| !used.contains(uid));
    let unused = unused.map(|uid| Candidate {
        uid,
        used_before: false,
    });
    let freed = freed.into_iter().map(|uid| Candidate {
        uid,
        used_before: true,
    });
    Ok(unused
        .chain(freed)
        .filter(|candidate| range.contains(&candidate.uid))
        .filter(|candidate| !taken.contains(&candidate.uid))
        .filter(|candidate| !skip.contains(&candidate.uid))
        .take(limit)
        .collect())
}

/// Reads at most so many clusters with their user numbers, ordered by these.
pub async fn read_system_users(
    db: &mut SqliteConnection,
    limit: usize,
) -> StoreResult<Vec<(ClusterId, u32)>> {
    let sql =
        "SELECT cluster, uid FROM system_users WHERE cluster IS NOT NULL ORDER BY uid LIMIT ?";
    let rows = sqlx::query(sql).bind(to_i64(limit as u64)).fetch_all(db);
    let rows = rows.await?;
    let clusters = ids(&rows, "cluster")?;
    Ok(clusters.into_iter().zip(uids_of(&rows)?).collect())
}

/// Finds the clusters of this host whose user number is not in the range. The numbers are only
/// counted if all are in it, as after most starts.
pub async fn find_outside(
    db: &mut SqliteConnection,
    range: RangeInclusive<u32>,
) -> StoreResult<Vec<ClusterId>> {
    let sql = "SELECT (SELECT COUNT(*) FROM runs) - (SELECT COUNT(*) FROM system_users WHERE \
               cluster IS NOT NULL AND uid BETWEEN ? AND ?) AS others";
    let first = i64::from(*range.start());
    let last = i64::from(*range.end());
    let row = sqlx::query(sql)
        .bind(first)
        .bind(last)
        .fetch_one(&mut *db)
        .await?;
    if row.try_get::<i64, _>("others")? == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT r.cluster FROM runs r LEFT JOIN system_users u ON u.cluster = r.cluster \
               WHERE u.uid IS NULL OR u.uid < ? OR u.uid > ? ORDER BY r.cluster";
    let rows = sqlx::query(sql).bind(first).bind(last).fetch_all(db);
    ids(&rows.await?, "cluster")
}

fn uids_of(rows: &[SqliteRow]) -> StoreResult<Vec<u32>> {
    let mut uids = Vec::with_capacity(rows.len());
    for row in rows {
        // A value that is not a user number becomes 0, which is never in the range.
        uids.push(u32::try_from(row.try_get::<i64, _>("uid")?).unwrap_or(0));
    }
    Ok(uids)
}

pub struct TakeCluster {
    pub cluster: ClusterId,
    pub uid: Option<u32>,
}

impl StoreChange for TakeCluster {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        let cluster = to_i64(self.cluster.0);
        let there = sqlx::query("SELECT run FROM runs WHERE cluster = ?")
            .bind(cluster)
            .fetch_optional(&mut *db)
            .await?;
        if there.is_none() {
            sqlx::query("INSERT INTO runs (cluster, run, awake) VALUES (?, 0, 0)")
                .bind(cluster)
                .execute(&mut *db)
                .await?;
        }
        match self.uid {
            Some(uid) => give_user(db, self.cluster, uid).await,
            None => Ok(()),
        }
    }
}

pub struct SetUids(pub Vec<(ClusterId, u32)>);

impl StoreChange for SetUids {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        for (id, uid) in &self.0 {
            give_user(db, *id, *uid).await?;
        }
        Ok(())
    }
}

/// Gives a user number to a cluster of this host, and frees the one that it had.
async fn give_user(db: &mut SqliteConnection, cluster: ClusterId, uid: u32) -> StoreResult<()> {
    free_user(db, cluster).await?;
    let sql = "SELECT cluster FROM system_users WHERE uid = ?";
    let known = sqlx::query(sql)
        .bind(i64::from(uid))
        .fetch_optional(&mut *db)
        .await?;
    let sql = match known {
        Some(row) if row.try_get::<Option<i64>, _>("cluster")?.is_some() => {
            return Err(StoreError::NoUidLeft);
        }
        Some(_) => "UPDATE system_users SET cluster = ?, freed = 0 WHERE uid = ?",
        None => "INSERT INTO system_users (cluster, uid) VALUES (?, ?)",
    };
    sqlx::query(sql)
        .bind(to_i64(cluster.0))
        .bind(i64::from(uid))
        .execute(db)
        .await?;
    Ok(())
}

async fn free_user(db: &mut SqliteConnection, cluster: ClusterId) -> StoreResult<()> {
    let last = sqlx::query("SELECT COALESCE(MAX(freed), 0) AS last FROM system_users")
        .fetch_one(&mut *db)
        .await?;
    let next = last.try_get::<i64, _>("last")?.saturating_add(1);
    let sql = "UPDATE system_users SET cluster = NULL, freed = ? WHERE cluster = ?";
    sqlx::query(sql)
        .bind(next)
        .bind(to_i64(cluster.0))
        .execute(db)
        .await?;
    Ok(())
}

pub struct ReleaseCluster(pub ClusterId);

impl StoreChange for ReleaseCluster {
    type Out = ();

    /// Part of a deletion, which frees space.
    fn class(&self) -> ChangeClass {
        ChangeClass::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("DELETE FROM runs WHERE cluster = ?")
            .bind(to_i64(self.0.0))
            .execute(&mut *db)
            .await?;
        free_user(db, self.0).await
    }
}
