//! Signed-in operators: the check of a page's session, signing in and signing out.

use super::{RemainingQuota, RequestSource, cookie};
use crate::state::Web;
use crate::types::Warning;
use crate::web::mark_proven;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use tidegate_control::{ControlError, WebSession, WebSessionUse};

/// Address to which a page redirects visitors without a session.
pub const SIGN_IN: &str = "/sign-in";

/// Address to which a page redirects visitors whose session is no longer valid.
pub const SIGN_IN_AGAIN: &str = "/sign-in?ended=1";

/// Header of requests that a page makes by itself to refresh its content. They do not keep a
/// session alive, since nobody may be watching.
const LIVE: HeaderName = HeaderName::from_static("x-tidegate-live");

/// Operator whose session the request has. Without a session, the answer is a redirect to
/// [`SIGN_IN`], or 401 to a page that refreshes itself: its script then shows that the session
/// expired.
#[derive(Clone)]
pub struct SignedIn {
    session: WebSession,
    /// Warning about the disk at the time of the request.
    disk_full: Option<Warning>,
}

impl SignedIn {
    pub fn operator(&self) -> &str {
        &self.session.operator
    }

    /// Warning for every page of an operator while the disk is full.
    pub fn disk_full(&self) -> Option<&Warning> {
        self.disk_full.as_ref()
    }

    /// Id of the session, for the log. It is not the token.
    pub fn session_id(&self) -> &str {
        &self.session.id
    }

    /// Token for the hidden field `csrf` of each form, which [`CheckedForm`] checks.
    pub fn csrf(&self) -> &str {
        &self.session.csrf
    }
}

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let is_refresh = parts.headers.contains_key(LIVE);
        let used_by = if is_refresh {
            WebSessionUse::Refresh
        } else {
            WebSessionUse::Person
        };
        let token =
            cookie::session_token(&parts.headers).ok_or_else(|| no_session(is_refresh, SIGN_IN))?;
        let session = web
            .api
            .control
            .web_session(token, used_by)
            .ok_or_else(|| no_session(is_refresh, SIGN_IN_AGAIN))?;
        mark_proven(&parts.extensions);
        let reason = web.api.control.disk_full();
        let disk_full = reason.as_deref().map(Warning::disk_full);
        Ok(Self { session, disk_full })
    }
}

/// Answers a request without a valid session.
fn no_session(is_refresh: bool, address: &str) -> Response {
    if is_refresh {
        (StatusCode::UNAUTHORIZED, "this session expired").into_response()
    } else {
        Redirect::to(address).into_response()
    }
}

/// Reason why a sign-in failed.
pub enum NotSignedIn {
    /// Too many attempts from this source.
    TooMany(RemainingQuota),
    Refused(ControlError),
}

/// Exchanges a link's token for a session and returns the value of `Set-Cookie`. It replaces any
/// earlier cookie, and its token is new, which prevents session fixation.
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
    tracing::info!(
        operator = made.made.operator,
        session = made.made.id,
        source = %source.0,
        "signed in"
    );
    cookie::set_session(&made.token).map_err(NotSignedIn::Refused)
}

/// Ends the session and returns the value of `Set-Cookie`.
pub async fn sign_out(web: &Web, who: &SignedIn) -> Result<HeaderValue, ControlError> {
    web.api.control.end_web_session(&who.session).await?;
    tracing::info!(
        operator = who.operator(),
        session = who.session_id(),
        "signed out"
    );
    Ok(cookie::clear_session())
}
