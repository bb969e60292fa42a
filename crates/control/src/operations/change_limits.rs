//! Changes of a cluster's limits.

use crate::control::Control;
use crate::engine_error::engine_error;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use crate::limits_check::check_limits;
use crate::views::{ClusterView, LimitsChange};
use std::time::Duration;

impl Control {
    /// Changes a cluster's limits, asleep or awake. Open sessions stay.
    pub async fn change_limits(
        &self,
        name: &str,
        change: LimitsChange,
    ) -> ControlResult<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            let limits = change.apply_to(entry.limits());
            check_limits(&limits)?;
            // On disk first: a restart must not forget a limit that already applies.
            this.store().set_limits(entry.id, limits).await?;
            entry.set_limits(limits);
            this.engines()
                .set_limits(entry.id, limits)
                .await
                .map_err(|e| engine_error(e, &entry.name))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Allows a cluster at its disk limit to delete, drop and truncate for this time.
    pub async fn allow_shrink(&self, name: &str, time: Duration) -> ControlResult<()> {
        let entry = self.entry(name)?;
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
            .map_err(|e| engine_error(e, &entry.name))
    }
}
