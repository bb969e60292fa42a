//! From a page to an answer.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use tidegate_control::{ControlError, ErrorCode};

/// The page as an answer.
pub fn html_page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be set");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The status that tells what an operation's error means.
pub fn status_of(error: &ControlError) -> StatusCode {
    match error.code {
        // 401 would ask the browser for a password of its own.
        ErrorCode::NotAuthorized => StatusCode::FORBIDDEN,
        code => crate::errors::status_of(code),
    }
}
