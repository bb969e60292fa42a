//! The interface of certificate sources: files, the local CA, ACME.

use crate::chain::Chain;
use crate::error::TlsError;
use crate::event::TlsEvent;
use tidegate_model::Trust;
use time::OffsetDateTime;

/// A chain to serve, and the trust that it deserves.
#[derive(Debug, Clone)]
pub struct Served {
    pub chain: Chain,
    pub trust: Trust,
}

/// Result of polling a source.
pub enum SourceChange {
    Unchanged,
    Replace(Served),
    /// A new chain is there and must not be served.
    Reject(TlsError),
}

/// Listener for events.
pub type EventListener<'a> = &'a dyn Fn(TlsEvent);

/// A certificate source. Both calls may block on the disk.
pub trait CertificateSource: Send {
    /// Loads or makes the first chain.
    fn open(&mut self, now: OffsetDateTime, tell: EventListener<'_>) -> Result<Served, TlsError>;

    /// Looks for a better chain than the current one.
    fn poll(
        &mut self,
        now: OffsetDateTime,
        served: &Served,
        tell: EventListener<'_>,
    ) -> SourceChange;

    /// Returns the source's current problem, if it has one.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Makes a new CA and a chain of it, where this source has its own CA.
    fn renew_ca(
        &mut self,
        _now: OffsetDateTime,
        _tell: EventListener<'_>,
    ) -> Result<Served, TlsError> {
        Err(TlsError::NoLocalCa)
    }
}
