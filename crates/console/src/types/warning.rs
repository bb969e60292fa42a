//! Warnings for operators, with the same text in the API, on the command line and on pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// State of the server or of a cluster that needs an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    #[schema(example = "the disk of the data directory is full")]
    pub message: String,
    /// Consequence for logins.
    #[schema(example = "no cluster can be woken; clusters that are awake continue")]
    pub meaning: String,
    #[schema(example = "free space on that file system")]
    pub hint: String,
}

impl Warning {
    /// Warning that the account book of a cluster is incomplete.
    pub fn incomplete_accounts(cluster: &str) -> Self {
        Self {
            message:
                "the account book lacks some of the cluster's accounts: there are too many, or \
                      reading them failed"
                    .to_owned(),
            meaning:
                "accounts that are not in the book can log in only while the cluster is awake, \
                      because the gateway has to ask the engine for them"
                    .to_owned(),
            hint: format!(
                "drop unused accounts (`DROP USER`), then run `tidegate cluster sleep {cluster}`: \
                 the accounts are read again at each sleep"
            ),
        }
    }

    /// Warning that the disk has too little space to wake clusters. `reason` has the figures.
    pub fn disk_full(reason: &str) -> Self {
        Self {
            message: format!("the disk of the data directory is full: {reason}"),
            meaning: "no cluster can be woken until there is free space; clusters that are awake \
                      continue as long as they can, and no cluster is damaged"
                .to_owned(),
            hint: "free space on that file system; `tidegate cluster show NAME` shows how much a \
                   cluster uses"
                .to_owned(),
        }
    }
}
