//! User numbers in the store: those of clusters, and the order in which others were freed.

use super::change::StoreChange;
use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use super::interface::UidStore;
use super::sqlite::SqliteStore;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use tidegate_engine::Candidate;
use tidegate_model::{BoxFuture, ClusterId};

impl UidStore for SqliteStore {
    fn uid_candidates<'a>(
        &'a self,
        range: RangeInclusive<u32>,
        limit: usize,
        skip: &'a BTreeSet<u32>,
    ) -> BoxFuture<'a, StoreResult<Vec<Candidate>>> {
        Box::pin(async move {
            let mut tx = self.reads.begin().await?;
            let taken = sqlx::query("SELECT uid FROM clusters WHERE uid IS NOT NULL")
                .fetch_all(&mut *tx)
                .await?;
            let freed = sqlx::query("SELECT uid FROM freed_uids ORDER BY freed")
                .fetch_all(&mut *tx)
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
        })
    }

    fn set_uids(&self, changes: Vec<(ClusterId, u32)>) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SetUids(changes)))
    }
}

fn uids_of(rows: &[SqliteRow]) -> StoreResult<Vec<u32>> {
    let mut uids = Vec::with_capacity(rows.len());
    for row in rows {
        // A value that is not a user number becomes 0, which is never in the range.
        uids.push(u32::try_from(row.try_get::<i64, _>("uid")?).unwrap_or(0));
    }
    Ok(uids)
}

struct SetUids(Vec<(ClusterId, u32)>);

impl StoreChange for SetUids {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        for (id, uid) in &self.0 {
            let sql = "UPDATE clusters SET uid = ? WHERE id = ? AND phase <> 'gone'";
            let done = sqlx::query(sql)
                .bind(i64::from(*uid))
                .bind(to_i64(id.0))
                .execute(&mut *db)
                .await?;
            if done.rows_affected() != 1 {
                return Err(StoreError::Unknown(*id));
            }
        }
        Ok(())
    }
}
