//! Address at which a running engine accepts the gateway's connections.

use std::fmt;
use std::path::PathBuf;

/// Address of an engine. A new way to reach engines is a new variant; the compiler then reports
/// every place that connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAddress {
    /// Unix socket of a process on this machine. Every connection to it starts with a PROXY v2
    /// header.
    Unix(PathBuf),
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
