//! Console over HTTPS: pages at `/` and the API at `/v1/`, on one listener.

mod headers;
mod listener;
mod unproven;

pub use crate::state::Web;
pub use listener::{WebListener, WebPlaces};
pub(crate) use unproven::mark_proven;

use crate::api;
use crate::auth::{RequestSource, RouteScopes, TokenBuckets};
use crate::limits;
use crate::pages;
use crate::state::Api;
use crate::unread_body::drop_unread_body;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;

impl Web {
    /// `attempts_per_minute` limits the sign-ins, and the wrong keys, of each source.
    pub fn new(api: Api, attempts_per_minute: u32) -> Self {
        let (size, fills_in) = limits::REQUESTS_PER_KEY;
        let quotas = Arc::new(TokenBuckets::new(size, fills_in, limits::KEYS_COUNTED_MAX));
        let route_scopes = Arc::new(RouteScopes::of(&api::description()));
        Self {
            api,
            route_scopes,
            attempts: attempts_of_sources(attempts_per_minute),
            wrong_keys: attempts_of_sources(attempts_per_minute),
            quotas,
        }
    }
}

fn attempts_of_sources(per_minute: u32) -> Arc<TokenBuckets<RequestSource>> {
    Arc::new(TokenBuckets::new(
        per_minute,
        limits::ATTEMPTS_WITHIN,
        limits::SOURCES_MAX,
    ))
}

/// Builds everything that the HTTPS listener serves.
pub fn app(web: Web) -> Router {
    let v1 = api::keyed_router(&web);
    pages::router(web)
        .layer(from_fn_with_state(v1, dispatch))
        .layer(from_fn(headers::secure))
        .layer(from_fn(drop_unread_body))
}

/// Sends requests to `/v1` to the API and all others to the pages. The two routers are not merged,
/// so that neither uses the fallback, layers or credentials of the other.
async fn dispatch(State(v1): State<Router>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/v1" && !path.starts_with("/v1/") {
        return next.run(request).await;
    }
    match TowerToHyperService::new(v1).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
