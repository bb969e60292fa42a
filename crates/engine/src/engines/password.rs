//! Sets a new password for an account of a cluster, so that the operator can log in whatever the
//! tenant did to the accounts.

use super::Engines;
use super::attach::within;
use crate::driver::Repair;
use crate::error::{EngineError, RunError};
use crate::limits::{NEXT_RUN_CHECK, OPERATION_MAX, OTHER_HOSTS_MAX};
use crate::supervised_cluster::SupervisedCluster;
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::{AccountBook, ClusterId, Lease, RunEpoch, Verifier};

/// Host part of the account: the gateway has checked the client's address before.
const ANY_HOST: &str = "%";
/// Reason for ending a run whose accounts can't be repaired while it runs.
const REPAIRED: &str = "its accounts are repaired to apply the operator's new password";

impl Engines {
    /// Wakes it, changes the password of `user@'%'`, and returns the accounts of that user as they
    /// are then. `stage2`: SHA1(SHA1(password)). If the engine refuses it for root, or root's
    /// account does not have it then, the engine is ended, its own tables are repaired, and root is
    /// made anew with all its privileges. For any other user, and if the engine is only busy, the
    /// error is returned.
    pub async fn set_password(
        &self,
        id: ClusterId,
        user: &str,
        stage2: [u8; 20],
    ) -> Result<Arc<AccountBook>, EngineError> {
        let cluster = self.cluster(id).await?;
        let lease = within(id, cluster.attach_operator()).await?;
        let mut run = lease.run;
        let mut outcome = self.change_password(&cluster, lease, user, stage2).await;
        if outcome.is_err() && cluster.shared.has_ended(run).await {
            // Its end may have another cause than its accounts, so the next run gets a chance
            // first.
            let lease = next_run(id, &cluster, run).await?;
            run = lease.run;
            outcome = self.change_password(&cluster, lease, user, stage2).await;
        }
        // The repair that keeps the accounts comes first. They are set aside only if it does not
        // help.
        for repair in [Repair::Accounts, Repair::Anew] {
            let Err(error) = &outcome else { break };
            // An engine that ended twice can't change its accounts; there is nobody to disconnect.
            if !error.is_refusal() && !cluster.shared.has_ended(run).await {
                break;
            }
            let cause = error.report();
            let Some(lease) = repaired_run(&cluster, run, repair, user, stage2, cause).await?
            else {
                break;
            };
            run = lease.run;
            outcome = self.change_password(&cluster, lease, user, stage2).await;
        }
        outcome
    }

    /// As [`Self::set_password`], but repairs the accounts without asking the engine first.
    pub async fn repair_password(
        &self,
        id: ClusterId,
        user: &str,
        stage2: [u8; 20],
    ) -> Result<Arc<AccountBook>, EngineError> {
        let cluster = self.cluster(id).await?;
        let mut run = within(id, cluster.attach_operator()).await?.run;
        let mut outcome = Err(EngineError::Unsupported("accounts that can be repaired"));
        let mut cause = "an operator asked for it".to_owned();
        for repair in [Repair::Accounts, Repair::Anew] {
            let Some(lease) = repaired_run(&cluster, run, repair, user, stage2, cause).await?
            else {
                break;
            };
            run = lease.run;
            outcome = self.change_password(&cluster, lease, user, stage2).await;
            match &outcome {
                Ok(_) => break,
                Err(error) => cause = error.report(),
            }
        }
        outcome
    }

    /// Changes it in the run that the lease is for. An error if a reading doesn't show it.
    async fn change_password(
        &self,
        cluster: &SupervisedCluster,
        // Like a session's, busy by birth: the cluster stays awake until this is done.
        lease: Lease,
        user: &str,
        stage2: [u8; 20],
    ) -> Result<Arc<AccountBook>, EngineError> {
        let lease_run = lease.run;
        let run = cluster.shared.run(lease_run);
        let run = run.ok_or(EngineError::EndedMeanwhile)?;
        // Dropping this future in the middle must not tear a statement: the work runs to its end
        // beside it.
        let name = user.to_owned();
        let work = tokio::spawn(async move { run.set_password(&name, ANY_HOST, stage2).await });
        let done = work.await.map_err(EngineError::Inside)?;
        let read = self
            .accounts(cluster.shared.id, vec![user.to_owned()], Instant::now())
            .await;
        let mut book = match (done, read) {
            (Ok(()), read) => read?,
            // Under a backup lock the change is made, and only its commit times out. Who is told
            // that it failed would be locked out by a password that was never shown.
            (Err(_), Ok(book)) if has_password(&book, user, stage2) => {
                drop_shadows(cluster, lease_run, user).await;
                return Ok(book);
            }
            (Err(error), _) => return Err(EngineError::Statement(error)),
        };
        drop_shadows(cluster, lease_run, user).await;
        if set_for_other_hosts(cluster, lease_run, &book, user, stage2).await {
            book = self
                .accounts(cluster.shared.id, vec![user.to_owned()], Instant::now())
                .await?;
        }
        // Success is no proof: a tenant may have replaced the table of accounts.
        if has_password(&book, user, stage2) {
            Ok(book)
        } else {
            let reason = "the engine accepted the password, but its accounts do not contain it";
            Err(EngineError::Statement(RunError::Refused(reason.to_owned())))
        }
    }
}

fn has_password(book: &AccountBook, user: &str, stage2: [u8; 20]) -> bool {
    book.accounts.iter().any(|account| {
        account.user == user
            && account.host == ANY_HOST
            && !account.locked
            && account.verifiers.contains(&Verifier::Native(stage2))
    })
}

/// Drops accounts without a name: at their hosts the engine prefers them to root at any host, so
/// the operator could not log in from there.
async fn drop_shadows(cluster: &SupervisedCluster, run: RunEpoch, user: &str) {
    let Some(run) = cluster.shared.run(run) else {
        return;
    };
    match run.drop_shadows(user).await {
        Ok(0) => {}
        Ok(count) => tracing::warn!(cluster = %cluster.shared.id, count,
            "accounts without a name are dropped, which kept root out at their hosts"),
        Err(error) => {
            let reason = tidegate_model::error_chain(&error);
            tracing::warn!(cluster = %cluster.shared.id, reason,
                "accounts without a name may keep root out at their hosts");
        }
    }
}

/// Sets the password for the same user at other hosts, such as `root@'127.0.0.1'` from a dump: from
/// there the engine prefers that account, and the old password would stay valid. True if one was
/// changed. One that the engine refuses, such as a role of that name, is left as it is.
async fn set_for_other_hosts(
    cluster: &SupervisedCluster,
    run: RunEpoch,
    book: &AccountBook,
    user: &str,
    stage2: [u8; 20],
) -> bool {
    let mut is_changed = false;
    let others = book.accounts.iter().filter(|account| {
        account.user == user
            && account.host != ANY_HOST
            && !account.verifiers.contains(&Verifier::Native(stage2))
    });
    for account in others.take(OTHER_HOSTS_MAX) {
        let Some(run) = cluster.shared.run(run) else {
            break;
        };
        let set = run.set_password(user, &account.host, stage2).await;
        if let Err(error) = &set {
            let reason = tidegate_model::error_chain(error);
            tracing::warn!(cluster = %cluster.shared.id, user, host = %account.host, reason,
                "the operator's new password is not valid for this account");
        }
        is_changed |= set.is_ok();
    }
    is_changed
}

/// Ends the run, so that the next start repairs the accounts, and waits for that one. `None`: this
/// account or kind of engine has no such repair, or there is no space for one.
async fn repaired_run(
    cluster: &SupervisedCluster,
    old: RunEpoch,
    repair: Repair,
    user: &str,
    stage2: [u8; 20],
    cause: String,
) -> Result<Option<Lease>, EngineError> {
    let id = cluster.shared.id;
    if !cluster.driver.repair_accounts(repair, user, stage2) {
        return Ok(None);
    }
    tracing::warn!(cluster = %id, cause, "accounts are repaired for an operator's new password");
    if let Some(run) = cluster.shared.run(old) {
        run.kill_because(REPAIRED.to_owned());
    }
    next_run(id, cluster, old).await.map(Some)
}

/// Waits for a run that is not the old one, which has been killed.
async fn next_run(
    id: ClusterId,
    cluster: &SupervisedCluster,
    old: RunEpoch,
) -> Result<Lease, EngineError> {
    let until = Instant::now() + OPERATION_MAX;
    loop {
        let lease = within(id, cluster.attach_operator()).await?;
        // The killed run can give out leases until its end is known.
        if lease.run != old {
            return Ok(lease);
        }
        if Instant::now() >= until {
            return Err(EngineError::EndedMeanwhile);
        }
        tokio::time::sleep(NEXT_RUN_CHECK).await;
    }
}
