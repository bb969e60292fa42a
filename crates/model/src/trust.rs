//! How clients verify the server's certificate. Determined from the chain that is served, whatever
//! its source.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How clients verify the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "mode", content = "ca")]
pub enum Trust {
    /// The chain ends in a root of Mozilla's list: clients need no CA file.
    Public,
    /// A company's CA: clients need its file, if the operator configured one.
    Private(Option<PathBuf>),
    /// The server's local CA: clients need this `ca.pem`.
    Local(PathBuf),
}

impl Trust {
    /// Stable word for the API: `public`, `private` or `local`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private(_) => "private",
            Self::Local(_) => "local",
        }
    }

    /// CA file that clients need. `None` if they need none, or the operator configured none.
    pub fn ca_path(&self) -> Option<&Path> {
        match self {
            Self::Local(path) | Self::Private(Some(path)) => Some(path),
            Self::Public | Self::Private(None) => None,
        }
    }
}
