//! Sessions in answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A session that has logged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Connection id that the client got.
    #[schema(example = 2_147_483_655_u32)]
    pub id: u32,
    /// Null for a session that is closing because its cluster was deleted.
    pub cluster: Option<String>,
    /// User name without the prefix, as the engine knows it.
    #[schema(example = "root")]
    pub user: String,
    #[schema(example = "203.0.113.9:51234")]
    pub client: String,
    #[schema(example = "TLS 1.3")]
    pub tls: String,
    /// Whole seconds since the login.
    pub age_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    pub sessions: Vec<Session>,
    /// Id to send as `after` for the next page; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<u32>,
}
