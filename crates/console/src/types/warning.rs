//! States that an operator must know of, in the same words in the API, on the command line and on
//! pages. Each tells what is the case, what it means, and what to do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// State that an operator must know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    #[schema(example = "the disk of the data directory is full")]
    pub message: String,
    /// Consequence for logins.
    #[schema(example = "no cluster can be woken; those that are awake go on")]
    pub meaning: String,
    #[schema(example = "free space on that file system")]
    pub hint: String,
}

impl Warning {
    /// Account book that lacks some of its cluster's accounts.
    pub fn incomplete_accounts(cluster: &str) -> Self {
        Self {
            message: "the account book lacks some of the cluster's accounts: there are more than \
                      it has room for, or they could not all be read"
                .to_owned(),
            meaning: "accounts that are not in the book are asked of the engine, within a budget, \
                      so they can log in only while the cluster is awake"
                .to_owned(),
            hint: format!(
                "drop accounts that nobody uses (`DROP USER`), then `tidegate cluster sleep \
                 {cluster}`: the book is written anew at each sleep"
            ),
        }
    }

    /// Disk without space to wake clusters. `reason`: as the server found it.
    pub fn disk_full(reason: &str) -> Self {
        Self {
            message: format!("the disk of the data directory is full: {reason}"),
            meaning: "no cluster can be woken until there is space again; clusters that are awake \
                      go on as long as they can, and none is damaged"
                .to_owned(),
            hint: "free space on that file system; `tidegate cluster show NAME` shows what a \
                   cluster uses"
                .to_owned(),
        }
    }
}
