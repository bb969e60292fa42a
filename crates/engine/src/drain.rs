//! Puts an engine to sleep: asks every session, ends the idle ones, waits until they are gone,
//! reads the accounts, stops the engine and records its end. If a session refuses, the engine is
//! not stopped unless the order says so.

use crate::driver::Run;
use crate::error::RunError;
use crate::ledger::Ledger;
use crate::limits::{DETACH_MAX, FORGET_MAX, YIELD_PATIENCE};
use crate::tasks::tell_incomplete;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::{
    AccountBook, Activity, ClusterId, LeaseHandle, RunEpoch, YieldVerdict, error_chain,
};

pub struct DrainOrder {
    pub cluster: ClusterId,
    pub epoch: RunEpoch,
    pub run: Arc<dyn Run>,
    pub leases: Vec<LeaseHandle>,
    pub ledger: Arc<dyn Ledger>,
    /// Number of this drain, so that a late answer to another one is not taken for one to this.
    pub number: u64,
    /// An open transaction that is idle for longer than this may be ended.
    pub transaction_idle_max: Duration,
    pub force: DrainForce,
}

/// Treatment of sessions that do not agree to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainForce {
    /// The engine goes on for them.
    None,
    /// They lose their engine.
    Stop,
    /// They are told that the cluster yields its memory, and end.
    YieldMemory,
}

pub enum DrainEnd {
    /// A session refused: nothing has changed.
    Refused { leases: Vec<LeaseHandle> },
    /// The engine has ended.
    Stopped { end: RunEnd, evicted: usize },
}

/// State of a run that was stopped.
pub enum RunEnd {
    /// Clean: the accounts were read last and are recorded with the end.
    Recorded,
    /// Clean, but the ledger could not record the end.
    Unrecorded {
        run: RunEpoch,
        book: Arc<AccountBook>,
    },
    /// Its accounts may have changed after they were read.
    Unclean,
}

pub async fn drain(order: DrainOrder) -> DrainEnd {
    let number = order.number;
    let idle_max = order.transaction_idle_max;
    let ask = async |lease: &LeaseHandle| {
        let (activity, since) = lease.activity();
        let past_idle = activity == Activity::InTransaction && since.elapsed() >= idle_max;
        lease
            .ask(number, past_idle, tokio::time::sleep(YIELD_PATIENCE))
            .await
    };
    // All sessions are asked at the same time: a silent one delays the drain by one patience only.
    let answers = join_all(order.leases.iter().map(&ask)).await;
    // One refusal keeps the engine for all sessions; those that agreed continue.
    if order.force == DrainForce::None && answers.iter().any(Result::is_err) {
        for verdict in answers.into_iter().flatten().flatten() {
            let _ = verdict.send(YieldVerdict::Resume);
        }
        return DrainEnd::Refused {
            leases: order.leases,
        };
    }
    let mut evicted = 0;
    let mut agreed = Vec::with_capacity(order.leases.len());
    for (lease, answer) in order.leases.into_iter().zip(answers) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(_) if order.force == DrainForce::YieldMemory => {
                lease.end_for_memory();
                evicted += 1;
                None
            }
            // A session that refused is told by the closed channel of its handle.
            Err(_) => continue,
        };
        if let Some(verdict) = answer {
            evicted += usize::from(verdict.send(YieldVerdict::Evicted).is_ok());
        }
        agreed.push(lease);
    }
    let quiet = tokio::time::timeout(
        DETACH_MAX,
        join_all(agreed.iter().map(LeaseHandle::detached)),
    )
    .await;
    if quiet.is_err() {
        let stay = agreed.iter().filter(|lease| !lease.is_detached());
        let sessions: Vec<_> = stay.filter_map(|lease| lease.session).collect();
        tracing::warn!(
            cluster = %order.cluster, ?sessions,
            "sessions that agreed to end are still attached; the engine stops without them"
        );
    }
    let end = stop(
        order.cluster,
        order.epoch,
        order.run.as_ref(),
        order.ledger.as_ref(),
    )
    .await;
    DrainEnd::Stopped { end, evicted }
}

/// Stops the engine, and records its end with the accounts as they were after the last session.
async fn stop(cluster: ClusterId, epoch: RunEpoch, run: &dyn Run, ledger: &dyn Ledger) -> RunEnd {
    // The old book is freed first: two books of a cluster need not be in memory at the same time.
    ledger.make_room(cluster);
    // Read after all sessions have ended, since any of them may have changed an account.
    let book = last_reading(cluster, epoch, run).await;
    if let Err(error) = &book {
        let reason = error_chain(error);
        tracing::warn!(%cluster, reason, "the engine stops without a last reading of its accounts");
    }
    if !run.stop().await {
        tracing::warn!(
            %cluster,
            "the engine did not stop in time and was killed; it recovers at its next start"
        );
    }
    // Without a last reading the accounts are unknown, so the next start recovers the engine and
    // reads them.
    let Ok(book) = book.map(Arc::new) else {
        return RunEnd::Unclean;
    };
    match ledger.end_run(cluster, epoch, Arc::clone(&book)).await {
        Ok(()) => RunEnd::Recorded,
        Err(error) => {
            tracing::error!(
                %cluster,
                %error,
                "the end of a run could not be recorded; trying again"
            );
            RunEnd::Unrecorded { run: epoch, book }
        }
    }
}

/// Reason why the accounts of a run were not read at its end.
#[derive(Debug, thiserror::Error)]
enum LastReadingError {
    #[error("a session does not end")]
    SessionStays,
    #[error(transparent)]
    Run(#[from] RunError),
}

async fn last_reading(
    cluster: ClusterId,
    epoch: RunEpoch,
    run: &dyn Run,
) -> Result<AccountBook, LastReadingError> {
    // The engine forgets a closed session a moment later, and its last statement may still change
    // accounts until then.
    if !run.settle(FORGET_MAX).await? {
        return Err(LastReadingError::SessionStays);
    }
    let order = run.next_reading();
    let accounts = run.accounts().await?;
    tell_incomplete(cluster, &accounts);
    Ok(AccountBook {
        accounts,
        run: epoch,
        order,
    })
}
