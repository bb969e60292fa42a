//! A new password for a cluster's root.

use super::ROOT;
use crate::control::Control;
use crate::engine_error::password_error;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::password;
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
                format!("the engine of cluster {name:?} did not accept the new password"),
                "try again; the server's log has details",
            ));
        }
        Ok(WithPassword {
            cluster: self.view(&entry),
            password,
        })
    }
}
