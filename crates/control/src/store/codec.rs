//! How numbers stand in columns.

use std::time::Duration;

/// Databases count in signed 64 bits; our numbers never come near the top.
pub fn to_i64(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub fn to_ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
