//! Address at which a running engine accepts the gateway's connections, and the certificate by
//! which it is recognized.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Address of an engine. A new way to reach engines is a new variant; the compiler then reports
/// every place that connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAddress {
    /// Unix socket of a process on this machine. Every connection to it starts with a PROXY v2
    /// header.
    Unix(PathBuf),
}

/// Certificate of one run of an engine, in DER. A connection over TLS accepts exactly this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineCertificate(pub Vec<u8>);

/// Way to reach a running engine. Shared by all leases of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEndpoint {
    pub address: Arc<EngineAddress>,
    /// `None`: the engine offers no TLS.
    pub certificate: Option<Arc<EngineCertificate>>,
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
