//! User numbers for clusters, if the server runs as root. A number is not given out while anything
//! of its former cluster is left: a process, or a file in the data directory.

use crate::datadir::DataDir;
use crate::error::{ControlError, ErrorCode};
use crate::limits::{OWNERS_CHECKED_MAX, UIDS_COMPARED_MAX, UIDS_READY_MAX};
use crate::register::Register;
use crate::store::{Store, StoreError, StoreResult, UnknownFolders};
use crate::stray_folders::StrayFolders;
use std::collections::{BTreeSet, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use tidegate_engine::{NoOwnUsers, UidChoice, UidClaim, can_use_files_of, free_uids, own_users};
use tidegate_model::ClusterId;
use tokio::sync::Mutex;

/// Source of user numbers.
pub struct Uids {
    claim: Arc<UidClaim>,
    /// The data directory.
    root: PathBuf,
    /// Free numbers, in the order in which they are given out. Locked during a whole reservation,
    /// so that two clusters never get the same number.
    ready: Mutex<VecDeque<u32>>,
}

impl Uids {
    /// Claims user numbers, if this server can give each cluster its own user. Fails if it can't
    /// use the files that clusters have already.
    pub async fn open(
        choice: &UidChoice,
        store: &dyn Store,
        register: &Register,
        dir: &DataDir,
    ) -> Result<Option<Self>, ControlError> {
        match own_users() {
            Ok(()) => {
                let reason = "that number is no user of this user namespace";
                check_owners(store, register, dir, reason).await?;
                let in_use = store.system_users(UIDS_COMPARED_MAX).await?;
                Self::claim(choice, &in_use, dir.root().to_owned()).map(Some)
            }
            Err(NoOwnUsers::NotRoot) => Ok(None),
            Err(reason) if matches!(choice, UidChoice::Range(_)) => Err(ControlError::new(
                ErrorCode::NoPlace,
                format!("engine.uids can't be used: {reason}"),
                "set engine.uids = \"auto\": engines then run as the server's own user, or give \
                 the server what it lacks",
            )),
            Err(reason) => {
                check_owners(store, register, dir, &reason.to_string()).await?;
                Ok(None)
            }
        }
    }

    /// Claims numbers that no other server on this machine uses.
    fn claim(
        choice: &UidChoice,
        in_use: &[(ClusterId, u32)],
        root: PathBuf,
    ) -> Result<Self, ControlError> {
        let in_use: Vec<u32> = in_use.iter().map(|(_, uid)| *uid).collect();
        let owner = format!(
            "the server on {}, pid {}",
            root.display(),
            std::process::id()
        );
        let claim = UidClaim::take(choice, &in_use, &owner)
            .map_err(|e| ControlError::new(ErrorCode::NoPlace, e.to_string(), e.hint()))?;
        tracing::debug!(range = ?claim.range(), "user numbers of engines");
        Ok(Self {
            claim: Arc::new(claim),
            root,
            ready: Mutex::default(),
        })
    }

    pub fn range(&self) -> Arc<UidClaim> {
        Arc::clone(&self.claim)
    }

    /// Makes this host run a cluster, with the free number that was freed longest ago. Numbers that
    /// own a directory of no cluster are not given.
    pub async fn take(
        &self,
        store: &dyn Store,
        cluster: ClusterId,
        strays: &UnknownFolders,
    ) -> StoreResult<u32> {
        let mut ready = self.ready.lock().await;
        self.fill(store, &mut ready, 1, strays).await?;
        // Removed only after the change, so that a failed one does not lose the number.
        let uid = *ready.front().ok_or(StoreError::NoUidLeft)?;
        store.take_cluster(cluster, Some(uid)).await?;
        ready.pop_front();
        Ok(uid)
    }

    /// Gives numbers of the claimed range to clusters without one: those of a server that did not
    /// run as root, or that had another range. Each engine's next start changes the owner of its
    /// files.
    pub async fn move_to_range(
        &self,
        store: &dyn Store,
        register: &Register,
        strays: &StrayFolders,
    ) -> Result<(), ControlError> {
        let mut moving = store.outside(self.claim.for_clusters()).await?;
        // Half-made clusters are removed.
        moving.retain(|id| register.index().contains(*id));
        if moving.is_empty() {
            return Ok(());
        }
        let strays = strays.find().await?;
        let mut ready = self.ready.lock().await;
        match self.fill(store, &mut ready, moving.len(), strays).await {
            // The server starts anyway: these clusters keep their numbers.
            Err(StoreError::NoUidLeft) => tracing::warn!(
                clusters = moving.len(),
                "engine.uids has too few numbers for all clusters; some keep numbers outside it"
            ),
            other => other?,
        }
        let given = ready.len().min(moving.len());
        let numbers: Vec<u32> = ready.drain(..given).collect();
        store
            .set_uids(moving.into_iter().zip(numbers).collect())
            .await?;
        tracing::info!(
            clusters = given,
            "clusters get user numbers of the new range, each at its next start"
        );
        Ok(())
    }

    /// Finds free numbers until `wanted` are ready.
    async fn fill(
        &self,
        store: &dyn Store,
        ready: &mut VecDeque<u32>,
        wanted: usize,
        strays: &UnknownFolders,
    ) -> StoreResult<()> {
        // A number that was not free is not asked for again, or the loop would not end.
        let mut tried: BTreeSet<u32> = ready.iter().chain(&strays.uids).copied().collect();
        while ready.len() < wanted {
            let limit = wanted.max(UIDS_READY_MAX);
            let candidates = store
                .uid_candidates(self.claim.for_clusters(), limit, &tried)
                .await?;
            if candidates.is_empty() {
                return Err(StoreError::NoUidLeft);
            }
            tried.extend(candidates.iter().map(|candidate| candidate.uid));
            let root = self.root.clone();
            // Reads the processes and the data directory, which blocks.
            let free = tokio::task::spawn_blocking(move || free_uids(&candidates, &root)).await;
            ready.extend(free.map_err(StoreError::UidCheck)??);
        }
        Ok(())
    }
}

/// Refuses a start that could not wake a cluster: its files belong to a user that this server can't
/// become, because it ran with more rights before. Some clusters are enough to find this out.
async fn check_owners(
    store: &dyn Store,
    register: &Register,
    dir: &DataDir,
    reason: &str,
) -> Result<(), ControlError> {
    let with_users = store.system_users(OWNERS_CHECKED_MAX).await?;
    let mut checked: Vec<_> = with_users.into_iter().map(|(id, _)| id).collect();
    checked.retain(|id| register.index().contains(*id));
    let others = register.index().ids().to_vec();
    checked.extend(others.into_iter().take(OWNERS_CHECKED_MAX));
    for id in checked {
        let data = dir.engines().join(id.to_string()).join("data");
        // A folder that is missing is that one cluster's failure.
        let Ok(found) = data.symlink_metadata() else {
            continue;
        };
        if !can_use_files_of(found.uid()) {
            let name = store.cluster(id).await?.map(|row| row.name);
            let name = name.map_or_else(|| id.to_string(), String::from);
            return Err(ControlError::new(
                ErrorCode::NoPlace,
                format!(
                    "the files of cluster {name:?} belong to user {}, and this server can't run \
                     its engine: {reason}",
                    found.uid()
                ),
                format!(
                    "start the server as it was started before: as root, outside of this \
                     container or with its rights; or give the files in {} to the user of this \
                     server with chown -R, from outside",
                    dir.engines().display()
                ),
            ));
        }
    }
    Ok(())
}
