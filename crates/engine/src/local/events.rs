//! Events that tenants have defined. Only their number is read, never their text, and whether the
//! scheduler runs them: a tenant with the right can turn it on and off in SQL.

use crate::driver::EngineEvents;
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
    pub async fn read(&self, line: &AdminLine) -> Option<EngineEvents> {
        let sql = "SELECT COUNT(*), @@GLOBAL.event_scheduler FROM mysql.event";
        let rows = line.run(sql).await.ok()?;
        let [Some(count), Some(scheduler)] = &rows.first()?[..] else {
            return None;
        };
        let defined = std::str::from_utf8(count).ok()?.parse().ok()?;
        self.0.store(defined, Ordering::Relaxed);
        Some(EngineEvents {
            defined,
            running: scheduler.eq_ignore_ascii_case(b"ON"),
        })
    }
}
