//! User numbers in the store: which ones clusters have, and which ones were freed when.

use super::change::StoreChange;
use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use super::interface::UidStore;
use super::sqlite::SqliteStore;
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
            let uids = |rows: &[sqlx::sqlite::SqliteRow]| -> StoreResult<Vec<u32>> {
                // A number that is none of ours can't be in the range.
                let uid = |row: &sqlx::sqlite::SqliteRow| {
                    Ok(u32::try_from(row.try_get::<i64, _>("uid")?).unwrap_or(0))
                };
                rows.iter().map(uid).collect()
            };
            let taken: BTreeSet<u32> = uids(&taken)?.into_iter().collect();
            let freed: Vec<u32> = uids(&freed)?;
            let had: BTreeSet<u32> = freed.iter().copied().collect();
            let open =
                |uid: &u32| range.contains(uid) && !taken.contains(uid) && !skip.contains(uid);
            let fresh = range.clone().filter(|uid| open(uid) && !had.contains(uid));
            let fresh = fresh.map(|uid| Candidate {
                uid,
                used_before: false,
            });
            let again = freed.iter().copied().filter(open).map(|uid| Candidate {
                uid,
                used_before: true,
            });
            Ok(fresh.chain(again).take(limit).collect())
        })
    }

    fn set_uids(&self, changes: Vec<(ClusterId, u32)>) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SetUids(changes)))
    }
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
