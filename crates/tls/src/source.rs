//! Where a certificate comes from: the seam behind which files, the local CA and, later, ACME stand
//! alike. Never serves anything itself.

use crate::chain::Chain;
use crate::error::TlsError;
use crate::event::TlsEvent;
use tidegate_model::Trust;
use time::OffsetDateTime;

/// What is served, and why clients may believe it.
#[derive(Debug, Clone)]
pub struct Served {
    pub chain: Chain,
    pub trust: Trust,
}

/// What a look at the source brought.
pub enum Look {
    Same,
    Replace(Served),
    /// Something new is there and must not be served.
    Reject(TlsError),
}

/// Takes events as they happen.
pub type Tell<'a> = &'a dyn Fn(TlsEvent);

/// A certificate source. Both calls may block on the disk.
pub trait Source: Send {
    /// Loads or makes the first chain.
    fn open(&mut self, now: OffsetDateTime, tell: Tell<'_>) -> Result<Served, TlsError>;

    /// Looks for a better chain than the one served.
    fn look(&mut self, now: OffsetDateTime, served: &Served, tell: Tell<'_>) -> Look;

    /// What is wrong with it at this moment, beside what is served.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Makes a whole new CA, where this source has one of its own, and a chain of it.
    fn renew_ca(&mut self, _now: OffsetDateTime, _tell: Tell<'_>) -> Result<Served, TlsError> {
        Err(TlsError::NoLocalCa)
    }
}
