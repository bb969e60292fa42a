//! Times and delays of ACME's records, in Unix seconds.

use std::time::Duration;
use time::OffsetDateTime;

/// Returns a delay of so many seconds; zero if the number is negative.
pub fn wait_of(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Returns a time as text.
pub fn date_text(unix: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix).map_or_else(|_| unix.to_string(), |at| at.to_string())
}
