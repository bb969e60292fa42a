//! The HTTPS listener: TCP, then TLS, then HTTP/1.1, each with its bound. One connection's trouble is never another's.

use super::{Web, app};
use crate::auth::Source;
use crate::limits;
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_tls::WebDoor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves the console on listeners that are bound already.
#[derive(Clone)]
pub struct WebListener {
    app: Router,
    door: WebDoor,
    places: Arc<Semaphore>,
}

impl WebListener {
    /// The door must offer `http/1.1` by ALPN and nothing of MySQL.
    pub fn new(web: Web, door: WebDoor) -> Self {
        let places = Arc::new(Semaphore::new(limits::WEB_CONNECTIONS_MAX));
        Self { app: app(web), door, places }
    }

    /// Until `stop`; then open requests have a moment to end.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    // Over the bound the newcomer is closed at once, which costs nothing.
                    let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { continue };
                    let (this, stop) = (self.clone(), stop.clone());
                    tasks.spawn(async move {
                        this.one(tcp, peer, stop).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the console could not accept a connection");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
        tasks.close();
        let _ = timeout(limits::GOODBYE_MAX, tasks.wait()).await;
    }

    async fn one(self, tcp: TcpStream, peer: SocketAddr, stop: CancellationToken) {
        let _ = tcp.set_nodelay(true);
        let tls = match timeout(limits::WEB_HANDSHAKE_MAX, self.door.accept(tcp)).await {
            Ok(Ok(Some(tls))) => tls,
            Ok(Ok(None)) => return tracing::debug!(%peer, "console: a CA's validator was answered"),
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "console: no TLS"),
            Err(_) => return tracing::debug!(%peer, "console: no TLS in time"),
        };
        let (source, app) = (Source::of(peer.ip()), TowerToHyperService::new(self.app));
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(source);
            app.call(request)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits::WEB_HEAD_MAX).max_headers(limits::WEB_HEADERS_MAX);
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(tls), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "console: connection ended");
        }
    }
}
