//! The typed client of the API, for the command line: over the control socket, or over HTTPS with a
//! key. Never retries: a creation is not asked for twice.

use crate::types::{
    Certificate, CertificatePair, ChangeCluster, CheckResult, Cluster, ClusterList, CreateCluster,
    CreateKey, EngineKind, EngineKindList, ErrorBody, Key, KeyList, LocalCa, Secret, Server,
    Session, SessionList, SignInLink,
};
use crate::{limits, socket};
use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no server runs on {data}", data = data.display())]
    NoServer { data: PathBuf },
    #[error("the control socket of {data} can't be reached: {source}", data = data.display())]
    Unreachable { data: PathBuf, source: io::Error },
    #[error("{server} can't be reached: {reason}")]
    RemoteUnreachable { server: String, reason: String },
    #[error("{url:?} is no address of a console")]
    BadServer { url: String },
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
            Self::Unreachable { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "run this as the user that runs the server".to_owned()
            }
            Self::Unreachable { .. } => "check the path given with --data".to_owned(),
            Self::RemoteUnreachable { .. } => {
                "check address, network and CA file: `tidegate profile list` shows what is set"
                    .to_owned()
            }
            Self::BadServer { .. } => "write it as https://HOST:PORT".to_owned(),
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

type ClientResult<T> = Result<T, ClientError>;

/// A client of one server. Each call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
}

#[derive(Debug, Clone)]
enum Transport {
    /// The server on this data directory.
    Socket(PathBuf),
    Https(HttpsServer),
}

#[derive(Clone)]
struct HttpsServer {
    /// `HOST:PORT`, as it stands in the URL.
    authority: String,
    host: String,
    port: u16,
    key: Secret,
    tls: Arc<ClientConfig>,
}

impl fmt::Debug for HttpsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

impl Client {
    pub fn new(data: &Path) -> Self {
        Self {
            transport: Transport::Socket(data.to_owned()),
        }
    }

    /// A server elsewhere. The key is sent to nobody whose certificate `tls` does not believe.
    ///
    /// # Errors
    /// If `url` is anything but `https://HOST[:PORT]`.
    pub fn https(url: &str, key: Secret, tls: Arc<ClientConfig>) -> ClientResult<Self> {
        let bad = || ClientError::BadServer {
            url: url.to_owned(),
        };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let plain = uri.scheme_str() == Some("https")
            && uri.path_and_query().is_none_or(|rest| rest == "/");
        let authority = uri
            .authority()
            .filter(|a| plain && !a.as_str().contains('@'))
            .ok_or_else(bad)?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = authority.port_u16().unwrap_or(443);
        Ok(Self {
            transport: Transport::Https(HttpsServer {
                authority: authority.to_string(),
                host,
                port,
                key,
                tls,
            }),
        })
    }

    pub async fn server(&self) -> ClientResult<Server> {
        self.request_json(Method::GET, "/v1/server", NO_BODY).await
    }

    pub async fn renew_ca(&self) -> ClientResult<LocalCa> {
        self.request_json(Method::POST, "/v1/server/ca", NO_BODY)
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

    pub async fn clusters(&self) -> ClientResult<Vec<Cluster>> {
        self.request_json::<ClusterList>(Method::GET, "/v1/clusters", NO_BODY)
            .await
            .map(|list| list.clusters)
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
        let path = match repair {
            true => "/password?repair=true",
            false => "/password",
        };
        self.request_json(Method::POST, &cluster_path(name, path), NO_BODY)
            .await
    }

    pub async fn sessions(&self, cluster: Option<&str>) -> ClientResult<Vec<Session>> {
        let path = match cluster {
            Some(name) => format!("/v1/sessions?cluster={}", percent_encoded(name)),
            None => "/v1/sessions".to_owned(),
        };
        self.request_json::<SessionList>(Method::GET, &path, NO_BODY)
            .await
            .map(|list| list.sessions)
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
        // serde's message may quote the answer, and that may hold a password: its place says
        // enough.
        serde_json::from_slice(&bytes).map_err(|e| {
            ClientError::BadAnswer(format!("line {}, column {}", e.line(), e.column()))
        })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> ClientResult<Bytes> {
        let bad = |e: &dyn std::fmt::Display| ClientError::BadAnswer(e.to_string());
        let bytes = match body {
            Some(value) => serde_json::to_vec(value).map_err(|e| bad(&e))?,
            None => Vec::new(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, "application/json");
        request = match &self.transport {
            Transport::Socket(_) => request.header(HOST, "tidegate"),
            Transport::Https(server) => request
                .header(HOST, &server.authority)
                .header(AUTHORIZATION, server.bearer()?),
        };
        let request = request
            .body(Full::new(Bytes::from(bytes)))
            .map_err(|e| bad(&e))?;
        let (status, bytes) = match &self.transport {
            Transport::Socket(data) => {
                within_answer_time(exchange_http(connect_socket(data).await?, request)).await?
            }
            Transport::Https(server) => {
                within_answer_time(exchange_http(server.connect().await?, request)).await?
            }
        };
        if status.is_success() {
            return Ok(bytes);
        }
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(error) => ClientError::Refused(error),
            Err(_) => ClientError::BadAnswer(format!("status {status} without a reason")),
        })
    }
}

impl HttpsServer {
    fn bearer(&self) -> ClientResult<HeaderValue> {
        let text = Zeroizing::new(format!("Bearer {}", self.key.reveal()));
        let bad = |_| ClientError::BadAnswer("the key holds characters that no key has".to_owned());
        let mut value = HeaderValue::from_str(&text).map_err(bad)?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn connect(&self) -> ClientResult<TlsStream<TcpStream>> {
        let failed = |reason: String| ClientError::RemoteUnreachable {
            server: self.authority.clone(),
            reason,
        };
        let way = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
            TlsConnector::from(Arc::clone(&self.tls))
                .connect(name, tcp)
                .await
        };
        let came = timeout(limits::REMOTE_CONNECT_MAX, way).await;
        came.map_err(|_| failed("no answer in time".to_owned()))?
            .map_err(|e| failed(e.to_string()))
    }
}

async fn connect_socket(data: &Path) -> ClientResult<UnixStream> {
    let unreachable = |source: io::Error| {
        let data = data.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NoServer { data }
            }
            _ => ClientError::Unreachable { data, source },
        }
    };
    match timeout(limits::CONNECT_MAX, socket::connect(data)).await {
        Ok(connected) => connected.map_err(unreachable),
        Err(_) => Err(unreachable(io::ErrorKind::TimedOut.into())),
    }
}

async fn within_answer_time<T>(exchange: impl Future<Output = ClientResult<T>>) -> ClientResult<T> {
    timeout(limits::ANSWER_MAX, exchange)
        .await
        .map_err(|_| ClientError::Lost("no answer in time".to_owned()))?
}

const NO_BODY: Option<&()> = None;

async fn exchange_http<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> ClientResult<(StatusCode, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let lost = |e: hyper::Error| ClientError::Lost(e.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::ANSWER_BODY_MAX)
            .collect()
            .await;
        let body = body.map_err(|e| ClientError::Lost(e.to_string()))?;
        Ok((status, body.to_bytes()))
    };
    // The connection moves the bytes while the talk goes on; it never ends an answer that is still
    // coming.
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
    format!("/v1/clusters/{}{rest}", percent_encoded(name))
}

/// RFC 3986's unreserved characters stay, everything else becomes `%XX`: what somebody typed as a
/// name must not become another path.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
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
        assert_eq!(
            cluster_path("../server", ""),
            "/v1/clusters/%2E%2E%2Fserver"
        );
        assert_eq!(percent_encoded("a b?x=1&ä"), "a%20b%3Fx%3D1%26%C3%A4");
    }

    #[test]
    fn only_an_address_over_https_is_one() {
        let tls = tidegate_tls::client_config(tidegate_tls::Roots::Mozilla).unwrap();
        let client =
            |url: &str| Client::https(url, Secret::new("k".to_owned().into()), Arc::clone(&tls));
        for good in [
            "https://db.example",
            "https://127.0.0.1:4443",
            "https://[::1]:4443/",
        ] {
            assert!(client(good).is_ok(), "{good}");
        }
        for bad in [
            "http://db.example",
            "db.example:4443",
            "https://a@db.example",
            "https://db.example/x",
            "",
        ] {
            assert!(
                matches!(client(bad), Err(ClientError::BadServer { .. })),
                "{bad}"
            );
        }
    }

    #[tokio::test]
    async fn without_a_server_the_error_says_how_to_start_one() {
        let tmp = tempfile::tempdir().unwrap();
        let e = Client::new(tmp.path()).clusters().await.unwrap_err();
        assert_eq!(
            e.to_string(),
            format!("no server runs on {}", tmp.path().display())
        );
        assert!(e.hint().contains("tidegate serve") && e.hint().contains("tidegate up"));
        // A socket a dead server left.
        drop(std::os::unix::net::UnixListener::bind(socket::path(tmp.path())).unwrap());
        assert!(matches!(
            Client::new(tmp.path()).server().await,
            Err(ClientError::NoServer { .. })
        ));
    }
}
