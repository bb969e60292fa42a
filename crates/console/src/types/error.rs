//! The body of every error.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What every error looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// For programs; never changes its meaning.
    #[schema(example = "not_found")]
    pub code: String,
    #[schema(example = "there is no cluster \"demo\"")]
    pub message: String,
    /// What to do about it.
    #[schema(example = "`tidegate cluster list` shows those that exist")]
    pub hint: String,
    /// The same as in the server's log.
    pub request_id: String,
}
