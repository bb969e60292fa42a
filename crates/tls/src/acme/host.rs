//! The part of the server that the ACME manager uses: a clock, a listener for events, and the
//! replacement of the served certificate. `Identity` implements it.

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
