//! A cluster as several pages show it.

use super::words::Moment;
use tidegate_control::{ClusterView, ROOT};
use tidegate_model::{ClusterState, printable};

/// A cluster, in lists and on its own page.
pub struct ClusterRow {
    pub name: String,
    pub state: ClusterState,
    pub failure: Option<String>,
    pub login: String,
    /// Whether its kind of engine sleeps.
    pub sleeps: bool,
    pub sessions: u32,
    pub sessions_max: u32,
    pub created: Moment,
}

impl ClusterRow {
    pub fn of(view: &ClusterView) -> Self {
        Self {
            name: view.name.to_string(),
            state: view.state,
            failure: view
                .failure
                .as_deref()
                .map(|text| printable(text).into_owned()),
            login: format!("{}.{ROOT}", view.prefix.as_str()),
            sleeps: view.sleeps,
            sessions: view.sessions,
            sessions_max: view.limits.connections_max,
            created: Moment::from_unix(view.created_unix),
        }
    }

    pub fn can_sleep(&self) -> bool {
        self.sleeps && self.state == ClusterState::Awake
    }

    pub fn can_wake(&self) -> bool {
        matches!(self.state, ClusterState::Asleep | ClusterState::Failed)
    }

    /// The state in a sentence.
    pub fn meaning(&self) -> &'static str {
        match self.state {
            ClusterState::Asleep => "costs disk only; the next login wakes it",
            ClusterState::Waking => "its engine is starting; logins wait for it",
            ClusterState::Awake => "its engine is running",
            ClusterState::Draining => "idle sessions are being ended, then its engine stops",
            ClusterState::Failed => "its engine could not be started",
        }
    }
}
