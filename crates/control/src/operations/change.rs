//! Changes of a cluster's limits and settings.

use crate::control::Control;
use crate::engine_error::engine_error;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use crate::limits_check::check_limits;
use crate::operation_step::OperationStep;
use crate::views::{ClusterChange, ClusterView, LimitsChange};
use std::time::Duration;

impl Control {
    /// Changes a cluster's limits, asleep or awake. Open sessions stay.
    pub async fn change_limits(
        &self,
        name: &str,
        limits: LimitsChange,
    ) -> ControlResult<ClusterView> {
        let change = ClusterChange {
            limits,
            ..ClusterChange::default()
        };
        self.change_cluster(name, change).await
    }

    /// Changes a cluster's limits and settings, all of them or none, asleep or awake. Open sessions
    /// stay.
    pub async fn change_cluster(
        &self,
        name: &str,
        change: ClusterChange,
    ) -> ControlResult<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.lock_cluster(&name).await?;
            let limits = change.limits.apply_to(entry.limits());
            let settings = change.settings.apply_to(entry.settings())?;
            // An interrupted execution of this request may have stored it, with another version.
            let is_done = limits == entry.limits() && settings == entry.settings();
            if !(is_done && this.is_resumed()) {
                this.check_version(&entry)?;
            }
            check_limits(&limits)?;
            this.check_events(&entry, &limits, &settings)?;
            // First, because the engine may refuse a value.
            this.change_variables(&entry, &settings).await?;
            this.stepped(OperationStep::LimitsApplied);
            // On disk first: a restart must not forget a limit that already applies.
            let stored = this.store().set_cluster(entry.id, limits, settings.clone());
            entry.set_version(stored.await?);
            this.stepped(OperationStep::LimitsStored);
            entry.set_limits(limits);
            entry.set_settings(settings);
            this.engines()
                .set_limits(entry.id, limits)
                .await
                .map_err(|e| engine_error(e, &entry.name()))?;
            this.keep_awake(&entry);
            Ok(this.view(&entry))
        })
        .await
    }

    /// Allows a cluster at its disk limit to delete, drop and truncate for this time.
    pub async fn allow_shrink(&self, name: &str, time: Duration) -> ControlResult<()> {
        let entry = self.entry(name).await?;
        // The request's other changes may have made another version, before they were interrupted.
        if !self.is_resumed() {
            self.check_version(&entry)?;
        }
        if !limits::ALLOW_SHRINK.contains(&time) {
            let message = "allow_shrink is out of range";
            return Err(ControlError::new(
                ErrorCode::BadLimits,
                message,
                "give a time from 1 s to 1 h, such as 10m",
            ));
        }
        self.engines()
            .allow_shrink(entry.id, time)
            .await
            .map_err(|e| engine_error(e, &entry.name()))
    }
}
