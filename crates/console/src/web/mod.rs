//! The console over HTTPS: pages at `/`, the API at `/v1/`, one listener. Never MySQL, and never
//! HTTP without TLS.

mod headers;
mod listener;
mod unproven;

pub use listener::{WebListener, WebPlaces};
pub(crate) use unproven::prove;

use crate::auth::scoped::Needs;
use crate::auth::{Buckets, Source};
use crate::limits;
use crate::pages;
use crate::routes::{self, Api};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;

/// What pages and the API over HTTPS have at hand. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    pub api: Api,
    /// To sign in, per source.
    pub(crate) attempts: Arc<Buckets<Source>>,
    /// API keys that do not exist, per source.
    pub(crate) wrong_keys: Arc<Buckets<Source>>,
    /// Scopes that the routes need.
    pub(crate) needs: Arc<Needs>,
    /// Requests, per API key.
    pub(crate) quotas: Arc<Buckets<String>>,
}

impl Web {
    /// `attempts_per_minute`: sign-ins, and wrong keys, of one source.
    pub fn new(api: Api, attempts_per_minute: u32) -> Self {
        let per_source = || {
            Arc::new(Buckets::new(
                attempts_per_minute,
                limits::ATTEMPTS_WITHIN,
                limits::SOURCES_MAX,
            ))
        };
        let (size, fills_in) = limits::REQUESTS_PER_KEY;
        let quotas = Arc::new(Buckets::new(size, fills_in, limits::KEYS_COUNTED_MAX));
        let needs = Arc::new(Needs::of(&routes::description()));
        Self {
            api,
            needs,
            attempts: per_source(),
            wrong_keys: per_source(),
            quotas,
        }
    }
}

/// Everything that the HTTPS listener serves.
pub fn app(web: Web) -> Router {
    let v1 = routes::keyed(&web);
    pages::router(web)
        .layer(from_fn_with_state(v1, dispatch))
        .layer(from_fn(headers::secure))
}

/// Beside the pages and not among them: neither's fallback, layers or credential reach the other.
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
