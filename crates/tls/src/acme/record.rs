//! What the manager remembers between attempts and restarts, one record per kind of key. It holds no secret and
//! decides nothing.

use serde::{Deserialize, Serialize};

/// Times are seconds of the Unix clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Attempts in a row that brought nothing. Raised before an attempt, so that one that kills the process counts.
    pub failures: u32,
    /// No attempt before this.
    pub next_attempt: i64,
    pub last_error: Option<Slip>,
    /// When certificates were ordered for other reasons than age, within the last week.
    pub unplanned: Vec<i64>,
    /// The directory of the CA that issued the pair that is kept.
    pub issuer: Option<String>,
    /// When the pair is to be renewed.
    pub renew_at: Option<i64>,
    /// An order that was placed and has not been carried to its end.
    pub pending: Option<PendingOrder>,
}

/// What went wrong last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slip {
    pub at: i64,
    pub directory: String,
    pub step: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingOrder {
    pub directory: String,
    pub url: String,
    pub names: Vec<String>,
}
