//! In and out. A look at a sign-in link changes nothing, since scanners look at every link: only
//! its button redeems it.

use super::answer::{self, Visitor};
use super::frame::Frame;
use super::views::{LinkPage, SignInPage};
use crate::auth::{self, NotSignedIn, SameOrigin, Source};
use crate::state::Web;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Why {
    /// There was a session.
    ended: Option<String>,
}

pub async fn sign_in(Visitor(who): Visitor, Query(why): Query<Why>) -> Response {
    match who {
        Some(_) => Redirect::to("/").into_response(),
        None => {
            let shown = SignInPage {
                frame: Frame::new("Sign in", ""),
                ended: why.ended.is_some(),
            };
            answer::page(StatusCode::OK, &shown)
        }
    }
}

pub async fn link() -> Response {
    answer::page(
        StatusCode::OK,
        &LinkPage {
            frame: Frame::new("Sign in", ""),
        },
    )
}

pub async fn redeem(
    State(web): State<Web>,
    _: SameOrigin,
    source: Source,
    Path(token): Path<String>,
) -> Response {
    match auth::redeem(&web, source, &token).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(NotSignedIn::TooMany(left)) => answer::too_many(left.reset_seconds),
        Err(NotSignedIn::Refused(error)) => answer::problem_at_the_door(&error),
    }
}

/// A form without fields of its own.
#[derive(Deserialize)]
pub struct Nothing {}

pub async fn sign_out(State(web): State<Web>, form: auth::Form<Nothing>) -> Response {
    match auth::sign_out(&web, &form.who).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to(auth::SIGN_IN)).into_response(),
        Err(error) => answer::problem(&form.who, &error),
    }
}
