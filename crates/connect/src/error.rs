//! Why there is no string.

/// Why there is no string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("no client `{given}` is known; there are: {known}")]
    UnknownClient { given: String, known: String },
    #[error("no platform `{given}` is known; there are: {known}")]
    UnknownPlatform { given: String, known: String },
    #[error(
        "the string of {client} can't insist on TLS 1.3; it agrees on 1.3 by itself where both sides can"
    )]
    NoTlsMinimum { client: String },
    #[error("{client} has no command line")]
    NoCommandLine { client: String },
    #[error("the path of the CA file is not UTF-8 text and cannot stand in a string: {0}")]
    PathNotText(String),
    #[error("a control character can't stand in a string: {0}")]
    ControlCharacter(String),
    #[error("the template of client `{client}` is wrong: {reason}")]
    BadTemplate { client: String, reason: String },
}
