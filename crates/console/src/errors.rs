//! Errors of the API: a status and a JSON body of four fields, whatever the cause.

use crate::types::ErrorBody;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tidegate_connect::ConnectError;
use tidegate_control::{ControlError, ErrorCode, WrongScope};
use tidegate_model::error_chain;
use tidegate_tls::TlsError;

/// Error of a handler. `api::finish` writes its body, since that has the id of the request.
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

    /// Returns the body of the answer to this request.
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

    /// Converts an error that axum found before it called a handler. `text` is the body of its
    /// answer.
    pub fn foreign(status: StatusCode, text: &str) -> Self {
        let see = "docs/openapi.json describes every request";
        match status {
            StatusCode::NOT_FOUND => Self::new(status, "no_route", "the API has no such path", see),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                status,
                "no_method",
                "this path does not accept that method",
                see,
            ),
            s if s.is_client_error() => Self::new(
                status,
                "bad_request",
                text_or(text, "the request can't be read"),
                see,
            ),
            _ => Self::new(
                status,
                "internal",
                text_or(text, "the server failed"),
                "see the server's log",
            ),
        }
    }

    /// Error of a task that panicked: a bug in the server.
    pub fn panicked(error: tokio::task::JoinError) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!("the server failed: {error}"),
            "see the server's log",
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

    /// Error of a request that is only allowed on the control socket.
    pub fn only_local() -> Self {
        let hint = "run the command on the server itself";
        Self::new(
            StatusCode::FORBIDDEN,
            "only_local",
            "this is allowed only on the server's control socket",
            hint,
        )
    }

    pub fn unwritable() -> Self {
        let hint = "see the server's log";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the answer could not be written",
            hint,
        )
    }

    pub fn not_authorized() -> Self {
        let hint = "send `Authorization: Bearer KEY`; on the server, `tidegate key create NAME \
                    --scope all` creates a key";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_authorized",
            "missing, invalid, expired or revoked API key",
            hint,
        )
    }

    /// Error of a valid key without the needed scope.
    pub fn out_of_scope(needed: &str) -> Self {
        let hint = "use a key that has it; on the server, `tidegate key create NAME --scope SCOPE` \
                    creates one";
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
            format!("retry in {seconds} s"),
        )
    }

    pub fn bad_idempotency_key() -> Self {
        let hint =
            "send one header with 1 to 255 printable ASCII characters, such as a random UUID";
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_idempotency_key",
            "the header Idempotency-Key is empty, too long, repeated or not printable",
            hint,
        )
    }

    /// Error of an idempotency key that the caller has used for another request.
    pub fn key_reused() -> Self {
        let hint = "send another Idempotency-Key with each new request; only a repetition of the \
                    same method, path and body has the same one";
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request",
            hint,
        )
    }

    pub fn in_progress() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "in_progress",
            "the first request with this Idempotency-Key is still executed",
            "repeat the request in a second; it then gets the first answer",
        )
    }

    /// Error of a repetition for which nobody can tell whether the first request was executed.
    pub fn outcome_unknown() -> Self {
        let hint = "read what the request changes: GET /v1/clusters, /v1/keys or /v1/server; if it \
                    was not done, send it with another Idempotency-Key";
        Self::new(
            StatusCode::CONFLICT,
            "outcome_unknown",
            "the first request with this Idempotency-Key was interrupted, or its answer can't be \
             opened since the master key was replaced",
            hint,
        )
    }

    pub fn timed_out() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            "the operation took too long",
            "the server continues with it; `tidegate cluster list` shows the result",
        )
    }
}

/// Returns the text, or the default if it is empty.
fn text_or(text: &str, default: &str) -> String {
    let text = if text.is_empty() { default } else { text };
    text.to_owned()
}

/// Returns the HTTP status for the code of an operation's error.
pub fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadName | ErrorCode::BadLimits | ErrorCode::BadParameters => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Exists
        | ErrorCode::Busy
        | ErrorCode::Protected
        | ErrorCode::Stale
        | ErrorCode::Unsupported
        | ErrorCode::Invalid => StatusCode::CONFLICT,
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
        let (status, hint) = match &error {
            ConnectError::UnknownClient { advice, .. }
            | ConnectError::UnknownPlatform { advice, .. } => {
                (StatusCode::NOT_FOUND, advice.as_str())
            }
            ConnectError::NoTlsMinimum { .. } => (StatusCode::CONFLICT, "leave out tls"),
            ConnectError::NoCommandLine { .. }
            | ConnectError::PathNotText(_)
            | ConnectError::ControlCharacter(_)
            | ConnectError::BadTemplate { .. } => {
                (StatusCode::BAD_REQUEST, "choose another name or path")
            }
        };
        Self::new(status, error.code(), error_chain(&error), hint)
    }
}

impl From<TlsError> for ApiError {
    fn from(error: TlsError) -> Self {
        let (status, code, hint) = match error {
            TlsError::NoLocalCa => (
                StatusCode::CONFLICT,
                "no_local_ca",
                "this renews only the certificate of a local CA; renew certificate files at their \
                 source, and ACME certificates with `tidegate cert renew`",
            ),
            TlsError::NoAcme => (
                StatusCode::CONFLICT,
                "no_acme",
                "start the server with --domain, or set acme.domains",
            ),
            TlsError::OrderUnderWay => (
                StatusCode::CONFLICT,
                "busy",
                "wait for the order in progress: it takes seconds, rarely minutes",
            ),
            TlsError::NotTaken(_)
            | TlsError::NotPem { .. }
            | TlsError::Pair(_)
            | TlsError::NoNames => (
                StatusCode::BAD_REQUEST,
                "not_taken",
                "give the whole chain, leaf first, for all names in acme.domains, and its key",
            ),
            TlsError::MasterKeyGiven(_) => (
                StatusCode::CONFLICT,
                "master_key_given",
                "put a new key in front of the current one in the credential's source and restart; \
                 then remove the current one and restart again",
            ),
            TlsError::FormerAccount(_) => (
                StatusCode::CONFLICT,
                "former_account",
                "configure that CA and restart the server, or remove the file, which gives up the \
                 account",
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "fix the cause in the message, then retry",
            ),
        };
        Self::new(status, code, error_chain(&error), hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        // The body is written by `api::finish`, which knows the id of the request.
        response.extensions_mut().insert(self);
        response
    }
}
