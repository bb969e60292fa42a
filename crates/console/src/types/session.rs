//! Sessions in answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A session that has logged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// As the client's own connection id.
    #[schema(example = 2_147_483_655_u32)]
    pub id: u32,
    /// Null for one that is ending because its cluster was deleted.
    pub cluster: Option<String>,
    /// The user as the engine knows it.
    #[schema(example = "root")]
    pub user: String,
    #[schema(example = "203.0.113.9:51234")]
    pub client: String,
    #[schema(example = "TLS 1.3")]
    pub tls: String,
    pub age_seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    pub sessions: Vec<Session>,
}
