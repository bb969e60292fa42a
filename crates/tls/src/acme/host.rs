//! The part of the server that the ACME manager depends on: a clock, a listener for events and the
//! swap of what is served. `Identity` is one; the manager knows nothing else of it.

use crate::event::TlsEvent;
use time::OffsetDateTime;

/// The server that a manager orders certificates for.
pub trait Host: Send + Sync {
    /// Returns the time by the server's clock.
    fn now(&self) -> OffsetDateTime;

    /// Reports an event.
    fn tell(&self, event: TlsEvent);

    /// Asks the certificate source for a new chain and serves it. Blocks on the disk.
    fn poll_source(&self);
}
