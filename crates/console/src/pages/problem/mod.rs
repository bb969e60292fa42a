//! Page of an error. All errors of pages are answered with it.

mod view;

#[cfg(test)]
pub mod sample;

pub use view::ProblemPage;

use super::frame::{Frame, MenuEntry, Visitor};
use super::respond::{html_page, status_of};
use super::words::sentence;
use crate::auth::SignedIn;
use crate::limits;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use tidegate_control::{ControlError, ErrorCode};

/// Answers an operator with the page of an error, if no other page can show it.
pub fn show_problem(who: &SignedIn, error: &ControlError) -> Response {
    problem_in(Frame::of(who, "", MenuEntry::Outside), error)
}

/// Answers a visitor without a session with the page of an error.
pub fn show_problem_to_visitor(error: &ControlError) -> Response {
    problem_in(Frame::new("", MenuEntry::Outside), error)
}

fn problem_in(frame: Frame, error: &ControlError) -> Response {
    let heading = match error.code {
        ErrorCode::NotFound => "Not found",
        ErrorCode::NotAuthorized => "Link expired or already used",
        _ => "Request failed",
    };
    problem_page(
        frame,
        status_of(error),
        heading,
        format!("{} {}", sentence(&error.message), sentence(&error.hint)),
    )
}

/// Answers a visitor with too many sign-in attempts.
pub fn too_many_attempts(seconds: u64) -> Response {
    let text = format!(
        "Too many sign-in attempts from your address. Your link is still valid: retry in {seconds} \
         s."
    );
    let mut response = problem_page(
        Frame::new("", MenuEntry::Outside),
        StatusCode::TOO_MANY_REQUESTS,
        "Too many attempts",
        text,
    );
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

pub fn not_found(visitor: &Visitor) -> Response {
    let text = "Check the address. What it refers to may have been deleted.";
    problem_page(
        Frame::for_visitor(visitor, "", MenuEntry::Outside),
        StatusCode::NOT_FOUND,
        "Not found",
        text.to_owned(),
    )
}

fn problem_page(frame: Frame, status: StatusCode, heading: &str, text: String) -> Response {
    let frame = Frame {
        title: heading.to_owned(),
        ..frame
    };
    html_page(
        status,
        &ProblemPage {
            frame,
            status: status.as_u16(),
            heading: heading.to_owned(),
            text,
        },
    )
}

/// Turns an error that axum found before it called a handler into a page. Other answers stay as
/// they are.
pub async fn error_as_page(response: Response) -> Response {
    let status = response.status();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let is_page = response.headers().get(CONTENT_TYPE) == Some(&html);
    if is_page || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, limits::FOREIGN_ERROR_MAX)
        .await
        .unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let (heading, default_text) = match status {
        StatusCode::NOT_FOUND => return not_found(&Visitor(None)),
        StatusCode::METHOD_NOT_ALLOWED => (
            "Method not allowed",
            "This address does not accept such a request.",
        ),
        s if s.is_client_error() => ("Bad request", "The request can't be read."),
        _ => ("Server error", "See the server's log."),
    };
    let text = if said.is_empty() {
        default_text.to_owned()
    } else {
        sentence(&said)
    };
    let mut page = problem_page(Frame::new("", MenuEntry::Outside), status, heading, text);
    // Such as the header Allow of a 405.
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != axum::http::header::CONTENT_LENGTH {
            page.headers_mut().append(name.clone(), value.clone());
        }
    }
    page
}
