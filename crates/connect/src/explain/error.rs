//! Why a string can't be explained.

use crate::ConnectError;

/// More than any string that connects; what is longer is not read.
pub const EXPLAIN_MAX: usize = 64 * 1024;

/// Why a string can't be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    #[error("there is nothing to explain")]
    Empty,
    #[error("the string is longer than {EXPLAIN_MAX} bytes")]
    TooLong,
    #[error("this is no connection string that is known here")]
    NotRecognised,
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
