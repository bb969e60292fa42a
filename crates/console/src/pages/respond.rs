//! Answers with a page.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use tidegate_control::{ControlError, ErrorCode};

/// Answers with a page.
pub fn html_page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Returns the HTTP status of an operation's error.
pub fn status_of(error: &ControlError) -> StatusCode {
    match error.code {
        // 401 would need the header `WWW-Authenticate`, for which browsers ask for a password.
        ErrorCode::NotAuthorized => StatusCode::FORBIDDEN,
        code => crate::errors::status_of(code),
    }
}
