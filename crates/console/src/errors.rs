//! How an error becomes an answer: a status, and one JSON body of four fields whatever went wrong.
//! Never a bare text.

use crate::types::ErrorBody;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tidegate_connect::ConnectError;
use tidegate_control::{ControlError, ErrorCode, WrongScope};
use tidegate_tls::TlsError;

/// What a handler returns. Its body is written by `api::finish`, which knows the request's id.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: String,
}

impl ApiError {
    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The body of the answer to this request.
    pub fn into_body(self, request_id: String) -> ErrorBody {
        ErrorBody {
            code: self.code.to_owned(),
            message: self.message,
            hint: self.hint,
            request_id,
        }
    }

    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// For errors that axum found before a handler of ours was reached.
    pub fn foreign(status: StatusCode, text: &str) -> Self {
        let or = |default: &str| {
            if text.is_empty() {
                default.to_owned()
            } else {
                text.to_owned()
            }
        };
        let see = "docs/openapi.json describes every request";
        match status {
            StatusCode::NOT_FOUND => {
                Self::new(status, "no_route", "there is nothing at this path", see)
            }
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                status,
                "no_method",
                "this path does not know that method",
                see,
            ),
            s if s.is_client_error() => {
                Self::new(status, "bad_request", or("the request can't be read"), see)
            }
            _ => Self::new(
                status,
                "internal",
                or("the server failed"),
                "the server's log tells more",
            ),
        }
    }

    /// A task of ours that did not come to its end: a bug.
    pub fn panicked(error: tokio::task::JoinError) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!("the server failed: {error}"),
            "the server's log tells more",
        )
    }

    pub fn bad_request(message: &str, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, hint)
    }

    pub fn no_console() -> Self {
        let hint = "set console.listen, or start the server with --console ADDR";
        Self::new(
            StatusCode::CONFLICT,
            "no_console",
            "this server has no console",
            hint,
        )
    }

    /// Of the owner's socket alone.
    pub fn only_local() -> Self {
        let hint = "run the command on the server itself";
        Self::new(
            StatusCode::FORBIDDEN,
            "only_local",
            "this is done on the server's own socket only",
            hint,
        )
    }

    pub fn unwritable() -> Self {
        let hint = "the server's log tells more";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "an answer could not be written",
            hint,
        )
    }

    pub fn not_authorized() -> Self {
        let hint = "send `Authorization: Bearer KEY`; `tidegate key create NAME --scope all` on the server makes one";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_authorized",
            "there is no API key in this request that holds",
            hint,
        )
    }

    /// A valid key that may not do this.
    pub fn out_of_scope(needed: &str) -> Self {
        let hint = "use a key that has it: `tidegate key create NAME --scope SCOPE` on the server";
        Self::new(
            StatusCode::FORBIDDEN,
            "out_of_scope",
            format!("this key lacks the scope {needed}"),
            hint,
        )
    }

    pub fn too_many(why: &str, seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            why,
            format!("try again in {seconds} s"),
        )
    }

    pub fn timed_out() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            "the operation took too long",
            "it goes on in the server; `tidegate cluster list` shows what came of it",
        )
    }
}

/// What the code of an operation's error is in HTTP.
pub fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadName | ErrorCode::BadLimits | ErrorCode::BadParameters => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Exists | ErrorCode::Busy | ErrorCode::Unsupported => StatusCode::CONFLICT,
        ErrorCode::NotAuthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::NoPlace | ErrorCode::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::EngineFailed => StatusCode::BAD_GATEWAY,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<ControlError> for ApiError {
    fn from(e: ControlError) -> Self {
        let status = status_of(e.code);
        Self::new(status, e.code.as_str(), e.message, e.hint)
    }
}

impl From<WrongScope> for ApiError {
    fn from(error: WrongScope) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_scope",
            error.to_string(),
            WrongScope::HINT,
        )
    }
}

impl From<ConnectError> for ApiError {
    fn from(error: ConnectError) -> Self {
        let (status, code, hint) = match &error {
            ConnectError::UnknownClient { .. } => (
                StatusCode::NOT_FOUND,
                "unknown_client",
                "GET /v1/connect lists them",
            ),
            ConnectError::UnknownPlatform { .. } => (
                StatusCode::NOT_FOUND,
                "unknown_platform",
                "GET /v1/connect lists them",
            ),
            ConnectError::NoTlsMinimum { .. } => {
                (StatusCode::CONFLICT, "no_tls_minimum", "leave tls out")
            }
            ConnectError::NoCommandLine { .. }
            | ConnectError::PathNotText(_)
            | ConnectError::ControlCharacter(_)
            | ConnectError::BadTemplate { .. } => (
                StatusCode::BAD_REQUEST,
                "no_string",
                "choose another name or path",
            ),
        };
        Self::new(status, code, error.to_string(), hint)
    }
}

impl From<TlsError> for ApiError {
    fn from(error: TlsError) -> Self {
        let (status, code, hint) = match error {
            TlsError::NoLocalCa => (
                StatusCode::CONFLICT,
                "no_local_ca",
                "certificates of files or of ACME are renewed where they come from",
            ),
            TlsError::NoAcme => (
                StatusCode::CONFLICT,
                "no_acme",
                "start the server with --domain, or set acme.domains",
            ),
            TlsError::OrderUnderWay => (
                StatusCode::CONFLICT,
                "busy",
                "orders take seconds, seldom minutes",
            ),
            TlsError::NotTaken(_)
            | TlsError::NotPem { .. }
            | TlsError::Pair(_)
            | TlsError::NoNames => (
                StatusCode::BAD_REQUEST,
                "not_taken",
                "give the whole chain, leaf first, for all of acme.domains, and its key",
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "mend that and ask again",
            ),
        };
        Self::new(status, code, tidegate_model::error_chain(&error), hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
