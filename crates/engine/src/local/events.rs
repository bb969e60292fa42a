//! Events that tenants have defined. Only their number is read, never their text.

use crate::local::admin::admin_line::AdminLine;
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of a cluster's events at their last reading.
#[derive(Debug)]
pub struct EventCount(AtomicU64);

/// Before the first reading.
const UNKNOWN: u64 = u64::MAX;

impl Default for EventCount {
    fn default() -> Self {
        Self(AtomicU64::new(UNKNOWN))
    }
}

impl EventCount {
    pub fn get(&self) -> Option<u64> {
        let count = self.0.load(Ordering::Relaxed);
        (count != UNKNOWN).then_some(count)
    }

    /// Reads the number again. A failed reading changes nothing: a tenant can lock or drop the
    /// table.
    pub async fn read(&self, line: &AdminLine) -> Option<u64> {
        let rows = line.run("SELECT COUNT(*) FROM mysql.event").await.ok()?;
        let cell = rows.first()?.first()?.as_deref()?;
        let count = std::str::from_utf8(cell).ok()?.parse().ok()?;
        self.0.store(count, Ordering::Relaxed);
        Some(count)
    }
}
