//! Signing in and out. Opening a sign-in link changes nothing, because scanners of mail and chat
//! open every link: only the button on its page redeems it.

mod view;

#[cfg(test)]
pub mod sample;

use super::frame::{Frame, MenuEntry, Visitor};
use super::problem;
use super::respond::html_page;
use crate::auth::{self, NotSignedIn, RequestSource, SameOrigin};
use crate::state::Web;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use view::{LinkPage, SignInPage};

#[derive(Deserialize)]
pub struct SignInQuery {
    /// Present if the visitor had a session.
    ended: Option<String>,
}

pub async fn show_sign_in(Visitor(who): Visitor, Query(why): Query<SignInQuery>) -> Response {
    match who {
        Some(_) => Redirect::to("/").into_response(),
        None => {
            let shown = SignInPage {
                frame: Frame::new("Sign in", MenuEntry::Outside),
                ended: why.ended.is_some(),
            };
            html_page(StatusCode::OK, &shown)
        }
    }
}

pub async fn show_link() -> Response {
    html_page(
        StatusCode::OK,
        &LinkPage {
            frame: Frame::new("Sign in", MenuEntry::Outside),
        },
    )
}

pub async fn redeem_link(
    State(web): State<Web>,
    _: SameOrigin,
    source: RequestSource,
    Path(token): Path<String>,
) -> Response {
    match auth::redeem_link(&web, source, &token).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(NotSignedIn::TooMany(left)) => problem::too_many_attempts(left.reset_seconds),
        Err(NotSignedIn::Refused(error)) => problem::show_problem_to_visitor(&error),
    }
}

/// Form without fields.
#[derive(Deserialize)]
pub struct NoFields {}

pub async fn sign_out(State(web): State<Web>, form: auth::CheckedForm<NoFields>) -> Response {
    match auth::sign_out(&web, &form.who).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to(auth::SIGN_IN)).into_response(),
        Err(error) => problem::show_problem(&form.who, &error),
    }
}
