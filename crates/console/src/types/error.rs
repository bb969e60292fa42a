//! Errors in answers. `tidegate` and other clients act on the code; the texts may change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Stable code for programs.
    #[schema(example = "not_found")]
    pub code: String,
    #[schema(example = "there is no cluster \"demo\"")]
    pub message: String,
    /// Advice on how to fix it.
    #[schema(example = "`tidegate cluster list` shows those that exist")]
    pub hint: String,
    /// Id of the request, also in the server's log.
    pub request_id: String,
}
