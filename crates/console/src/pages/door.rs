//! In and out. A look at a sign-in link changes nothing, since scanners look at every link: only its button redeems it.

use super::answer::{self, Visitor};
use super::frame::Frame;
use super::views::{LinkPage, SignInPage};
use crate::auth::{self, NotSignedIn, SameOrigin, Source};
use crate::web::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

pub async fn sign_in(Visitor(who): Visitor) -> Response {
    match who {
        Some(_) => Redirect::to("/").into_response(),
        None => answer::page(StatusCode::OK, &SignInPage { frame: Frame::new("Sign in", "") }),
    }
}

pub async fn link() -> Response {
    answer::page(StatusCode::OK, &LinkPage { frame: Frame::new("Sign in", "") })
}

pub async fn redeem(State(web): State<Web>, _: SameOrigin, source: Source, Path(token): Path<String>) -> Response {
    match auth::redeem(&web, source, &token).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(NotSignedIn::TooMany(left)) => answer::too_many(left.reset_seconds),
        Err(NotSignedIn::Refused(error)) => answer::problem(&error),
    }
}

/// A form without fields of its own.
#[derive(Deserialize)]
pub struct Nothing {}

pub async fn sign_out(State(web): State<Web>, form: auth::Form<Nothing>) -> Response {
    match auth::sign_out(&web, &form.who).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to(auth::SIGN_IN)).into_response(),
        Err(error) => answer::problem(&error),
    }
}
