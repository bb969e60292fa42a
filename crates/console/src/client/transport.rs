//! Connections of the API's client, and the HTTP exchange on them.

use super::error::{ClientError, ClientResult};
use crate::types::Secret;
use crate::{limits, socket};
use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};
use tidegate_tls::dial;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

#[derive(Debug, Clone)]
pub enum Transport {
    /// Control socket of the server on this data directory.
    Socket(PathBuf),
    Https(HttpsServer),
}

#[derive(Clone)]
pub struct HttpsServer {
    /// `HOST:PORT`, as in the URL.
    pub authority: String,
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

impl HttpsServer {
    /// Reads `https://HOST[:PORT]`.
    pub fn new(url: &str, key: Secret, tls: Arc<ClientConfig>) -> ClientResult<Self> {
        let authority = https_authority(url).ok_or_else(|| ClientError::BadServer {
            url: url.to_owned(),
        })?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Ok(Self {
            authority: authority.to_string(),
            host,
            port: authority.port_u16().unwrap_or(443),
            key,
            tls,
        })
    }

    /// Returns the value of the header `Authorization`.
    pub fn bearer(&self) -> ClientResult<HeaderValue> {
        let text = Zeroizing::new(format!("Bearer {}", self.key.reveal()));
        let mut value = HeaderValue::from_str(&text).map_err(|_| ClientError::BadKey)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Sends a request on a new connection.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> ClientResult<(StatusCode, Bytes)> {
        let stream = self
            .connect()
            .await
            .map_err(|source| ClientError::RemoteUnreachable {
                server: self.authority.clone(),
                source,
            })?;
        exchange_http(stream, request).await
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let connecting = async {
            let tcp = dial(&self.host, self.port).await?;
            let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
            TlsConnector::from(Arc::clone(&self.tls))
                .connect(name, tcp)
                .await
        };
        timeout(limits::REMOTE_CONNECT_MAX, connecting)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))?
    }
}

/// Returns host and port of an `https` URL that has nothing else: no path, query or user.
fn https_authority(url: &str) -> Option<hyper::http::uri::Authority> {
    let uri: Uri = url.parse().ok()?;
    let has_path = uri.path_and_query().is_some_and(|rest| rest != "/");
    if uri.scheme_str() != Some("https") || has_path {
        return None;
    }
    let authority = uri.into_parts().authority?;
    (!authority.as_str().contains('@')).then_some(authority)
}

/// Sends a request on a new connection to the control socket.
pub async fn send_on_socket(
    data: &Path,
    request: Request<Full<Bytes>>,
) -> ClientResult<(StatusCode, Bytes)> {
    exchange_http(connect_socket(data).await?, request).await
}

async fn connect_socket(data: &Path) -> ClientResult<UnixStream> {
    let connected = timeout(limits::CONNECT_MAX, socket::connect(data)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    connected.map_err(|source| {
        let data = data.to_owned();
        match source.kind() {
            // The socket is missing, or was left by a server that was killed.
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NoServer { data }
            }
            _ => ClientError::Unreachable { data, source },
        }
    })
}

async fn exchange_http<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> ClientResult<(StatusCode, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(lost_connection)?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(lost_connection)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::ANSWER_BODY_MAX)
            .collect()
            .await
            .map_err(ClientError::Lost)?;
        Ok((status, body.to_bytes()))
    };
    // `connection` moves the bytes and must be polled beside the exchange. It may finish first,
    // while the answer is already received and only has to be read.
    let mut connection = std::pin::pin!(connection);
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        closed = &mut connection => {
            closed.map_err(lost_connection)?;
            exchange.await
        }
    }
}

fn lost_connection(error: hyper::Error) -> ClientError {
    ClientError::Lost(Box::new(error))
}
