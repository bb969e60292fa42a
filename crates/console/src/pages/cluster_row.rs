//! Cluster as shown in the list, on its page and on its Connect page.

use super::words::Moment;
use tidegate_control::{ClusterView, ROOT};
use tidegate_model::{ClusterState, printable};

/// Cluster as several pages show it.
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
    /// Sent by the forms of its pages.
    pub version: u64,
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
            version: view.version,
        }
    }

    pub fn can_sleep(&self) -> bool {
        self.sleeps && self.state == ClusterState::Awake
    }

    pub fn can_wake(&self) -> bool {
        matches!(self.state, ClusterState::Asleep | ClusterState::Failed)
    }

    /// Explanation of the state.
    pub fn meaning(&self) -> &'static str {
        match self.state {
            ClusterState::Asleep => "uses disk space only; the next login wakes it",
            ClusterState::Waking => "the engine is starting; logins wait",
            ClusterState::Awake => "the engine is running",
            ClusterState::Draining => "idle sessions are being closed; then the engine stops",
            ClusterState::Failed => "the engine could not be started",
        }
    }
}
