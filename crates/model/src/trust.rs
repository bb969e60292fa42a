//! How clients verify the server's certificate. Determined from the chain that is served, whatever
//! its source.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
