//! Start of an engine whose system tables are repaired first, keeping as many accounts as possible.

use crate::driver::Repair;
use crate::error::StartError;
use crate::local::accounts::init_sql::RootSeed;
use crate::local::driver::LocalDriver;
use crate::local::process::RunGroup;
use crate::local::run::LocalRun;
use crate::local::space;
use crate::local::start::launch::NotUp;
use crate::local::start::repair::{self, RepairError};
use std::fs::File;
use std::sync::Arc;

impl LocalDriver {
    /// Repairs the engine's system tables and starts it. If its accounts can't be kept, they are
    /// set aside. `root` is made in the engine.
    pub(super) async fn start_repaired(
        &self,
        lock: &File,
        first: Repair,
        root: &RootSeed,
    ) -> Result<LocalRun, StartError> {
        if first == Repair::Accounts {
            match self.try_repaired(lock, Repair::Accounts, root).await {
                Ok(run) => return Ok(run),
                Err(NotUp {
                    error,
                    own_tables: false,
                }) => return Err(error),
                Err(NotUp { error, .. }) => {
                    tracing::warn!(cluster = %self.cluster, reason = error.report(), "the accounts \
                         can't be kept");
                }
            }
        }
        self.try_repaired(lock, Repair::Anew, root)
            .await
            .map_err(|e| e.error)
    }

    async fn try_repaired(
        &self,
        lock: &File,
        repair: Repair,
        root: &RootSeed,
    ) -> Result<LocalRun, NotUp> {
        tracing::warn!(cluster = %self.cluster, ?repair, "the engine's system tables are repaired");
        let group = self
            .make_group()
            .await
            .map_err(|e| StartError::caused("making its control group", e))?;
        let group = group.map(|group| RunGroup {
            group,
            spent: Arc::clone(&self.spent),
        });
        repair::system_tables(&self.local, &self.folder, lock, group, repair)
            .await
            .map_err(|e| self.classify_repair_error(e))?;
        self.launch(lock, Some(root)).await
    }

    fn has_space(&self) -> bool {
        space::space_shortage(&self.local.folder).is_none()
    }

    /// If a full disk or a SIGKILL ended the repair, the tables may be intact.
    fn classify_repair_error(&self, error: RepairError) -> NotUp {
        let own_tables = match &error {
            RepairError::TooLong => true,
            RepairError::Failed { reason, killed } => {
                !killed && !space::is_space_error(reason) && self.has_space()
            }
            RepairError::Io(error) => !space::is_full(error) && self.has_space(),
        };
        NotUp {
            error: StartError::caused("repairing its system tables", error),
            own_tables,
        }
    }
}
