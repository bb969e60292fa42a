//! Change of a cluster's name, which is only a label: its prefix, and so its logins, stay.

use crate::control::Control;
use crate::error::{ControlError, ControlResult};
use crate::views::ClusterView;
use tidegate_model::ClusterName;

impl Control {
    /// Gives a cluster another name, asleep or awake. Another cluster may have the former one from
    /// then on. Open sessions stay. `version` is the one that the cluster must have, if given.
    pub async fn rename_cluster(
        &self,
        name: &str,
        new: &str,
        version: Option<u64>,
    ) -> ControlResult<ClusterView> {
        let new = ClusterName::parse(new).map_err(|_| ControlError::bad_name(new))?;
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive_at(&name, version).await?;
            if entry.name() != new {
                // Refused if the name is taken, also by a cluster that is being created.
                entry.set_version(this.store().rename(entry.id, new.clone()).await?);
                this.register().rename(&entry, new);
            }
            Ok(this.view(&entry))
        })
        .await
    }
}
