//! Tasks that run beside a supervisor: a start, a reading, a health check. They make no decisions.

use crate::bound_task::BoundTask;
use crate::budget::AwakeBudget;
use crate::driver::{Driver, Run};
use crate::error::StartError;
use crate::ledger::Ledger;
use crate::limits::{NOTE_AGAIN_FIRST, NOTE_AGAIN_LAST, START_TURN};
use crate::messages::SupervisorReport;
use crate::readings::ReadingAnswer;
use crate::status::SharedCluster;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_model::SharedError;
use tidegate_model::{
    AccountBook, Accounts, ClusterId, Journal, RefusalKind, RunEpoch, error_chain,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Services that all supervisors share.
#[derive(Clone)]
pub struct SharedServices {
    pub ledger: Arc<dyn Ledger>,
    pub journal: Arc<dyn Journal>,
    /// Starts at once of clusters that slept; each costs 60 ms of a core.
    pub wakes: Arc<Semaphore>,
    /// Starts at once of engines that did not end cleanly. Apart, so that no wake waits for one.
    pub recoveries: Arc<Semaphore>,
    /// Silence after which an engine is taken for frozen.
    pub frozen_after: Duration,
    /// Memory of all awake engines.
    pub budget: Arc<AwakeBudget>,
}

/// Reports the run when it freezes.
pub fn watch_health(
    run: Arc<dyn Run>,
    epoch: RunEpoch,
    common: &SharedServices,
    reports: mpsc::Sender<SupervisorReport>,
) -> BoundTask {
    let patience = common.frozen_after;
    BoundTask::spawn(async move {
        run.frozen(patience).await;
        let _ = reports.send(SupervisorReport::Frozen(epoch)).await;
    })
}

/// Records the end of a run that could not be recorded immediately, and retries until it succeeds:
/// a full disk gets space again. Until then a restart of the server would recover the cluster,
/// which is safe.
pub fn record_end(
    cluster: ClusterId,
    run: RunEpoch,
    book: Arc<AccountBook>,
    common: &SharedServices,
    reports: mpsc::Sender<SupervisorReport>,
) -> BoundTask {
    let ledger = Arc::clone(&common.ledger);
    BoundTask::spawn(async move {
        let mut pause = NOTE_AGAIN_FIRST;
        loop {
            tokio::time::sleep(pause).await;
            match ledger.end_run(cluster, run, Arc::clone(&book)).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%cluster, %error, "the end of a run could still not be recorded")
                }
            }
            pause = (pause * 2).min(NOTE_AGAIN_LAST);
        }
        let _ = reports.send(SupervisorReport::Recorded(run)).await;
    })
}

/// An engine that is up, with our login to it proven.
pub struct Started {
    pub run: Arc<dyn Run>,
    pub epoch: RunEpoch,
    pub took: Duration,
    pub recovery: bool,
}

/// Starts an engine. A start that fails for want of space on the disk is a refusal, not a failure
/// of the cluster.
pub async fn start_engine(
    driver: &dyn Driver,
    common: &SharedServices,
    shared: &SharedCluster,
) -> Result<Started, StartError> {
    let result = try_start(driver, common, shared).await;
    match result {
        Err(e) if e.refusal.is_none() && driver.is_lack_of_space(&e) => {
            Err(StartError::refused(RefusalKind::DiskFull, e.report()))
        }
        result => result,
    }
}

/// Starts an engine in its turn. After an unclean end its accounts are read before anybody is let
/// in.
async fn try_start(
    driver: &dyn Driver,
    common: &SharedServices,
    shared: &SharedCluster,
) -> Result<Started, StartError> {
    // Before the turn: one that waits for room, or gets none, delays no other start.
    driver.admit().await?;
    let _place = common.budget.admit(shared.id).await?;
    let recovery = !shared.clean();
    let turns = if recovery {
        &common.recoveries
    } else {
        &common.wakes
    };
    let turn = turns
        .acquire()
        .await
        .map_err(|_| StartError::new("the server is stopping"))?;
    let began = Instant::now();
    let mut starting = std::pin::pin!(recorded_start(driver, common, shared));
    let started = match tokio::time::timeout(START_TURN, &mut starting).await {
        Ok(started) => started,
        Err(_) => {
            // It waits for a disk or was made slow by its tenant, so the next start may begin.
            drop(turn);
            starting.await
        }
    };
    let (epoch, run) = started?;
    let took = began.elapsed();
    if recovery && let Err(error) = record_accounts(common, shared.id, epoch, run.as_ref()).await {
        // A start never depends on a reading: while the engine runs, a mismatch with the older
        // accounts asks it anyway.
        let error = error_chain(&error);
        tracing::warn!(
            cluster = %shared.id,
            error,
            "the accounts could not be read after a recovery; the older copy stays"
        );
    }
    Ok(Started {
        run,
        epoch,
        took,
        recovery,
    })
}

/// Starts an engine and records its run: a server that finds the record without an end recovers the
/// engine.
async fn recorded_start(
    driver: &dyn Driver,
    common: &SharedServices,
    shared: &SharedCluster,
) -> Result<(RunEpoch, Arc<dyn Run>), StartError> {
    let record = async {
        let begun = common.ledger.begin_run(shared.id).await;
        let epoch = begun.map_err(|e| StartError::caused("the ledger", e))?;
        // From here on accounts may change, so only a clean end makes them known again.
        shared.set_clean(false);
        Ok(epoch)
    };
    if driver.durable_start() {
        let epoch = record.await?;
        return Ok((epoch, driver.start().await?));
    }
    tokio::try_join!(record, driver.start())
}

/// Reads all accounts of a recovered engine, before anybody is let in.
async fn record_accounts(
    common: &SharedServices,
    cluster: ClusterId,
    epoch: RunEpoch,
    run: &dyn Run,
) -> Result<(), SharedError> {
    // The old book is freed first: two books of a cluster need not be in memory at the same time.
    common.ledger.make_room(cluster);
    let order = run.next_reading();
    let accounts = run.accounts().await.map_err(shared_error)?;
    tell_incomplete(cluster, &accounts);
    let book = Arc::new(AccountBook {
        accounts,
        run: epoch,
        order,
    });
    common
        .ledger
        .save_accounts(cluster, book)
        .await
        .map_err(shared_error)
}

fn shared_error(error: impl std::error::Error + Send + Sync + 'static) -> SharedError {
    Arc::new(error)
}

/// Runs a task of a supervisor. A panic in it becomes the report that `panicked` makes: the cluster
/// never waits for a task that is gone.
pub fn spawn_reporting(
    reports: mpsc::Sender<SupervisorReport>,
    work: impl Future<Output = SupervisorReport> + Send + 'static,
    panicked: impl FnOnce() -> SupervisorReport + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let report = AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| panicked());
        let _ = reports.send(report).await;
    })
}

/// Tells the operator that some accounts can't log in while the cluster sleeps.
pub fn tell_incomplete(cluster: ClusterId, accounts: &Accounts) {
    if !accounts.is_complete() {
        let hint = "remove accounts that nobody uses";
        tracing::warn!(
            %cluster, kept = accounts.len(), hint,
            "the cluster has more accounts than the gateway keeps; the others can log in only \
             while it is awake"
        );
    }
}

/// Reads the accounts that logins wait for, of the users that they named.
pub async fn read_due_accounts(run: &dyn Run, epoch: RunEpoch, users: &[String]) -> ReadingAnswer {
    // Taken before the statement is sent, so that the reading is never older than its number.
    let order = run.next_reading();
    let accounts = run.accounts_of(users).await?;
    Ok(Arc::new(AccountBook {
        accounts,
        run: epoch,
        order,
    }))
}

pub async fn run_ended(run: Option<&dyn Run>) -> String {
    match run {
        Some(run) => run.ended().await,
        None => std::future::pending().await,
    }
}

pub async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}
