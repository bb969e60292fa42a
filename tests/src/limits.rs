//! Limits of all waits in the tests, with their reasons. They only end a hang; nothing is asserted
//! about time.

use std::time::Duration;

/// Longest time from the start of a server to its first greeting. The first start prepares a
/// template with time zones while the other tests on the machine's two cores do the same.
pub const READY_WAIT: Duration = Duration::from_secs(180);

/// Longest wait for anything that happens soon: a state, the end of a process. Other programs of
/// tests run at the same time, so it is far above what a quiet machine needs.
pub const SOON: Duration = Duration::from_secs(120);

/// Interval between two checks of something that can't notify us.
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Longest read of a probe. Above the gateway's own deadlines (10 s for a login, 12 s for a wake).
pub const READ_WAIT: Duration = Duration::from_secs(120);

/// Time after which a server that does not stop is killed, and the test fails.
pub const STOP_WAIT_SECONDS: u32 = 60;

/// Waits until `look` gives something; panics with `what` after [`SOON`].
pub fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(SOON, what, look)
}

pub fn within<T>(wait: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + wait;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            std::time::Instant::now() < end,
            "waited {wait:?} in vain: {what}"
        );
        std::thread::sleep(LOOK_AGAIN);
    }
}
