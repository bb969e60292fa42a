//! State of the handlers. Every handler imports this module; it imports none of them.

use crate::auth::{RequestSource, RouteScopes, TokenBuckets};
use crate::events::Events;
use crate::face::PublicFace;
use crate::probe::Prober;
use std::sync::Arc;
use tidegate_control::Control;
use tidegate_tls::Identity;
use tokio::sync::watch;

/// State of the API's handlers.
#[derive(Clone)]
pub struct Api {
    pub control: Control,
    /// Public address and trust; changes when another certificate is served.
    pub face: watch::Receiver<PublicFace>,
    pub identity: Identity,
    /// Certificate of the console, if it has a separate one.
    pub console_identity: Option<Identity>,
    pub events: Events,
    pub prober: Arc<dyn Prober>,
}

/// State of the pages and of the API over HTTPS. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    pub api: Api,
    /// Limit of sign-in attempts per source.
    pub(crate) attempts: Arc<TokenBuckets<RequestSource>>,
    /// Limit of wrong API keys per source.
    pub(crate) wrong_keys: Arc<TokenBuckets<RequestSource>>,
    /// Scopes that the routes require.
    pub(crate) route_scopes: Arc<RouteScopes>,
    /// Limit of requests per API key.
    pub(crate) quotas: Arc<TokenBuckets<String>>,
}
