//! What the manager remembers between attempts and restarts, one record per kind of key. It holds
//! no secret and decides nothing.

use serde::{Deserialize, Serialize};

/// Times are seconds of the Unix clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Attempts in a row that brought nothing. Raised before an attempt, so that one that kills the
    /// process counts.
    pub failures: u32,
    /// How many of them ended in a certificate that may not be served.
    pub held: u32,
    /// No attempt before this.
    pub next_attempt: i64,
    pub last_error: Option<Slip>,
    /// When certificates were ordered for other reasons than age, within the last week.
    pub unplanned: Vec<i64>,
    /// The directory of the CA that issued the pair that is kept.
    pub issuer: Option<String>,
    /// When the pair is to be renewed.
    pub renew_at: Option<i64>,
    /// The window that the CA suggested for that, by which `renew_at` was chosen.
    pub window: Option<(i64, i64)>,
    /// When the CA is to be asked for a window again.
    pub ask_window_at: i64,
    /// The way of proof that worked last, as RFC 8555 spells it.
    pub challenge: Option<String>,
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

impl Record {
    /// After a certificate came: nothing failed, nothing is under way, no window is known.
    pub fn settled(&self) -> Self {
        Self {
            unplanned: self.unplanned.clone(),
            challenge: self.challenge.clone(),
            ..Self::default()
        }
    }
}
