//! Runs of this host's engines: begin and end. The accounts that they read are changes of books.

use super::books::write_book;
use super::change::{ChangeClass, StoreChange};
use super::cluster_list::ids;
use super::cluster_rows::expect_one_row;
use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use super::rows::HostRow;
use sqlx::{Row, SqliteConnection};
use std::sync::Arc;
use tidegate_model::{AccountBook, ClusterId, RunEpoch};

/// Reads what this host knows of a cluster.
pub async fn read_host_row(
    db: &mut SqliteConnection,
    id: ClusterId,
) -> StoreResult<Option<HostRow>> {
    let sql = "SELECT r.run, r.awake, u.uid FROM runs r LEFT JOIN system_users u ON u.cluster = \
               r.cluster WHERE r.cluster = ?";
    let cluster = to_i64(id.0);
    let row = sqlx::query(sql).bind(cluster).fetch_optional(db).await?;
    let Some(row) = row else { return Ok(None) };
    let uid: Option<i64> = row.try_get("uid")?;
    Ok(Some(HostRow {
        cluster: id,
        uid: uid
            .map(u32::try_from)
            .transpose()
            .map_err(|_| StoreError::Corrupt {
                cluster,
                what: "bad uid".to_owned(),
            })?,
        run: RunEpoch(row.try_get::<i64, _>("run")?.unsigned_abs()),
        awake: row.try_get::<i64, _>("awake")? != 0,
    }))
}

/// Finds the clusters of this host that are not settled. The database compares the runs with the
/// books, and returns only these.
pub async fn find_unsettled(db: &mut SqliteConnection) -> StoreResult<Vec<ClusterId>> {
    let sql = "SELECT r.cluster FROM runs r LEFT JOIN books b ON b.cluster = r.cluster WHERE \
               r.awake <> 0 OR r.run <> COALESCE(b.run, 0)";
    ids(&sqlx::query(sql).fetch_all(db).await?, "cluster")
}

pub struct BeginRun(pub ClusterId);

impl StoreChange for BeginRun {
    type Out = RunEpoch;

    fn class(&self) -> ChangeClass {
        ChangeClass::Begin
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<RunEpoch> {
        let cluster = to_i64(self.0.0);
        let sql = "UPDATE runs SET run = run + 1, awake = 1 WHERE cluster = ?";
        let done = sqlx::query(sql).bind(cluster).execute(&mut *db).await?;
        // The row is there from the creation of the cluster until its files are removed.
        expect_one_row(done.rows_affected(), self.0)?;
        let row = sqlx::query("SELECT run FROM runs WHERE cluster = ?")
            .bind(cluster)
            .fetch_one(db)
            .await?;
        Ok(RunEpoch(row.try_get::<i64, _>("run")?.unsigned_abs()))
    }
}

pub struct EndRun {
    pub cluster: ClusterId,
    pub run: RunEpoch,
}

impl StoreChange for EndRun {
    type Out = ();

    fn class(&self) -> ChangeClass {
        ChangeClass::Ledger
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        // Changes nothing if a later run has begun meanwhile.
        let sql = "UPDATE runs SET awake = 0 WHERE cluster = ? AND run = ?";
        let done = sqlx::query(sql)
            .bind(to_i64(self.cluster.0))
            .bind(to_i64(self.run.0))
            .execute(db)
            .await?;
        expect_one_row(done.rows_affected(), self.cluster)
    }
}

pub struct SaveAccounts {
    pub cluster: ClusterId,
    pub book: Arc<AccountBook>,
}

impl StoreChange for SaveAccounts {
    type Out = ();

    fn class(&self) -> ChangeClass {
        ChangeClass::Ledger
    }

    fn bytes(&self) -> usize {
        self.book.accounts.as_bytes().len()
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        write_book(db, self.cluster, &self.book).await
    }
}
