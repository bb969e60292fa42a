//! Conversion of numbers into column values.

use std::time::Duration;

/// Converts to the signed integers of databases. The numbers here are never near the maximum.
pub fn to_i64(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub fn to_ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
