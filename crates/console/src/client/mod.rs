//! Typed client of the API, for the command line: over the control socket, or over HTTPS with a
//! key. It repeats a request whose connection was lost; writes have an idempotency key, so that no
//! cluster is created twice.

mod call;
mod error;
mod filters;
#[cfg(test)]
mod tests;
mod transport;

pub use error::ClientError;
pub use filters::{ClusterFilter, SessionFilter, UserFilter};

use crate::limits;
use crate::types::{
    Certificate, CertificatePair, ChangeCluster, CheckResult, Cluster, ClusterList, CreateCluster,
    CreateDatabase, CreateKey, CreateUser, Database, DatabaseList, EngineKind, EngineKindList,
    ErrorBody, Key, KeyList, LocalCa, MasterKeyRotation, RenameCluster, Secret, Server, Session,
    SessionList, SetPassword, SignInLink, User, UserList,
};
use axum::body::Bytes;
use call::{Call, new_idempotency_key};
use error::ClientResult;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;
use tokio::time::timeout;
use transport::{HttpsServer, Transport, send_on_socket};

const NO_BODY: Option<&()> = None;

/// Client of one server. Each call opens its own connection.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    /// Version that a cluster must have which a request changes.
    version: Option<u64>,
}

impl Client {
    /// Client of the server on this data directory, over its control socket.
    pub fn new(data: &Path) -> Self {
        Self {
            transport: Transport::Socket(data.to_owned()),
            version: None,
        }
    }

    /// Client of a remote server. The key is sent only to a server whose certificate `tls` accepts.
    ///
    /// # Errors
    /// If `url` is not `https://HOST[:PORT]`.
    pub fn https(url: &str, key: Secret, tls: Arc<ClientConfig>) -> ClientResult<Self> {
        Ok(Self {
            transport: Transport::Https(HttpsServer::new(url, key, tls)?),
            version: None,
        })
    }

    /// Returns a client that changes a cluster only if it has this version, if one is given.
    pub fn at(&self, version: Option<u64>) -> Self {
        Self {
            version,
            ..self.clone()
        }
    }

    pub async fn server(&self) -> ClientResult<Server> {
        self.request_json(Method::GET, "/v1/server", NO_BODY).await
    }

    pub async fn renew_ca(&self) -> ClientResult<LocalCa> {
        self.request_json(Method::POST, "/v1/server/ca", NO_BODY)
            .await
    }

    pub async fn rotate_master_key(&self) -> ClientResult<MasterKeyRotation> {
        self.request_json(Method::POST, "/v1/server/master-key", NO_BODY)
            .await
    }

    pub async fn certificate(&self) -> ClientResult<Certificate> {
        self.request_json(Method::GET, "/v1/certificate", NO_BODY)
            .await
    }

    pub async fn renew_certificate(&self, console: bool) -> ClientResult<()> {
        let path = format!("/v1/certificate/renew?console={console}");
        self.request(Method::POST, &path, NO_BODY).await.map(drop)
    }

    pub async fn import_certificate(
        &self,
        pair: &CertificatePair,
        console: bool,
    ) -> ClientResult<Certificate> {
        let path = format!("/v1/certificate/import?console={console}");
        self.request_json(Method::POST, &path, Some(pair)).await
    }

    pub async fn check_certificate(&self, console: bool) -> ClientResult<CheckResult> {
        let path = format!("/v1/certificate/check?console={console}");
        self.request_json(Method::POST, &path, NO_BODY).await
    }

    /// Returns the first cluster of these filters.
    pub async fn first_cluster(&self, wanted: &ClusterFilter) -> ClientResult<Option<Cluster>> {
        let path = wanted.path(None, Some("1"));
        let page: ClusterList = self.request_json(Method::GET, &path, NO_BODY).await?;
        Ok(page.clusters.into_iter().next())
    }

    /// Returns all clusters of these filters, page by page.
    pub async fn clusters(&self, wanted: &ClusterFilter) -> ClientResult<Vec<Cluster>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let path = wanted.path(after.as_deref(), None);
            let page: ClusterList = self.request_json(Method::GET, &path, NO_BODY).await?;
            all.extend(page.clusters);
            // A server that repeats a page must not make this loop endless.
            if page.next.is_none() || page.next <= after {
                return Ok(all);
            }
            after = page.next;
        }
    }

    pub async fn engine_kinds(&self) -> ClientResult<Vec<EngineKind>> {
        self.request_json::<EngineKindList>(Method::GET, "/v1/engines", NO_BODY)
            .await
            .map(|list| list.engines)
    }

    pub async fn create(&self, wanted: &CreateCluster) -> ClientResult<Cluster> {
        self.request_json(Method::POST, "/v1/clusters", Some(wanted))
            .await
    }

    pub async fn cluster(&self, name: &str) -> ClientResult<Cluster> {
        self.request_json(Method::GET, &cluster_path(name, ""), NO_BODY)
            .await
    }

    pub async fn change(&self, name: &str, change: &ChangeCluster) -> ClientResult<Cluster> {
        self.request_json(Method::PATCH, &cluster_path(name, ""), Some(change))
            .await
    }

    pub async fn rename(&self, name: &str, new: &str) -> ClientResult<Cluster> {
        let wanted = RenameCluster {
            name: new.to_owned(),
        };
        let path = cluster_path(name, "/rename");
        self.request_json(Method::POST, &path, Some(&wanted)).await
    }

    pub async fn delete(&self, name: &str) -> ClientResult<()> {
        self.request(Method::DELETE, &cluster_path(name, ""), NO_BODY)
            .await
            .map(drop)
    }

    pub async fn sleep(&self, name: &str) -> ClientResult<Cluster> {
        self.request_json(Method::POST, &cluster_path(name, "/sleep"), NO_BODY)
            .await
    }

    pub async fn wake(&self, name: &str) -> ClientResult<Cluster> {
        self.request_json(Method::POST, &cluster_path(name, "/wake"), NO_BODY)
            .await
    }

    /// `repair`: ends the engine first and creates root anew.
    pub async fn password(&self, name: &str, repair: bool) -> ClientResult<Cluster> {
        let path = if repair {
            "/password?repair=true"
        } else {
            "/password"
        };
        self.request_json(Method::POST, &cluster_path(name, path), NO_BODY)
            .await
    }

    pub async fn databases(&self, cluster: &str) -> ClientResult<DatabaseList> {
        self.request_json(Method::GET, &cluster_path(cluster, "/databases"), NO_BODY)
            .await
    }

    pub async fn create_database(&self, cluster: &str, name: &str) -> ClientResult<Database> {
        let wanted = CreateDatabase {
            name: name.to_owned(),
        };
        let path = cluster_path(cluster, "/databases");
        self.request_json(Method::POST, &path, Some(&wanted)).await
    }

    pub async fn delete_database(&self, cluster: &str, name: &str) -> ClientResult<()> {
        let path = format!("/databases/{}", percent_encoded(name));
        self.request(Method::DELETE, &cluster_path(cluster, &path), NO_BODY)
            .await
            .map(drop)
    }

    /// Returns a page of a cluster's users.
    pub async fn users(&self, cluster: &str, wanted: &UserFilter) -> ClientResult<UserList> {
        let path = wanted.path(&cluster_path(cluster, "/users"));
        self.request_json(Method::GET, &path, NO_BODY).await
    }

    pub async fn create_user(&self, cluster: &str, wanted: &CreateUser) -> ClientResult<User> {
        self.request_json(Method::POST, &cluster_path(cluster, "/users"), Some(wanted))
            .await
    }

    /// `name`: empty for the accounts without a name.
    pub async fn set_user_password(
        &self,
        cluster: &str,
        name: &str,
        wanted: &SetPassword,
    ) -> ClientResult<User> {
        let path = user_path(cluster, name, "/password");
        self.request_json(Method::POST, &path, Some(wanted)).await
    }

    /// `name`: empty for the accounts without a name.
    pub async fn delete_user(&self, cluster: &str, name: &str) -> ClientResult<()> {
        self.request(Method::DELETE, &user_path(cluster, name, ""), NO_BODY)
            .await
            .map(drop)
    }

    /// Returns all sessions of these filters, page by page.
    pub async fn sessions(&self, wanted: &SessionFilter) -> ClientResult<Vec<Session>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let path = wanted.path(after);
            let page: SessionList = self.request_json(Method::GET, &path, NO_BODY).await?;
            all.extend(page.sessions);
            if page.next.is_none() || page.next <= after {
                return Ok(all);
            }
            after = page.next;
        }
    }

    pub async fn kill_session(&self, id: u64) -> ClientResult<()> {
        self.request(Method::DELETE, &format!("/v1/sessions/{id}"), NO_BODY)
            .await
            .map(drop)
    }

    pub async fn sign_in_link(&self) -> ClientResult<SignInLink> {
        self.request_json(Method::POST, "/v1/operator/link", NO_BODY)
            .await
    }

    pub async fn keys(&self) -> ClientResult<Vec<Key>> {
        self.request_json::<KeyList>(Method::GET, "/v1/keys", NO_BODY)
            .await
            .map(|list| list.keys)
    }

    pub async fn create_key(&self, wanted: &CreateKey) -> ClientResult<Key> {
        self.request_json(Method::POST, "/v1/keys", Some(wanted))
            .await
    }

    pub async fn revoke_key(&self, key: &str) -> ClientResult<()> {
        self.request(
            Method::DELETE,
            &format!("/v1/keys/{}", percent_encoded(key)),
            NO_BODY,
        )
        .await
        .map(drop)
    }

    async fn request_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> ClientResult<T> {
        let bytes = self.request(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|e| ClientError::BadAnswer {
            line: e.line(),
            column: e.column(),
        })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> ClientResult<Bytes> {
        let bytes = match body {
            Some(value) => {
                serde_json::to_vec(value).map_err(|e| ClientError::BadRequest(e.into()))?
            }
            None => Vec::new(),
        };
        let call = Call {
            idempotency_key: (!method.is_safe()).then(new_idempotency_key).transpose()?,
            method,
            path: match self.version.filter(|_| path.starts_with("/v1/clusters/")) {
                Some(version) if path.contains('?') => format!("{path}&version={version}"),
                Some(version) => format!("{path}?version={version}"),
                None => path.to_owned(),
            },
            body: bytes.into(),
        };
        timeout(limits::ANSWER_MAX, self.send_until_answered(&call))
            .await
            .map_err(|_| ClientError::Lost("no answer in time".into()))?
    }

    /// Sends a request, and again if its connection was lost.
    async fn send_until_answered(&self, call: &Call) -> ClientResult<Bytes> {
        let mut pauses = limits::LOST_PAUSES.into_iter();
        let mut lost = None;
        loop {
            let answer = self.send_once(call).await;
            match answer {
                Err(error @ ClientError::Lost(_)) => lost = Some(error),
                Err(error) if lost.is_some() && error.is_unreachable() => {}
                // The answer to a repetition comes when the first request ends.
                Err(error) if error.code() == Some("in_progress") => {
                    tokio::time::sleep(limits::IN_PROGRESS_PAUSE).await;
                    continue;
                }
                answer => return answer,
            }
            match (pauses.next(), lost.take()) {
                (None, Some(error)) => return Err(error),
                (Some(pause), error) => {
                    lost = error;
                    tokio::time::sleep(pause).await;
                }
                (None, None) => {}
            }
        }
    }

    async fn send_once(&self, call: &Call) -> ClientResult<Bytes> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(&call.path)
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        request = match &self.transport {
            // HTTP/1.1 requires the header, although the socket has no host.
            Transport::Socket(_) => request.header(HOST, "tidegate"),
            Transport::Https(server) => request
                .header(HOST, &server.authority)
                .header(AUTHORIZATION, server.bearer()?),
        };
        let request = request
            .body(Full::new(call.body.clone()))
            .map_err(|e| ClientError::BadRequest(e.into()))?;
        let (status, bytes) = match &self.transport {
            Transport::Socket(data) => send_on_socket(data, request).await?,
            Transport::Https(server) => server.send(request).await?,
        };
        if status.is_success() {
            return Ok(bytes);
        }
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(error) => ClientError::Refused(error),
            Err(_) => ClientError::NoReason { status },
        })
    }
}

fn cluster_path(name: &str, rest: &str) -> String {
    format!("/v1/clusters/{}{rest}", percent_encoded(name))
}

/// Returns the path of a user; an empty name is that of the accounts without one.
fn user_path(cluster: &str, name: &str, rest: &str) -> String {
    let user = match name {
        "" => "/anonymous-user".to_owned(),
        name => format!("/users/{}", percent_encoded(name)),
    };
    cluster_path(cluster, &format!("{user}{rest}"))
}

/// Encodes a name for a path: all characters except the unreserved ones of RFC 3986 become `%XX`,
/// so that a name can't change the path. `.` is encoded too, since `..` would.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
