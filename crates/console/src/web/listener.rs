//! HTTPS listener of the console. Each of TCP, TLS and HTTP/1.1 has its limits, and an error on one
//! connection does not affect others.

use super::unproven::ConnectionPlace;
use super::{Web, app};
use crate::auth::RequestSource;
use crate::limits;
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_model::{Admission, AdmissionLimits, AdmissionPlace, LogBudget};
use tidegate_tls::{Handshakes, Turns, WebDoor};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Maximum numbers of connections to the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebPlaces {
    /// Connections without a valid session or key.
    pub unproven: u32,
    pub proven: usize,
}

impl Default for WebPlaces {
    fn default() -> Self {
        Self {
            unproven: limits::WEB_UNPROVEN_TOTAL,
            proven: limits::WEB_CONNECTIONS_MAX,
        }
    }
}

impl WebPlaces {
    /// Returns the descriptors that they take at most.
    pub fn descriptors_max(self) -> u64 {
        Admission::most(self.unproven.into()).saturating_add(self.proven as u64)
    }
}

/// Console server for listeners that are already bound.
#[derive(Clone)]
pub struct WebListener {
    app: Router,
    door: WebDoor,
    admission: Admission,
    handshakes: Handshakes,
    /// Places of connections with a valid session or key.
    proven: Arc<Semaphore>,
}

impl WebListener {
    /// `door` must offer only `http/1.1` by ALPN. `handshakes` is shared with the database's port.
    pub fn new(web: Web, door: WebDoor, handshakes: Handshakes, places: WebPlaces) -> Self {
        let admission = Admission::new(AdmissionLimits {
            per_source: limits::WEB_UNPROVEN_PER_SOURCE,
            total: places.unproven,
            memory: limits::WEB_UNPROVEN_MEMORY,
            late_max: 1,
        });
        let proven = Arc::new(Semaphore::new(places.proven));
        Self {
            app: app(web),
            door,
            admission,
            handshakes,
            proven,
        }
    }

    /// Serves until `stop`. Then open requests may finish within [`limits::GOODBYE_MAX`].
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    // Without a place, the connection is closed at once, before it costs anything.
                    let place = match self.admission.admit(peer.ip(), limits::WEB_UNPROVEN_COST) {
                        Ok(place) => place,
                        Err(full) => {
                            debug_stranger(peer, &format_args!("no place: {full}"));
                            continue;
                        }
                    };
                    let connection = self
                        .clone()
                        .serve_connection(tcp, peer, place, stop.clone());
                    tasks.spawn(connection);
                }
                Err(error) => {
                    if LogBudget::of_process().take() {
                        tracing::warn!(%error, "the console could not accept a connection");
                    }
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
        tasks.close();
        let _ = timeout(limits::GOODBYE_MAX, tasks.wait()).await;
    }

    async fn serve_connection(
        self,
        tcp: TcpStream,
        peer: SocketAddr,
        place: AdmissionPlace,
        stop: CancellationToken,
    ) {
        let eviction = place.eviction();
        tokio::select! {
            () = self.serve_admitted(tcp, peer, place, stop) => {}
            () = eviction.wait() => debug_stranger(peer, &"closed to make room for another"),
        }
    }

    async fn serve_admitted(
        self,
        tcp: TcpStream,
        peer: SocketAddr,
        place: AdmissionPlace,
        stop: CancellationToken,
    ) {
        let _ = tcp.set_nodelay(true);
        let mut turns = Turns::new(self.handshakes.clone(), *place.path(), place.is_known());
        let unproven = ConnectionPlace::new(place, self.proven.clone());
        // From here on, so that a slow handshake uses up the same time as slow requests.
        let over = tokio::time::Instant::now() + limits::WEB_UNPROVEN_LIFE;
        let tls = match timeout(limits::WEB_HANDSHAKE_MAX, self.door.accept(tcp, &mut turns)).await
        {
            Ok(Ok(Some(tls))) => tls,
            Ok(Ok(None)) => return debug_stranger(peer, &"answered a validation by the CA"),
            Ok(Err(error)) => return debug_stranger(peer, &format_args!("no TLS: {error}")),
            Err(_) => return debug_stranger(peer, &"no TLS handshake in time"),
        };
        let source = RequestSource::of(peer.ip());
        let app = TowerToHyperService::new(self.app);
        let connection_place = unproven.clone();
        // Handlers find the source and the place of their connection in the request.
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(source);
            request.extensions_mut().insert(connection_place.clone());
            app.call(request)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits::WEB_HEAD_MAX)
            .max_headers(limits::WEB_HEADERS_MAX);
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(tls), service));
        let over = async {
            tokio::time::sleep_until(over).await;
            // A session or key that was proved in time removes the limit.
            if unproven.is_proven() {
                std::future::pending().await
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = over => {
                connection.as_mut().graceful_shutdown();
                match timeout(limits::GOODBYE_MAX, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return debug_stranger(peer, &"no sign-in in time"),
                }
            }
        };
        if let Err(error) = ended {
            debug_stranger(peer, &format_args!("connection ended: {error}"));
        }
    }
}

/// Logs an event of a connection. Most of these connections have no session and no key, so the
/// lines share the budget for strangers.
fn debug_stranger(peer: SocketAddr, what: &dyn Display) {
    if tracing::enabled!(tracing::Level::DEBUG) && LogBudget::of_process().take() {
        tracing::debug!(%peer, "console: {what}");
    }
}
