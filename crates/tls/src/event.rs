//! What this room tells about itself. Never decides where it is written.

use crate::alarm::AlarmKind;
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsEvent {
    /// A new local CA was made: clients need its `ca.pem`.
    CaCreated { ca: PathBuf },
    /// What was found of an earlier local CA could not be used: clients need the new `ca.pem`.
    CaRemade { ca: PathBuf, reason: String },
    /// `ca.pem` was missing or changed and was written again from the CA that issues our
    /// certificates.
    CaRestored { ca: PathBuf },
    /// New handshakes get a new certificate; open sessions go on undisturbed.
    Swapped {
        names: Vec<String>,
        not_after_unix: i64,
    },
    /// A new pair was not taken; the one served before stays.
    Rejected { reason: String },
    /// The local CA may not speak for this name, so the certificate does not carry it.
    NameLeftOut { name: String },
    /// There was nothing better to serve at start: clients that verify will refuse it.
    ServingInvalid { reason: String },
    /// Others than the owner may read the key file.
    KeyExposed { key: PathBuf, mode: u32 },
    /// No new certificate can be had, or the one that was got may not be served: somebody must
    /// look.
    Alarm { kind: AlarmKind, what: String },
}

impl fmt::Display for TlsEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaCreated { ca } => {
                write!(f, "made a local CA; clients verify with {}", ca.display())
            }
            Self::CaRemade { ca, reason } => {
                write!(
                    f,
                    "made a new local CA ({reason}); clients need the new {}",
                    ca.display()
                )
            }
            Self::CaRestored { ca } => {
                write!(f, "wrote {} again: it was missing or changed", ca.display())
            }
            Self::Swapped { names, .. } => {
                write!(f, "new certificate in use for {}", names.join(", "))
            }
            Self::Rejected { reason } => {
                write!(f, "new certificate not taken, the old one stays: {reason}")
            }
            Self::Alarm { what, .. } => f.write_str(what),
            Self::NameLeftOut { name } => write!(
                f,
                "the certificate does not carry `{name}`: the local CA was made without it; \
                 run `tidegate trust renew` to make one that may, then give clients the new ca.pem"
            ),
            Self::ServingInvalid { reason } => {
                write!(f, "clients will refuse this certificate: {reason}")
            }
            Self::KeyExposed { key, mode } => {
                write!(
                    f,
                    "{} can be read by others (mode {mode:03o}); run `chmod 600` on it",
                    key.display()
                )
            }
        }
    }
}
