//! An error of explaining a string.

use crate::ConnectError;

/// Maximum length of a string in bytes. Real strings are far shorter.
pub const EXPLAIN_MAX: usize = 64 * 1024;

/// Errors of explaining a string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    #[error("the string is empty")]
    Empty,
    #[error("the string is longer than {EXPLAIN_MAX} bytes")]
    TooLong,
    #[error("can't read this: it is not a known form of connection string")]
    NotRecognised,
    #[error("this is for {0}, and Tidegate speaks MySQL's protocol")]
    OtherDatabase(&'static str),
    #[error(
        "can't read this: the values of a Kubernetes Secret below `data:` are encoded in base64"
    )]
    Encoded,
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
