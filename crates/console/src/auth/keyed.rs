//! Who may use `/v1` over the network: the holder of an API key, as often as a key may ask. The
//! cookie of the pages opens nothing here, so no page of another site can use it. Never on the
//! control socket, which is the owner's.

use super::scoped::ApiCaller;
use super::{RemainingQuota, RequestSource};
use crate::errors::ApiError;
use crate::state::Web;
use crate::web::mark_proven;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tidegate_control::ApiKey;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Around every request to `/v1` over HTTPS.
pub async fn require_key(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(source) = RequestSource::from_request_parts(&mut parts, &web).await;
    let key = match find_key(&web, source, &parts.headers) {
        Ok(key) => key,
        Err(response) => return response,
    };
    mark_proven(&parts.extensions);
    let (left, mut response) = match web.quotas.take(key.id) {
        Ok(left) => match web.route_scopes.check(&key.scopes, &mut parts).await {
            Ok(()) => {
                parts.extensions.insert(ApiCaller::Key(key.scopes));
                (left, next.run(Request::from_parts(parts, body)).await)
            }
            Err(error) => (left, error.into_response()),
        },
        Err(left) => (left, too_many(left, "this key has asked too often")),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (LIMIT, left.limit.into()),
        (REMAINING, left.remaining.into()),
        (RESET, HeaderValue::from(left.reset_seconds)),
    ] {
        headers.insert(name, value);
    }
    response
}

/// The key, or the answer to somebody without one.
#[expect(
    clippy::result_large_err,
    reason = "the error is the answer, and is sent as it is"
)]
fn find_key(web: &Web, source: RequestSource, headers: &HeaderMap) -> Result<ApiKey, Response> {
    let none = || {
        let mut response = ApiError::not_authorized().into_response();
        response.headers_mut().insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"tidegate\""),
        );
        response
    };
    let Some(token) = bearer_token(headers) else {
        return Err(none());
    };
    match web.api.control.key_of(token) {
        Some(key) => Ok(key),
        // Each wrong one counts; who has a right one is never held up by others at the same
        // address.
        None => match web.wrong_keys.take(source) {
            Ok(_) => Err(none()),
            Err(left) => Err(too_many(left, "too many wrong keys came from this address")),
        },
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn too_many(left: RemainingQuota, why: &str) -> Response {
    let mut response = ApiError::too_many(why, left.reset_seconds).into_response();
    response
        .headers_mut()
        .insert(RETRY_AFTER, left.reset_seconds.into());
    response
}
