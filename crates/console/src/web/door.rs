//! The least there must be to sign in and out, until the pages bring their own. It shows nothing.

use super::Web;
use crate::auth::{self, SameOrigin, SignedIn, Source};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

pub fn router(web: Web) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(|| async { "`tidegate operator link` prints a link to sign in" }))
        .route("/link/{token}", get(link).post(redeem))
        .route("/sign-out", post(sign_out))
        .with_state(web)
}

async fn home(who: SignedIn) -> Html<String> {
    let form = "<form method=post action=/sign-out><input type=hidden name=csrf value=";
    Html(format!("signed in as {}{form}{}><button>Sign out</button></form>", who.operator(), who.csrf()))
}

/// A look changes nothing: scanners of links look at each.
async fn link() -> Html<&'static str> {
    Html("<!doctype html><title>Sign in</title><form method=post><button>Sign in</button></form>")
}

async fn redeem(State(web): State<Web>, _: SameOrigin, source: Source, Path(token): Path<String>) -> Response {
    match auth::redeem(&web, source, &token).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(error) => (StatusCode::FORBIDDEN, error.to_string()).into_response(),
    }
}

#[derive(serde::Deserialize)]
struct Nothing {}

async fn sign_out(State(web): State<Web>, form: auth::Form<Nothing>) -> Response {
    match auth::sign_out(&web, &form.who).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to(auth::SIGN_IN)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
