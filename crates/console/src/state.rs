//! State of the handlers. Every handler imports this module; it imports none of them.

use crate::auth::{RequestSource, RouteScopes, TokenBuckets};
use crate::events::Events;
use crate::face::PublicFace;
use crate::probe::Prober;
use std::sync::Arc;
use tidegate_control::Control;
use tidegate_tls::Identity;
use tokio::sync::watch;

/// What every handler has at hand.
#[derive(Clone)]
pub struct Api {
    pub control: Control,
    /// Changes when a certificate is swapped.
    pub face: watch::Receiver<PublicFace>,
    pub identity: Identity,
    /// The console's own certificate, where it has one.
    pub console_identity: Option<Identity>,
    pub events: Events,
    pub prober: Arc<dyn Prober>,
}

/// What pages and the API over HTTPS have at hand. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    pub api: Api,
    /// To sign in, per source.
    pub(crate) attempts: Arc<TokenBuckets<RequestSource>>,
    /// API keys that do not exist, per source.
    pub(crate) wrong_keys: Arc<TokenBuckets<RequestSource>>,
    /// Scopes that the routes need.
    pub(crate) route_scopes: Arc<RouteScopes>,
    /// Requests, per API key.
    pub(crate) quotas: Arc<TokenBuckets<String>>,
}
