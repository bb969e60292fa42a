//! What exists: the store, and operations on clusters. Never packets, and never HTTP types.

pub mod datadir;
pub mod error;
pub mod limits;
mod password;
pub mod store;

pub use datadir::{DataDir, DataDirError};
pub use error::{ControlError, ErrorCode};
