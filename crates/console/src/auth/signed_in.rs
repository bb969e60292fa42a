//! The signed-in operator of a page, signing in and signing out.

use super::{RemainingQuota, RequestSource, cookie};
use crate::state::Web;
use crate::types::Warning;
use crate::web::mark_proven;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use tidegate_control::{ControlError, WebSession, WebSessionUse};

/// Where a page that needs a session sends those who have none.
pub const SIGN_IN: &str = "/sign-in";

/// The same, for those who had one.
pub const SIGN_IN_AGAIN: &str = "/sign-in?ended=1";

/// Sent by a page that keeps itself fresh: nobody need sit before it, so it keeps no session alive.
const LIVE: HeaderName = HeaderName::from_static("x-tidegate-live");

/// The operator whose session the request carries. Without one the answer is a redirect to
/// [`SIGN_IN`], or to a page that keeps itself fresh a plain 401, which it shows as what it is.
#[derive(Clone)]
pub struct SignedIn {
    session: WebSession,
    /// As it was when the request came.
    disk_full: Option<Warning>,
}

impl SignedIn {
    pub fn operator(&self) -> &str {
        &self.session.operator
    }

    /// What every page of an operator tells while the disk is full.
    pub fn disk_full(&self) -> Option<&Warning> {
        self.disk_full.as_ref()
    }

    /// For the log; opens nothing.
    pub fn session_id(&self) -> &str {
        &self.session.id
    }

    /// Goes into each form as the hidden field `csrf`, which [`CheckedForm`] checks.
    pub fn csrf(&self) -> &str {
        &self.session.csrf
    }
}

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let (look, to_sign_in): (_, fn() -> Response) = match parts.headers.contains_key(LIVE) {
            true => (WebSessionUse::Refresh, || {
                (StatusCode::UNAUTHORIZED, "this session has ended").into_response()
            }),
            false => (WebSessionUse::Person, || {
                Redirect::to(SIGN_IN).into_response()
            }),
        };
        let to_sign_in_again: fn() -> Response = match look {
            WebSessionUse::Refresh => to_sign_in,
            WebSessionUse::Person => || Redirect::to(SIGN_IN_AGAIN).into_response(),
        };
        let token = cookie::session_token(&parts.headers).ok_or_else(to_sign_in)?;
        let session = web
            .api
            .control
            .web_session(token, look)
            .ok_or_else(to_sign_in_again)?;
        mark_proven(&parts.extensions);
        let reason = web.api.control.disk_full();
        let disk_full = reason.as_deref().map(Warning::disk_full);
        Ok(Self { session, disk_full })
    }
}

/// Why nobody was signed in.
pub enum NotSignedIn {
    /// This source has tried too often.
    TooMany(RemainingQuota),
    Refused(ControlError),
}

/// Turns a link's token into a session; the value is for `Set-Cookie`. Whatever cookie the browser
/// had before is overwritten, and its session has nothing in common with the new one.
pub async fn redeem_link(
    web: &Web,
    source: RequestSource,
    token: &str,
) -> Result<HeaderValue, NotSignedIn> {
    web.attempts.take(source).map_err(NotSignedIn::TooMany)?;
    let made = web
        .api
        .control
        .redeem_link(token)
        .await
        .map_err(NotSignedIn::Refused)?;
    tracing::info!(operator = made.made.operator, session = made.made.id, source = %source.0, "signed in");
    cookie::set_session(&made.token).map_err(NotSignedIn::Refused)
}

/// Ends the session; the value is for `Set-Cookie`.
pub async fn sign_out(web: &Web, who: &SignedIn) -> Result<HeaderValue, ControlError> {
    web.api.control.end_web_session(&who.session).await?;
    tracing::info!(
        operator = who.operator(),
        session = who.session_id(),
        "signed out"
    );
    Ok(cookie::clear_session())
}
