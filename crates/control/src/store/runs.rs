//! Changes by the runs of engines: begin, end, and readings of the accounts.

use super::books::write_book;
use super::change::{ChangeClass, StoreChange};
use super::cluster_rows::expect_one_row;
use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use sqlx::{Row, SqliteConnection};
use std::sync::Arc;
use tidegate_model::{AccountBook, ClusterId, RunEpoch};

pub struct BeginRun(pub ClusterId);

impl StoreChange for BeginRun {
    type Out = RunEpoch;

    fn class(&self) -> ChangeClass {
        ChangeClass::Begin
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<RunEpoch> {
        let sql = "UPDATE clusters SET run = run + 1, awake = 1 WHERE id = ? AND phase IN \
                   ('creating', 'live') \
                   RETURNING run";
        let row = sqlx::query(sql)
            .bind(to_i64(self.0.0))
            .fetch_optional(db)
            .await?;
        let run: i64 = row.ok_or(StoreError::Unknown(self.0))?.try_get("run")?;
        Ok(RunEpoch(run.unsigned_abs()))
    }
}

pub struct EndRun {
    pub cluster: ClusterId,
    pub run: RunEpoch,
    pub book: Arc<AccountBook>,
}

impl StoreChange for EndRun {
    type Out = ();

    fn class(&self) -> ChangeClass {
        ChangeClass::Ledger
    }

    fn bytes(&self) -> usize {
        self.book.accounts.as_bytes().len()
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        // Changes nothing if a later run has begun meanwhile.
        let sql = "UPDATE clusters SET awake = 0 WHERE id = ? AND run = ?";
        let done = sqlx::query(sql)
            .bind(to_i64(self.cluster.0))
            .bind(to_i64(self.run.0))
            .execute(&mut *db)
            .await?;
        expect_one_row(done.rows_affected(), self.cluster)?;
        write_book(db, self.cluster, &self.book).await
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
