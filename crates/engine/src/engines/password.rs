//! A new password for an account of a cluster: the operator's way in, whatever the tenant did to
//! the accounts.

use super::{Cluster, Engines, within};
use crate::driver::Repair;
use crate::error::{EngineError, RunError};
use crate::limits::{NEXT_RUN_CHECK, OPERATION_MAX};
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::{AccountBook, ClusterId, Lease, RunEpoch, Verifier};

/// From where that user may come: the gateway has judged the address before.
const ANY_HOST: &str = "%";
/// Reason for ending a run whose accounts can't be repaired while it runs.
const REPAIRED: &str = "its accounts are repaired, so that an operator's new password is taken";

impl Engines {
    /// Wakes it, changes the password of `user@'%'`, and returns the accounts of that user as they
    /// are then. `stage2`: SHA1(SHA1(password)). If the engine doesn't take it for root, the engine
    /// is ended, its own tables are repaired, and root is made anew with all its privileges. For
    /// any other user the error is returned.
    pub async fn set_password(
        &self,
        id: ClusterId,
        user: &str,
        stage2: [u8; 20],
    ) -> Result<Arc<AccountBook>, EngineError> {
        let cluster = self.cluster(id)?;
        let lease = within(id, cluster.shared.attach()).await?;
        let mut old = lease.run;
        let mut outcome = self.change_password(&cluster, lease, user, stage2).await;
        for repair in [Repair::Accounts, Repair::Anew] {
            let Err(error) = &outcome else { break };
            if !cluster.driver.repair_accounts(repair, user, stage2) {
                break;
            }
            let error = error.report();
            tracing::warn!(cluster = %id, error, "an operator's new password was not taken");
            if let Some(run) = cluster.shared.run(old) {
                run.kill_because(REPAIRED.to_owned());
            }
            let lease = next_run(id, &cluster, old).await?;
            old = lease.run;
            outcome = self.change_password(&cluster, lease, user, stage2).await;
        }
        outcome
    }

    /// Changes it in the run that the lease is for. An error if a reading doesn't show it.
    async fn change_password(
        &self,
        cluster: &Cluster,
        // Like a session's, busy by birth: the cluster stays awake until this is done.
        lease: Lease,
        user: &str,
        stage2: [u8; 20],
    ) -> Result<Arc<AccountBook>, EngineError> {
        let run = cluster.shared.run(lease.run);
        let run = run.ok_or(EngineError::EndedMeanwhile)?;
        // Dropping this future in the middle must not tear a statement: the work runs to its end
        // beside it.
        let name = user.to_owned();
        let work = tokio::spawn(async move { run.set_password(&name, ANY_HOST, stage2).await });
        let done = work.await.map_err(EngineError::Inside)?;
        done.map_err(EngineError::Statement)?;
        let book = self
            .accounts(cluster.shared.id, vec![user.to_owned()], Instant::now())
            .await?;
        let taken = book.accounts.iter().any(|account| {
            account.user == user
                && account.host == ANY_HOST
                && !account.locked
                && account.verifiers.contains(&Verifier::Native(stage2))
        });
        if taken {
            Ok(book)
        } else {
            let reason = "the engine took the password, and its accounts don't have it";
            Err(EngineError::Statement(RunError::Refused(reason.to_owned())))
        }
    }
}

/// Waits for a run that is not the old one, which has been killed.
async fn next_run(id: ClusterId, cluster: &Cluster, old: RunEpoch) -> Result<Lease, EngineError> {
    let until = Instant::now() + OPERATION_MAX;
    loop {
        let lease = within(id, cluster.shared.attach()).await?;
        if lease.run != old {
            return Ok(lease);
        }
        if Instant::now() >= until {
            return Err(EngineError::EndedMeanwhile);
        }
        tokio::time::sleep(NEXT_RUN_CHECK).await;
    }
}
