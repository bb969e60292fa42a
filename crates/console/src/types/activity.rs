//! Recent events of a cluster in answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Recent events of a cluster, latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    pub refusals: Vec<RecentRefusal>,
    pub wakes: Vec<RecentWake>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecentRefusal {
    pub at: String,
    #[schema(example = "203.0.113.9")]
    pub client: String,
    /// MySQL error code that the client got.
    #[schema(example = 1045)]
    pub code: u16,
    /// Slug of its help page; null if the engine refused the login.
    #[schema(example = "access-denied")]
    pub reason: Option<String>,
    pub meaning: String,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecentWake {
    pub at: String,
    pub took_ms: f64,
    /// Whether the engine was recovered after an unclean stop.
    pub recovery: bool,
}
