//! What is said of an account book that lacks accounts, the same in the API, on the command line
//! and on pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Words about an account book that lacks some of its cluster's accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncompleteAccounts {
    #[schema(example = "the account book lacks some of the cluster's accounts")]
    pub message: String,
    /// Consequence for logins.
    #[schema(example = "accounts that are not in it can log in only while the cluster is awake")]
    pub meaning: String,
    #[schema(example = "drop accounts that nobody uses (DROP USER)")]
    pub hint: String,
}

impl IncompleteAccounts {
    pub fn of(cluster: &str) -> Self {
        Self {
            message: "the account book lacks some of the cluster's accounts: there are more than it has room for, or \
                      they could not all be read"
                .to_owned(),
            meaning: "accounts that are not in the book are asked of the engine, within a budget, so they can log in \
                      only while the cluster is awake"
                .to_owned(),
            hint: format!(
                "drop accounts that nobody uses (`DROP USER`), then `tidegate cluster sleep {cluster}`: the book is \
                 written anew at each sleep"
            ),
        }
    }
}
