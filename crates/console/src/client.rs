//! The typed client of the control socket, for the command line. Never retries: a creation is not asked for twice.

use crate::certificate::{Certificate, CheckResult, Pair};
use crate::types::{
    Cluster, ClusterList, CreateCluster, CreateKey, ErrorBody, Key, KeyList, LocalCa, Server, Session, SessionList,
    SignInLink,
};
use crate::{limits, socket};
use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no server runs on {data}", data = data.display())]
    NoServer { data: PathBuf },
    #[error("the control socket of {data} can't be reached: {source}", data = data.display())]
    Unreachable { data: PathBuf, source: io::Error },
    /// The server said no, in its own words.
    #[error("{}", .0.message)]
    Refused(ErrorBody),
    #[error("the server went away before it answered: {0}")]
    Lost(String),
    #[error("the server's answer could not be read: {0}")]
    BadAnswer(String),
}

impl ClientError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoServer { .. } => "start it with `tidegate serve` or `tidegate up`".to_owned(),
            Self::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run this as the user that runs the server".to_owned()
            }
            Self::Unreachable { .. } => "check the path given with --data".to_owned(),
            Self::Refused(body) => body.hint.clone(),
            Self::Lost(_) => "look at the server's log, then at `tidegate cluster list`".to_owned(),
            Self::BadAnswer(_) => "use the same version of tidegate as the server's".to_owned(),
        }
    }

    /// The API's own code, where the server answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(body) => Some(&body.code),
            _ => None,
        }
    }
}

type Answer<T> = Result<T, ClientError>;

/// A client of the server on one data directory. Each call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    data: PathBuf,
}

impl Client {
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    pub async fn server(&self) -> Answer<Server> {
        self.ask(Method::GET, "/v1/server", NOTHING).await
    }

    pub async fn renew_ca(&self) -> Answer<LocalCa> {
        self.ask(Method::POST, "/v1/server/ca", NOTHING).await
    }

    pub async fn certificate(&self) -> Answer<Certificate> {
        self.ask(Method::GET, "/v1/certificate", NOTHING).await
    }

    pub async fn renew_certificate(&self) -> Answer<()> {
        self.send(Method::POST, "/v1/certificate/renew", NOTHING).await.map(drop)
    }

    pub async fn import_certificate(&self, pair: &Pair) -> Answer<Certificate> {
        self.ask(Method::POST, "/v1/certificate/import", Some(pair)).await
    }

    pub async fn check_certificate(&self) -> Answer<CheckResult> {
        self.ask(Method::POST, "/v1/certificate/check", NOTHING).await
    }

    pub async fn clusters(&self) -> Answer<Vec<Cluster>> {
        self.ask::<ClusterList>(Method::GET, "/v1/clusters", NOTHING).await.map(|list| list.clusters)
    }

    pub async fn create(&self, wanted: &CreateCluster) -> Answer<Cluster> {
        self.ask(Method::POST, "/v1/clusters", Some(wanted)).await
    }

    pub async fn cluster(&self, name: &str) -> Answer<Cluster> {
        self.ask(Method::GET, &cluster_path(name, ""), NOTHING).await
    }

    pub async fn delete(&self, name: &str) -> Answer<()> {
        self.send(Method::DELETE, &cluster_path(name, ""), NOTHING).await.map(drop)
    }

    pub async fn sleep(&self, name: &str) -> Answer<Cluster> {
        self.ask(Method::POST, &cluster_path(name, "/sleep"), NOTHING).await
    }

    pub async fn wake(&self, name: &str) -> Answer<Cluster> {
        self.ask(Method::POST, &cluster_path(name, "/wake"), NOTHING).await
    }

    pub async fn password(&self, name: &str) -> Answer<Cluster> {
        self.ask(Method::POST, &cluster_path(name, "/password"), NOTHING).await
    }

    pub async fn sessions(&self, cluster: Option<&str>) -> Answer<Vec<Session>> {
        let path = match cluster {
            Some(name) => format!("/v1/sessions?cluster={}", encoded(name)),
            None => "/v1/sessions".to_owned(),
        };
        self.ask::<SessionList>(Method::GET, &path, NOTHING).await.map(|list| list.sessions)
    }

    pub async fn kill_session(&self, id: u64) -> Answer<()> {
        self.send(Method::DELETE, &format!("/v1/sessions/{id}"), NOTHING).await.map(drop)
    }

    pub async fn sign_in_link(&self) -> Answer<SignInLink> {
        self.ask(Method::POST, "/v1/operator/link", NOTHING).await
    }

    pub async fn keys(&self) -> Answer<Vec<Key>> {
        self.ask::<KeyList>(Method::GET, "/v1/keys", NOTHING).await.map(|list| list.keys)
    }

    pub async fn create_key(&self, wanted: &CreateKey) -> Answer<Key> {
        self.ask(Method::POST, "/v1/keys", Some(wanted)).await
    }

    pub async fn revoke_key(&self, key: &str) -> Answer<()> {
        self.send(Method::DELETE, &format!("/v1/keys/{}", encoded(key)), NOTHING).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Answer<T> {
        let bytes = self.send(method, path, body).await?;
        // serde's message may quote the answer, and that may hold a password: its place says enough.
        serde_json::from_slice(&bytes)
            .map_err(|e| ClientError::BadAnswer(format!("line {}, column {}", e.line(), e.column())))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Answer<Bytes> {
        let bad = |e: &dyn std::fmt::Display| ClientError::BadAnswer(e.to_string());
        let bytes = match body {
            Some(value) => serde_json::to_vec(value).map_err(|e| bad(&e))?,
            None => Vec::new(),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "tidegate")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(bytes)))
            .map_err(|e| bad(&e))?;
        let stream = match timeout(limits::CONNECT_MAX, socket::connect(&self.data)).await {
            Ok(connected) => connected.map_err(|e| self.unreachable(e))?,
            Err(_) => return Err(self.unreachable(io::ErrorKind::TimedOut.into())),
        };
        let exchange = timeout(limits::ANSWER_MAX, exchange(stream, request));
        let (status, bytes) = exchange.await.map_err(|_| ClientError::Lost("no answer in time".to_owned()))??;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(error) => ClientError::Refused(error),
            Err(_) => ClientError::BadAnswer(format!("status {status} without a reason")),
        })
    }

    fn unreachable(&self, source: io::Error) -> ClientError {
        let data = self.data.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoServer { data },
            _ => ClientError::Unreachable { data, source },
        }
    }
}

const NOTHING: Option<&()> = None;

async fn exchange(stream: tokio::net::UnixStream, request: Request<Full<Bytes>>) -> Answer<(StatusCode, Bytes)> {
    let lost = |e: hyper::Error| ClientError::Lost(e.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::ANSWER_BODY_MAX).collect().await;
        let body = body.map_err(|e| ClientError::Lost(e.to_string()))?;
        Ok((status, body.to_bytes()))
    };
    // The connection moves the bytes while the talk goes on; it never ends an answer that is still coming.
    let mut connection = std::pin::pin!(connection);
    let mut talk = std::pin::pin!(talk);
    tokio::select! {
        answer = &mut talk => answer,
        ended = &mut connection => {
            ended.map_err(lost)?;
            talk.await
        }
    }
}

fn cluster_path(name: &str, rest: &str) -> String {
    format!("/v1/clusters/{}{rest}", encoded(name))
}

/// RFC 3986's unreserved characters stay, everything else becomes `%XX`: what somebody typed as a name must not
/// become another path.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            // `.` too, or `..` would climb.
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_becomes_another_path() {
        assert_eq!(cluster_path("demo-2", "/wake"), "/v1/clusters/demo-2/wake");
        assert_eq!(cluster_path("../server", ""), "/v1/clusters/%2E%2E%2Fserver");
        assert_eq!(encoded("a b?x=1&ä"), "a%20b%3Fx%3D1%26%C3%A4");
    }

    #[tokio::test]
    async fn without_a_server_the_error_says_how_to_start_one() {
        let tmp = tempfile::tempdir().unwrap();
        let e = Client::new(tmp.path()).clusters().await.unwrap_err();
        assert_eq!(e.to_string(), format!("no server runs on {}", tmp.path().display()));
        assert!(e.hint().contains("tidegate serve") && e.hint().contains("tidegate up"));
        // A socket a dead server left.
        drop(std::os::unix::net::UnixListener::bind(socket::path(tmp.path())).unwrap());
        assert!(matches!(Client::new(tmp.path()).server().await, Err(ClientError::NoServer { .. })));
    }
}
