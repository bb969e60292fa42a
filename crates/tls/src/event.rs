//! Events of this room. Never decides where they are logged.

use crate::alarm::AlarmKind;
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsEvent {
    /// A new local CA was created: clients need its `ca.pem`.
    CaCreated { ca: PathBuf },
    /// An earlier local CA could not be used and was replaced: clients need the new `ca.pem`.
    CaRemade { ca: PathBuf, reason: String },
    /// `ca.pem` was missing or changed and was written again from the local CA.
    CaRestored { ca: PathBuf },
    /// New handshakes get a new certificate. Open sessions continue.
    Swapped {
        names: Vec<String>,
        not_after_unix: i64,
    },
    /// A new pair was rejected; the current one stays in use.
    Rejected { reason: String },
    /// The local CA may not sign this name, so the certificate does not carry it.
    NameLeftOut { name: String },
    /// The only certificate at the start is invalid: clients that verify will refuse it.
    ServingInvalid { reason: String },
    /// Users other than the owner may read the key file.
    KeyExposed { key: PathBuf, mode: u32 },
    /// A problem of the certificate needs an operator.
    Alarm { kind: AlarmKind, what: String },
}

impl fmt::Display for TlsEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaCreated { ca } => {
                write!(
                    f,
                    "created a local CA; clients verify with {}",
                    ca.display()
                )
            }
            Self::CaRemade { ca, reason } => {
                write!(
                    f,
                    "created a new local CA ({reason}); clients need the new {}",
                    ca.display()
                )
            }
            Self::CaRestored { ca } => {
                write!(f, "wrote {} again: it was missing or changed", ca.display())
            }
            Self::Swapped { names, .. } => {
                write!(f, "the new certificate is in use, for {}", names.join(", "))
            }
            Self::Rejected { reason } => {
                write!(
                    f,
                    "new certificate rejected, the current one stays in use: {reason}"
                )
            }
            Self::Alarm { what, .. } => f.write_str(what),
            Self::NameLeftOut { name } => write!(
                f,
                "the certificate does not carry `{name}`: the local CA may not sign it; \
                 hint: run `tidegate trust renew` to create a new CA, then give clients the new \
                 ca.pem"
            ),
            Self::ServingInvalid { reason } => {
                write!(f, "clients will refuse this certificate: {reason}")
            }
            Self::KeyExposed { key, mode } => {
                write!(
                    f,
                    "{key} can be read by other users (mode {mode:03o}); hint: run `chmod 600 \
                     {key}`",
                    key = key.display()
                )
            }
        }
    }
}
