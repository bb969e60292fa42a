//! Server variables of a cluster: what its engine must have, and whether it takes it.

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::engine_error::engine_error;
use crate::error::{ControlError, ControlResult, ErrorCode};
use tidegate_engine::EngineError;
use tidegate_model::{ClusterLimits, ClusterSettings, ClusterState, ServerVariables};

impl Control {
    /// Checks that events run only where the cluster never sleeps: an event that is due while it
    /// sleeps would not run.
    pub(super) fn check_events(
        &self,
        entry: &ClusterEntry,
        limits: &ClusterLimits,
        settings: &ClusterSettings,
    ) -> ControlResult<()> {
        if !settings.events || limits.never_sleeps() || !self.sleeps(entry) {
            return Ok(());
        }
        let name = entry.name();
        Err(ControlError::new(
            ErrorCode::Unsupported,
            format!(
                "cluster {:?} sleeps, and events do not run in a sleeping cluster",
                name.as_str()
            ),
            format!(
                "keep it awake: `tidegate cluster set {name} --sleep-after never --events on`; or \
                 turn its events off: `tidegate cluster set {name} --events off`"
            ),
        ))
    }

    /// Gives the engine its server variables, and wakes it for that: the engine knows best whether
    /// a value is right. Fails if it refuses one, and changes nothing then.
    pub(super) async fn change_variables(
        &self,
        entry: &ClusterEntry,
        settings: &ClusterSettings,
    ) -> ControlResult<()> {
        let before = entry.settings().engine_variables();
        let wanted = settings.engine_variables();
        if before == wanted {
            return Ok(());
        }
        // Until the record has them, they are in memory only.
        let _held = self.engines().hold(entry.id).await;
        self.keep_variables(entry, Some(&wanted)).await;
        let done = self.apply_variables(entry, &before, &wanted).await;
        let kept = if done.is_ok() { &wanted } else { &before };
        let kept = Some(kept).filter(|kept| !kept.is_empty());
        self.keep_variables(entry, kept).await;
        if done.is_err() {
            // A run that was woken for this began with those that the engine did accept. An error
            // means that it is gone.
            let _ = self.engines().change_variables(entry.id, &before).await;
        }
        entry.set_variables_wait(!done?);
        Ok(())
    }

    /// Applies variables to the engine. False: its next start has them.
    async fn apply_variables(
        &self,
        entry: &ClusterEntry,
        before: &ServerVariables,
        wanted: &ServerVariables,
    ) -> ControlResult<bool> {
        let only_defaults = wanted
            .iter()
            .all(|(name, value)| before.get(name) == Some(value));
        let asleep = self.engines().state(entry.id) == ClusterState::Asleep;
        if asleep && only_defaults {
            return Ok(true);
        }
        if self.take_variables(entry, wanted).await? {
            return Ok(true);
        }
        // A run that was begun before there were any variables can't take them. Nobody notices that
        // it is replaced if there is no session.
        if self.sessions().count(entry.id) > 0 || self.engines().sleep(entry.id).await.is_err() {
            return Ok(false);
        }
        self.take_variables(entry, wanted).await
    }

    /// Wakes the engine and changes its variables. False: this run can't.
    async fn take_variables(
        &self,
        entry: &ClusterEntry,
        wanted: &ServerVariables,
    ) -> ControlResult<bool> {
        let name = entry.name();
        self.engines()
            .wake(entry.id)
            .await
            .map_err(|e| engine_error(e, &name))?;
        match self.engines().change_variables(entry.id, wanted).await {
            Ok(taken) => Ok(taken),
            Err(e @ EngineError::Statement(_)) if e.is_refusal() => Err(ControlError::new(
                ErrorCode::BadParameters,
                format!(
                    "the engine of cluster {:?} refuses it: {}",
                    name.as_str(),
                    engine_words(&e.report())
                ),
                "nothing was changed; give a value that the engine accepts",
            )),
            Err(e) => Err(engine_error(e, &name)),
        }
    }

    /// Sets the variables of the next starts.
    async fn keep_variables(&self, entry: &ClusterEntry, variables: Option<&ServerVariables>) {
        // Fails only if the cluster is gone.
        let _ = self.engines().keep_variables(entry.id, variables).await;
    }
}

/// Returns what the engine said, without the words before it that tell whose statement it was.
fn engine_words(report: &str) -> &str {
    report.split_once(": ").map_or(report, |(_, words)| words)
}
