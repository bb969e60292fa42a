//! A new password for a cluster's root.

use super::ROOT;
use crate::cluster_entry::ClusterEntry;
use crate::control::{Control, now_unix};
use crate::engine_error::password_error;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::operation_step::OperationStep;
use crate::password;
use crate::store::{OperationKind, StoreError};
use crate::views::WithPassword;
use tidegate_model::{Account, Verifier};

impl Control {
    /// Sets a new password for the cluster's root. Returns it only after a new reading of the
    /// accounts shows that the engine has it.
    pub async fn new_password(&self, name: &str) -> ControlResult<WithPassword> {
        self.password_by(name, false).await
    }

    /// As [`Self::new_password`], but first ends the engine and repairs its accounts.
    pub async fn repair_password(&self, name: &str) -> ControlResult<WithPassword> {
        self.password_by(name, true).await
    }

    async fn password_by(&self, name: &str, repair: bool) -> ControlResult<WithPassword> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move { this.change_password(&name, repair).await })
            .await
    }

    async fn change_password(&self, name: &str, repair: bool) -> ControlResult<WithPassword> {
        let (entry, _held) = self.exclusive(name).await?;
        let password = password::generate()?;
        let stage2 = password::stage2(&password);
        // A start that finds this record tells that nobody has got the new password.
        let begun = self
            .store()
            .begin_operation(entry.id, OperationKind::Password, now_unix());
        let claim = match begun.await {
            // The operator may need the password to free space.
            Err(StoreError::DiskFull) => None,
            claim => Some(claim?),
        };
        self.stepped(OperationStep::PasswordBegun);
        let done = self.give_password(&entry, stage2, repair).await;
        self.stepped(OperationStep::PasswordChanged);
        // The engine has the password, so a failure here must not keep it from the caller.
        if let Some(claim) = claim
            && let Err(error) = self.store().end_operation(claim).await
        {
            tracing::warn!(cluster = %entry.id, %error, "the record of a change of root's \
                 password stays until the next start");
        }
        self.stepped(OperationStep::PasswordEnded);
        done?;
        Ok(WithPassword {
            cluster: self.view(&entry),
            password,
        })
    }

    /// Gives root this password, and reads the accounts again.
    async fn give_password(
        &self,
        entry: &ClusterEntry,
        stage2: [u8; 20],
        repair: bool,
    ) -> ControlResult<()> {
        // The engine checks root only, so the operation works whatever the other accounts are.
        let changed = match repair {
            true => self.engines().repair_password(entry.id, ROOT, stage2).await,
            false => self.engines().set_password(entry.id, ROOT, stage2).await,
        };
        let book = changed.map_err(|e| password_error(e, &entry.name()))?;
        self.register()
            .books()
            .learn(entry.id, &[ROOT.to_owned()], &book);
        let has_it = |a: Account| {
            a.user == ROOT && !a.locked && a.verifiers.contains(&Verifier::Native(stage2))
        };
        if !book.accounts.iter().any(has_it) {
            return Err(ControlError::new(
                ErrorCode::EngineFailed,
                format!(
                    "the engine of cluster {:?} did not accept the new password",
                    entry.name().as_str()
                ),
                "try again; the server's log has details",
            ));
        }
        Ok(())
    }
}
