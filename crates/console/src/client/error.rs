//! Errors of the API's client.

use crate::types::ErrorBody;
use hyper::StatusCode;
use std::error::Error;
use std::io;
use std::path::PathBuf;

/// Error of a call. `tidegate_model::error_chain` prints it with its causes.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no server runs on {data}", data = data.display())]
    NoServer { data: PathBuf },
    #[error("the control socket of {data} can't be reached", data = data.display())]
    Unreachable { data: PathBuf, source: io::Error },
    #[error("{server} can't be reached")]
    RemoteUnreachable { server: String, source: io::Error },
    #[error("{url:?} is not the address of a console")]
    BadServer { url: String },
    #[error("the API key contains characters that no key has")]
    BadKey,
    #[error("the request could not be written")]
    BadRequest(#[source] BoxedError),
    /// The server refused the request, with this text.
    #[error("{}", .0.message)]
    Refused(ErrorBody),
    #[error("the connection to the server was lost before it answered")]
    Lost(#[source] BoxedError),
    /// The position of the error only: serde's message may quote the answer, which may contain a
    /// password.
    #[error("the server's answer could not be read: line {line}, column {column}")]
    BadAnswer { line: usize, column: usize },
    #[error("the server answered {status} without a reason")]
    NoReason { status: StatusCode },
}

pub type ClientResult<T> = Result<T, ClientError>;

pub type BoxedError = Box<dyn Error + Send + Sync>;

impl ClientError {
    /// Advice on how to fix the error.
    pub fn hint(&self) -> String {
        match self {
            Self::NoServer { .. } => "start it with `tidegate serve` or `tidegate up`".to_owned(),
            Self::Unreachable { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "run this as the user that runs the server".to_owned()
            }
            Self::Unreachable { .. } => "check the path given with --data".to_owned(),
            Self::RemoteUnreachable { .. } => {
                "check the address, the network and the CA file: `tidegate profile list` shows the \
                 profiles"
                    .to_owned()
            }
            Self::BadServer { .. } => "write it as https://HOST:PORT".to_owned(),
            Self::BadKey => "copy the whole key, as it was shown when it was created".to_owned(),
            Self::BadRequest(_) => "check the values in the command".to_owned(),
            Self::Refused(body) => body.hint.clone(),
            Self::Lost(_) => {
                "check the server's log, then `tidegate cluster list`: the operation may have \
                 succeeded"
                    .to_owned()
            }
            Self::BadAnswer { .. } | Self::NoReason { .. } => {
                "use the same version of tidegate as the server".to_owned()
            }
        }
    }

    /// Returns a stable code for programs: the API's, or one for the failure to reach it.
    pub fn program_code(&self) -> &str {
        match self {
            Self::NoServer { .. } => "no_server",
            Self::Unreachable { .. } | Self::RemoteUnreachable { .. } => "unreachable",
            Self::BadServer { .. } => "bad_server",
            Self::BadKey => "bad_key",
            Self::BadRequest(_) => "bad_request",
            Self::Refused(body) => &body.code,
            Self::Lost(_) => "connection_lost",
            Self::BadAnswer { .. } | Self::NoReason { .. } => "bad_answer",
        }
    }

    /// Whether no server could be reached.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::NoServer { .. } | Self::Unreachable { .. } | Self::RemoteUnreachable { .. }
        )
    }

    /// Returns the API's error code, if the server answered with one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(body) => Some(&body.code),
            _ => None,
        }
    }
}
