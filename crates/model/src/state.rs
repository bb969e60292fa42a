//! State of a cluster.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterState {
    Asleep,
    Waking,
    Awake,
    Draining,
    Failed,
}

impl ClusterState {
    pub const ALL: [Self; 5] = [
        Self::Asleep,
        Self::Waking,
        Self::Awake,
        Self::Draining,
        Self::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asleep => "asleep",
            Self::Waking => "waking",
            Self::Awake => "awake",
            Self::Draining => "draining",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for ClusterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
