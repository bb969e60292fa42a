//! Writer of the store: a task with the only connection that writes. Waiting changes share a
//! transaction, so a thousand clusters that go to sleep together cause a few syncs of the disk
//! instead of a thousand.
//!
//! A change is durable before its caller gets the result. Changes that begin a run go first,
//! because a login waits for each; the others keep their order.

use super::change::{ChangeClass, StoreChange, TypedJob, WriterJob};
use super::error::{StoreError, StoreResult};
use super::queue::{Inbox, Queue, queue};
use super::reserve::Reserve;
use crate::limits;
use sqlx::{SqliteConnection, SqlitePool};
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinHandle;

/// Handle to the writer's task.
#[derive(Debug)]
pub struct StoreWriter {
    jobs: Queue,
    closing: watch::Sender<bool>,
    disk_full: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl StoreWriter {
    /// Starts the task. `db` must have one connection, and no other user.
    pub fn spawn(db: SqlitePool, reserve: Reserve) -> Self {
        let (jobs, inbox) = queue();
        let (closing, closed) = watch::channel(false);
        let disk_full = Arc::new(AtomicBool::new(false));
        let commits = Arc::new(AtomicU64::new(0));
        let task = WriterTask {
            db,
            reserve,
            inbox,
            closed,
            waiting: VecDeque::new(),
            disk_full: Arc::clone(&disk_full),
            commits: Arc::clone(&commits),
        };
        let task = tokio::spawn(task.run());
        Self {
            jobs,
            closing,
            disk_full,
            commits,
            task: Mutex::new(Some(task)),
        }
    }

    /// Makes a change. Returns when it is on disk or has failed.
    pub async fn write<C: StoreChange>(&self, change: C) -> StoreResult<C::Out> {
        if *self.closing.borrow() {
            return Err(StoreError::Closed);
        }
        let (reply, answer) = oneshot::channel();
        let job = TypedJob {
            change,
            out: None,
            reply,
        };
        if !self.jobs.send(Box::new(job)).await {
            return Err(StoreError::Closed);
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Whether a change waits for disk space.
    pub fn is_disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
    }

    /// Transactions that were committed since the start.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Stops the task after all waiting changes have been tried.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        if let Some(task) = self.task.lock().await.take() {
            drop(task.await);
        }
    }
}

/// Reason why a pause ended.
enum Pause {
    Over,
    WriterJob(Box<dyn WriterJob>),
    Closing,
}

type Jobs = Vec<Box<dyn WriterJob>>;

struct WriterTask {
    db: SqlitePool,
    reserve: Reserve,
    inbox: Inbox,
    closed: watch::Receiver<bool>,
    waiting: VecDeque<Box<dyn WriterJob>>,
    disk_full: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
}

impl WriterTask {
    async fn run(mut self) {
        self.restore_reserve();
        let mut check = Instant::now() + limits::RESERVE_CHECK;
        while self.next().await {
            let batch = self.take_batch();
            self.write_batch(batch).await;
            if Instant::now() >= check {
                self.restore_reserve();
                check = Instant::now() + limits::RESERVE_CHECK;
            }
        }
    }

    /// Fills [`WriterTask::waiting`]. Returns false when the store is closed and no change waits.
    async fn next(&mut self) -> bool {
        while self.waiting.is_empty() {
            let closing = *self.closed.borrow();
            if closing {
                self.inbox.close();
            }
            tokio::select! {
                job = self.inbox.recv() => match job {
                    Some(job) => self.waiting.push_back(job),
                    None => return false,
                },
                _ = self.closed.changed(), if !closing => {}
                () = tokio::time::sleep(limits::RESERVE_CHECK), if !self.reserve.is_whole() => {
                    self.restore_reserve();
                }
            }
        }
        while let Some(job) = self.inbox.try_recv(self.waiting.len()) {
            self.waiting.push_back(job);
        }
        true
    }

    /// Takes all begins of runs, then the others in their order, up to the bounds of one
    /// transaction.
    fn take_batch(&mut self) -> Jobs {
        let mut batch = Jobs::new();
        let mut later = VecDeque::new();
        let mut bytes = 0;
        let (begins, others): (Vec<_>, Vec<_>) = mem::take(&mut self.waiting)
            .into_iter()
            .partition(|job| job.class() == ChangeClass::Begin);
        for job in begins.into_iter().chain(others) {
            // A change above the bound goes alone.
            let fits = batch.is_empty() || bytes + job.bytes() <= limits::BATCH_BYTES_MAX;
            // Nothing overtakes a change that did not fit: the changes of a cluster keep their
            // order.
            if later.is_empty() && batch.len() < limits::BATCH_MAX && fits {
                bytes += job.bytes();
                batch.push(job);
            } else {
                later.push_back(job);
            }
        }
        self.waiting = later;
        batch
    }

    async fn write_batch(&mut self, batch: Jobs) {
        let Err((mut batch, error)) = self.try_together(batch).await else {
            return;
        };
        tracing::debug!(%error, changes = batch.len(), "a transaction failed; its changes are \
             tried one by one");
        let mut pause = limits::FULL_RETRY_FIRST;
        let mut told = None::<Instant>;
        loop {
            // One by one, so that a change that can't be made does not fail the others.
            batch = self.try_each(batch).await;
            if batch.is_empty() {
                break;
            }
            self.disk_full.store(true, Ordering::Relaxed);
            if told.is_none_or(|told| told.elapsed() >= limits::FULL_TOLD_EVERY) {
                tracing::error!(
                    changes = batch.len(),
                    "the disk of the data directory is full; records of clusters wait for space"
                );
                told = Some(Instant::now());
            }
            match self.pause(pause).await {
                // The change may be one that can use the reserve, so it doesn't wait behind those
                // that can't.
                Pause::WriterJob(job) => batch.push(job),
                Pause::Over => pause = (pause * 2).min(limits::FULL_RETRY_LAST),
                Pause::Closing => return self.give_up(batch).await,
            }
            while let Some(job) = self.inbox.try_recv(batch.len()) {
                batch.push(job);
            }
        }
        if self.disk_full.swap(false, Ordering::Relaxed) {
            tracing::info!(
                "the disk of the data directory has space again; all waiting records were written"
            );
            self.restore_reserve();
        }
    }

    async fn pause(&mut self, time: Duration) -> Pause {
        if *self.closed.borrow() {
            return Pause::Closing;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => Pause::Over,
            job = self.inbox.recv() => job.map_or(Pause::Closing, Pause::WriterJob),
            _ = self.closed.changed() => Pause::Closing,
        }
    }

    /// Tries the changes a last time before the store closes.
    async fn give_up(&mut self, batch: Jobs) {
        for job in self.try_each(batch).await {
            job.finish(Err(StoreError::DiskFull));
        }
    }

    /// Makes each change in its own transaction. Returns those that wait for disk space.
    async fn try_each(&mut self, batch: Jobs) -> Jobs {
        let mut left = Jobs::new();
        // Begins go last, so that a wake doesn't take the space that the record of a sleep needs.
        let (begins, others): (Jobs, Jobs) = batch
            .into_iter()
            .partition(|job| job.class() == ChangeClass::Begin);
        for job in others.into_iter().chain(begins) {
            let class = job.class();
            let Err((jobs, error)) = self.try_together(vec![job]).await else {
                continue;
            };
            let full = is_full(&error);
            let may_use_reserve = full && matches!(class, ChangeClass::Ledger | ChangeClass::Vital);
            let (jobs, error) = if may_use_reserve && self.reserve.release() {
                tracing::warn!(
                    "the disk of the data directory is full; the store uses its reserve"
                );
                match self.try_together(jobs).await {
                    Ok(()) => continue,
                    Err(failed) => failed,
                }
            } else {
                (jobs, error)
            };
            if is_full(&error) && matches!(class, ChangeClass::Ledger | ChangeClass::Begin) {
                left.extend(jobs);
                continue;
            }
            // The batch had one change.
            if let Some(job) = jobs.into_iter().next() {
                job.finish(Err(if is_full(&error) {
                    StoreError::DiskFull
                } else {
                    StoreError::Database(error)
                }));
            }
        }
        left
    }

    /// Makes all changes in one transaction and sends the results. If the transaction fails,
    /// returns the changes.
    async fn try_together(&mut self, mut batch: Jobs) -> Result<(), (Jobs, sqlx::Error)> {
        match transaction(&self.db, &mut batch).await {
            Ok(results) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                for (job, result) in batch.into_iter().zip(results) {
                    job.finish(result);
                }
                Ok(())
            }
            Err(error) => Err((batch, error)),
        }
    }

    fn restore_reserve(&self) {
        if let Err(error) = self.reserve.restore() {
            tracing::warn!(%error, "the store's reserve file could not be created");
        }
    }
}

async fn transaction(
    db: &SqlitePool,
    batch: &mut Jobs,
) -> Result<Vec<StoreResult<()>>, sqlx::Error> {
    let mut db = db.acquire().await?;
    // Plain statements instead of the library's transactions: SQLite rolls back by itself when the
    // disk is full, and the library would then count a transaction that is not open.
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *db).await?;
    let done = apply_all(&mut db, batch).await;
    let done = match done {
        Ok(results) => sqlx::raw_sql("COMMIT")
            .execute(&mut *db)
            .await
            .map(|_| results),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // Fails if SQLite has rolled back already.
        let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *db).await;
    }
    done
}

/// Applies all changes, with a result for each. A failure of the database itself fails all.
async fn apply_all(
    db: &mut SqliteConnection,
    batch: &mut Jobs,
) -> Result<Vec<StoreResult<()>>, sqlx::Error> {
    let mut results = Vec::with_capacity(batch.len());
    for job in batch {
        sqlx::raw_sql("SAVEPOINT change").execute(&mut *db).await?;
        match job.apply(db).await {
            Ok(()) => {
                sqlx::raw_sql("RELEASE change").execute(&mut *db).await?;
                results.push(Ok(()));
            }
            Err(StoreError::Database(error)) => return Err(error),
            Err(refused) => {
                sqlx::raw_sql("ROLLBACK TO change; RELEASE change")
                    .execute(&mut *db)
                    .await?;
                results.push(Err(refused));
            }
        }
    }
    Ok(results)
}

/// Whether the disk is full. SQLite reports an exhausted quota and a journal that can't grow as I/O
/// errors (<https://sqlite.org/rescode.html>): 778 WRITE, 1034 FSYNC, 4874 SHMSIZE.
pub fn is_full(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(&*code, "13" | "778" | "1034" | "4874"))
}
