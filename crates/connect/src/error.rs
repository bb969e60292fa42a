//! Errors of rendering a connection string. The hints depend on the caller (command line or API),
//! so each of them adds its own.

/// Reason why a client's string can't be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("unknown client `{given}`")]
    UnknownClient { given: String, advice: String },
    #[error("unknown platform `{given}`")]
    UnknownPlatform { given: String, advice: String },
    #[error("the string of {client} can't require TLS 1.3; it uses 1.3 if both sides support it")]
    NoTlsMinimum { client: String },
    #[error("{client} has no command line")]
    NoCommandLine { client: String },
    #[error("the path of the CA file is not UTF-8 and can't be written in a string: {0}")]
    PathNotText(String),
    #[error("a string can't contain a control character: {0}")]
    ControlCharacter(String),
    #[error("the template of client `{client}` is wrong: {reason}")]
    BadTemplate { client: String, reason: String },
}

impl ConnectError {
    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownClient { .. } => "unknown_client",
            Self::UnknownPlatform { .. } => "unknown_platform",
            Self::NoTlsMinimum { .. } => "no_tls_minimum",
            Self::NoCommandLine { .. }
            | Self::PathNotText(_)
            | Self::ControlCharacter(_)
            | Self::BadTemplate { .. } => "no_string",
        }
    }
}
