//! Change of a cluster's name, which is only a label: its prefix, and so its logins, stay.

use crate::control::Control;
use crate::entry_cache::EntryUse;
use crate::error::{ControlError, ControlResult};
use crate::requests::Intent;
use crate::views::ClusterView;
use tidegate_model::ClusterName;

impl Control {
    /// Gives a cluster another name, asleep or awake. Another cluster may have the former one from
    /// then on. Open sessions stay.
    pub async fn rename_cluster(&self, name: &str, new: &str) -> ControlResult<ClusterView> {
        let new = ClusterName::parse(new).map_err(|_| ControlError::bad_name(new))?;
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let earlier = match this.earlier_cluster() {
                Some(id) => this.register().by_id(id, EntryUse::Work).await?,
                None => None,
            };
            if let Some(entry) = earlier
                && entry.name() == new
            {
                // An interrupted execution of this request has done it.
                return Ok(this.view(&entry));
            }
            let (entry, _held) = this.exclusive(&name).await?;
            if entry.name() != new {
                this.note_intent(Intent::Cluster { id: entry.id.0 }).await?;
                // Refused if the name is taken, also by a cluster that is being created.
                entry.set_version(this.store().rename(entry.id, new.clone()).await?);
                this.register().rename(&entry, new);
            }
            Ok(this.view(&entry))
        })
        .await
    }
}
