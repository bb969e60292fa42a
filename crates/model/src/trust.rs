//! Why a client may believe our certificate. Judged from the chain we serve, not from where it
//! came.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "mode", content = "ca")]
pub enum Trust {
    /// The chain ends in a root that Mozilla's list has: clients need no file of ours.
    Public,
    /// A company's own CA: clients need its file, if the operator named one.
    Private(Option<PathBuf>),
    /// Our own local CA: clients need this `ca.pem`.
    Local(PathBuf),
}
