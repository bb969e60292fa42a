//! Check of API keys on `/v1` over HTTPS: every request needs one, and each key has a rate limit.
//! The cookie of the pages is not accepted, so that no page of another site can make a browser use
//! the API. The control socket has no such check.

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

/// Checks the key of a request, its rate limit and its scopes, and adds headers about the rate
/// limit to the answer.
pub async fn require_key(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(source) = RequestSource::from_request_parts(&mut parts, &web).await;
    let key = match find_key(&web, source, &parts.headers) {
        Ok(key) => key,
        Err(response) => return response,
    };
    // Before the quota: a known key that is over it must not lose its connection to strangers.
    mark_proven(&parts.extensions);
    let (left, mut response) = match web.quotas.take(key.id.clone()) {
        Ok(left) => match web.route_scopes.check(&key.scopes, &mut parts).await {
            Ok(()) => {
                parts.extensions.insert(ApiCaller::Key {
                    id: key.id,
                    scopes: key.scopes,
                });
                (left, next.run(Request::from_parts(parts, body)).await)
            }
            Err(error) => (left, error.into_response()),
        },
        Err(left) => (left, too_many(left, "too many requests with this key")),
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

/// Finds the key of a request, or returns the answer to a request without a valid one.
#[expect(clippy::result_large_err, reason = "the error is the answer")]
fn find_key(web: &Web, source: RequestSource, headers: &HeaderMap) -> Result<ApiKey, Response> {
    let Some(token) = bearer_token(headers) else {
        return Err(not_authorized());
    };
    match web.api.control.key_of(token) {
        Some(key) => Ok(key),
        // Only wrong keys are limited per source: a client with a valid key never waits because of
        // others at the same address.
        None => match web.wrong_keys.take(source) {
            Ok(_) => Err(not_authorized()),
            Err(left) => Err(too_many(left, "too many wrong keys from this address")),
        },
    }
}

fn not_authorized() -> Response {
    let mut response = ApiError::not_authorized().into_response();
    response.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"tidegate\""),
    );
    response
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
