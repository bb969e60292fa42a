//! Record of the manager between attempts and restarts, one per kind of key. It contains no secret.

use crate::acme::times::date_text;
use serde::{Deserialize, Serialize};

/// State of one kind of key. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Failed attempts in a row. Raised before an attempt, so that one that crashes the process is
    /// counted.
    pub failures: u32,
    /// How many of them resulted in a certificate that must not be served.
    pub held: u32,
    /// Earliest time of the next attempt.
    pub next_attempt: i64,
    pub last_error: Option<LastError>,
    /// Times of the orders of the last week that had other reasons than age.
    pub unplanned: Vec<i64>,
    /// Directory of the CA that issued the stored pair.
    pub issuer: Option<String>,
    /// Time to renew the pair.
    pub renew_at: Option<i64>,
    /// The renewal window that the CA suggested, in which `renew_at` was chosen.
    pub window: Option<(i64, i64)>,
    /// Time to ask the CA for a window again.
    pub ask_window_at: i64,
    /// The challenge that worked last, as RFC 8555 spells it.
    pub challenge: Option<String>,
    /// An order that was placed and is not completed.
    pub pending: Option<PendingOrder>,
    /// Time since which the CA works on that order, if it does so for longer than an attempt lasts.
    pub waiting_since: Option<i64>,
}

/// The last error of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
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
    /// Says that the CA still works on an order of this kind of key. `None` if it does not.
    pub fn waiting_text(&self, key: &str) -> Option<String> {
        let since = date_text(self.waiting_since?);
        let pending = self.pending.as_ref()?;
        Some(format!(
            "{} still works on the order of the {key} certificate, since {since}; it is asked \
             again at {}",
            pending.directory,
            date_text(self.next_attempt)
        ))
    }

    /// Returns the record after a certificate was issued: no failures, no pending order, no window.
    pub fn settled(&self) -> Self {
        Self {
            unplanned: self.unplanned.clone(),
            challenge: self.challenge.clone(),
            ..Self::default()
        }
    }
}
