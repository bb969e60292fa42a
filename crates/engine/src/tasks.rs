//! What a supervisor lets run beside itself: a start, a reading, and what it waits for. Never decides what follows.

use crate::driver::{Driver, Run};
use crate::error::StartError;
use crate::ledger::Ledger;
use crate::readings::Answer;
use crate::status::Shared;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_model::{AccountBook, Journal, RunEpoch};
use tokio::sync::Semaphore;

/// What all supervisors share.
#[derive(Clone)]
pub struct Common {
    pub ledger: Arc<dyn Ledger>,
    pub journal: Arc<dyn Journal>,
    /// Starts at once; each costs 60 ms of a core.
    pub starts: Arc<Semaphore>,
}

/// An engine that is up, with our login to it proven.
pub struct Started {
    pub run: Arc<dyn Run>,
    pub epoch: RunEpoch,
    pub took: Duration,
    pub recovery: bool,
    /// Read because the last run did not end cleanly, or no reading is known here.
    pub book: Option<Arc<AccountBook>>,
}

pub async fn start(driver: &dyn Driver, common: &Common, shared: &Shared) -> Result<Started, StartError> {
    let _permit = common.starts.acquire().await.map_err(|_| StartError::new("the server is stopping"))?;
    let recovery = !shared.clean();
    let began = Instant::now();
    let ledger = |e: crate::ledger::LedgerError| StartError::new(format!("the ledger: {e}"));
    let epoch = common.ledger.begin_run(shared.id).await.map_err(ledger)?;
    shared.set_clean(false);
    let run = driver.start().await?;
    let took = began.elapsed();
    let mut book = None;
    if recovery || shared.book().is_none() {
        // Before anybody is let in: no login is judged by stale accounts.
        let read_began = Instant::now();
        let accounts = run.accounts().await.map_err(|e| StartError::new(format!("its accounts: {e}")))?;
        let read = Arc::new(AccountBook { accounts, run: epoch, read_began: Some(read_began) });
        common.ledger.save_accounts(shared.id, Arc::clone(&read)).await.map_err(ledger)?;
        book = Some(read);
    }
    Ok(Started { run, epoch, took, recovery, book })
}

/// One reading that logins wait for, kept before it is told. Only a changed one costs a write.
pub async fn read(shared: &Shared, common: &Common, run: &dyn Run, (epoch, began): (RunEpoch, Instant)) -> Answer {
    let accounts = run.accounts().await.map_err(|e| e.to_string())?;
    let book = Arc::new(AccountBook { accounts, run: epoch, read_began: Some(began) });
    if shared.book().is_none_or(|old| old.accounts != book.accounts) {
        common.ledger.save_accounts(shared.id, Arc::clone(&book)).await.map_err(|e| e.to_string())?;
    }
    Ok(book)
}

pub async fn ended(run: Option<&dyn Run>) -> String {
    match run {
        Some(run) => run.ended().await,
        None => std::future::pending().await,
    }
}

pub async fn at(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}
