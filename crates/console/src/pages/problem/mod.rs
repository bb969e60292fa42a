//! The page of an error. Every error is a page too, whoever found it. Never a bare text.

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

/// An error that leaves no page to show it on, to whoever is signed in.
pub fn show_problem(who: &SignedIn, error: &ControlError) -> Response {
    problem_in(Frame::of(who, "", MenuEntry::Outside), error)
}

/// The same to anybody.
pub fn show_problem_to_visitor(error: &ControlError) -> Response {
    problem_in(Frame::new("", MenuEntry::Outside), error)
}

fn problem_in(frame: Frame, error: &ControlError) -> Response {
    let heading = match error.code {
        ErrorCode::NotFound => "There is nothing here",
        ErrorCode::NotAuthorized => "This link opens nothing",
        _ => "That did not work",
    };
    problem_page(
        frame,
        status_of(error),
        heading,
        format!("{} {}", sentence(&error.message), sentence(&error.hint)),
    )
}

/// To somebody who has tried too often.
pub fn too_many_attempts(seconds: u64) -> Response {
    let text = format!(
        "Too many attempts to sign in came from this address. Your link is not used up: try again \
         in {seconds} s."
    );
    let mut response = problem_page(
        Frame::new("", MenuEntry::Outside),
        StatusCode::TOO_MANY_REQUESTS,
        "One moment",
        text,
    );
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

pub fn not_found(visitor: &Visitor) -> Response {
    let text = "The address may be mistyped, or what it named was deleted.";
    problem_page(
        Frame::for_visitor(visitor, "", MenuEntry::Outside),
        StatusCode::NOT_FOUND,
        "There is nothing here",
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

/// Around every page: an error that was found before a handler of ours was reached becomes a page
/// as well.
pub async fn error_as_page(response: Response) -> Response {
    let status = response.status();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let bare = response.headers().get(CONTENT_TYPE) != Some(&html);
    if !bare || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, limits::FOREIGN_ERROR_MAX)
        .await
        .unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let (heading, else_text) = match status {
        StatusCode::NOT_FOUND => return not_found(&Visitor(None)),
        StatusCode::METHOD_NOT_ALLOWED => ("Not this way", "This address takes no such request."),
        s if s.is_client_error() => ("That can't be done", "The request can't be read."),
        _ => ("The server failed", "Its log tells more."),
    };
    let text = if said.is_empty() {
        else_text.to_owned()
    } else {
        sentence(&said)
    };
    let mut dressed = problem_page(Frame::new("", MenuEntry::Outside), status, heading, text);
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != axum::http::header::CONTENT_LENGTH {
            dressed.headers_mut().append(name.clone(), value.clone());
        }
    }
    dressed
}
