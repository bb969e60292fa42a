//! Check of scopes: compares the scope that a route requires, as the API's description declares it,
//! with the scopes of a key. A route without a declaration is closed to every key.

use crate::errors::ApiError;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::Method;
use axum::http::request::Parts;
use std::collections::HashMap;
use tidegate_control::{ControlError, LimitsChange, Scopes};
use tidegate_model::ClusterLimits;
use utoipa::openapi::OpenApi as Description;

/// Scope that a route requires, from its `security` in the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredScope {
    /// Any scope; the answer contains what the key may see.
    Read,
    /// A scope for the cluster that is changed.
    Clusters,
    All,
    /// Not available to keys; only on the control socket.
    Operator,
}

impl RequiredScope {
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "clusters" => Some(Self::Clusters),
            "all" => Some(Self::All),
            "operator" => Some(Self::Operator),
            _ => None,
        }
    }
}

/// Caller of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiCaller {
    /// A process that may open the control socket.
    Owner,
    /// A client with an API key.
    Key { id: String, scopes: Scopes },
}

impl ApiCaller {
    /// Name of the caller in records. No key has the owner's.
    pub fn id(&self) -> &str {
        match self {
            Self::Owner => "owner",
            Self::Key { id, .. } => id,
        }
    }

    pub fn may_read(&self, cluster: &str) -> bool {
        match self {
            Self::Owner => true,
            Self::Key { scopes, .. } => scopes.may_read(cluster),
        }
    }

    pub fn may_change(&self, cluster: &str) -> bool {
        match self {
            Self::Owner => true,
            Self::Key { scopes, .. } => scopes.may_change(cluster),
        }
    }

    pub fn is_all(&self) -> bool {
        match self {
            Self::Owner => true,
            Self::Key { scopes, .. } => scopes.is_all(),
        }
    }

    /// Checks whether this caller may create a cluster with this name, or with a generated one.
    pub fn check_create(&self, name: Option<&str>) -> Result<(), ApiError> {
        let may = match (self, name) {
            (Self::Owner, _) => true,
            (Self::Key { scopes, .. }, Some(name)) => scopes.may_change(name),
            (Self::Key { scopes, .. }, None) => scopes.may_change_any(),
        };
        if may {
            Ok(())
        } else {
            Err(ApiError::out_of_scope(
                "clusters, with a pattern that matches the new name",
            ))
        }
    }

    /// Checks whether this caller may set these limits. Only scope `all` may exceed the server's
    /// defaults.
    pub fn check_limits(
        &self,
        wanted: &LimitsChange,
        defaults: ClusterLimits,
    ) -> Result<(), ApiError> {
        if self.is_all() {
            return Ok(());
        }
        match wanted.first_above(defaults) {
            None => Ok(()),
            Some(limit) => Err(ApiError::out_of_scope(&format!(
                "all, because {limit} is above this server's default"
            ))),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ApiCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        // The routers of the control socket and of HTTPS insert it. Without it, nothing is allowed.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(ApiError::only_local)
    }
}

/// Required scopes of all routes, by method and path.
#[derive(Debug)]
pub struct RouteScopes(HashMap<(String, String), RequiredScope>);

impl RouteScopes {
    /// Reads them from the description, so that the published scopes are the enforced ones.
    pub fn of(description: &Description) -> Self {
        let whole = serde_json::to_value(description).unwrap_or_default();
        let mut needs = HashMap::new();
        for (path, item) in whole
            .pointer("/paths")
            .and_then(serde_json::Value::as_object)
            .into_iter()
            .flatten()
        {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let word = operation
                    .pointer("/security/0/key/0")
                    .and_then(serde_json::Value::as_str);
                if let Some(need) = word.and_then(RequiredScope::parse) {
                    needs.insert((method.to_uppercase(), path.clone()), need);
                }
            }
        }
        Self(needs)
    }

    fn find(&self, method: &Method, path: &str) -> Option<RequiredScope> {
        // axum answers HEAD with the route of GET.
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.0
            .get(&(method.as_str().to_owned(), path.to_owned()))
            .copied()
    }

    /// Checks whether a key with these scopes may use the requested route.
    pub async fn check(&self, scopes: &Scopes, parts: &mut Parts) -> Result<(), ApiError> {
        // Without a route, the answer is 404 for every key.
        let Some(path) = parts
            .extensions
            .get::<MatchedPath>()
            .map(|path| path.as_str().to_owned())
        else {
            return Ok(());
        };
        let need = match self.find(&parts.method, &path) {
            Some(need) => need,
            // The path exists and the method does not: the router answers. (A test checks that
            // every route declares a scope.)
            None if self.knows(&path) => return Ok(()),
            None => return Err(ApiError::only_local()),
        };
        let cluster = cluster_of(parts, &path).await;
        match (need, cluster) {
            _ if scopes.is_all() && need != RequiredScope::Operator => Ok(()),
            (RequiredScope::Operator, _) => Err(ApiError::only_local()),
            (RequiredScope::All, _) => Err(ApiError::out_of_scope("all")),
            // Lists contain what the key may see. Handlers without a name in the path check the
            // scopes themselves.
            (RequiredScope::Read | RequiredScope::Clusters, None) => Ok(()),
            (RequiredScope::Read, Some(name)) if scopes.may_read(&name) => Ok(()),
            (RequiredScope::Clusters, Some(name)) if scopes.may_change(&name) => Ok(()),
            // The key may see the cluster, so it learns which scope is missing.
            (RequiredScope::Clusters, Some(name)) if scopes.may_read(&name) => {
                Err(ApiError::out_of_scope("clusters"))
            }
            // The same error as for a cluster that does not exist.
            (_, Some(name)) => Err(ControlError::not_found(&name).into()),
        }
    }

    fn knows(&self, path: &str) -> bool {
        self.0.keys().any(|(_, known)| known == path)
    }
}

async fn cluster_of(parts: &mut Parts, path: &str) -> Option<String> {
    if !path.starts_with("/v1/clusters/{name}") {
        return None;
    }
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params
        .iter()
        .find(|(key, _)| *key == "name")
        .map(|(_, value)| value.to_owned())
}
