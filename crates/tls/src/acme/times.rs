//! Times and waits of ACME's records, which are seconds of the Unix clock.

use std::time::Duration;
use time::OffsetDateTime;

/// Returns a wait of so many seconds; none if the moment has passed.
pub fn wait_of(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Returns a moment as people read it.
pub fn date_text(unix: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix).map_or_else(|_| unix.to_string(), |at| at.to_string())
}
