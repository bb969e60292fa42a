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
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
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
        // As on the database's port, accepting takes turns with the handshakes of strangers, so
        // that a flood of connections leaves time to the sessions.
        let mut turns = Turns::of_accept_loop(self.handshakes.clone());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    let turn = tokio::select! {
                        () = stop.cancelled() => break,
                        turn = turns.turn() => turn,
                    };
                    // None if the runtime stops.
                    let Some(turn) = turn else { break };
                    turn.run_and_charge(|| {
                        self.start_connection(&tasks, tcp, peer, &stop);
                        let connections = 1 + self.accept_waiting(&tasks, &listener, &stop);
                        ((), limits::WEB_CONNECTION_WORK * connections)
                    });
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

    /// Accepts connections that wait already, as many as one turn may, and returns their number.
    fn accept_waiting(
        &self,
        tasks: &TaskTracker,
        listener: &TcpListener,
        stop: &CancellationToken,
    ) -> u32 {
        let mut now_only = Context::from_waker(Waker::noop());
        for accepted in 0..limits::WEB_ACCEPTS_PER_TURN - 1 {
            // An error comes again at the next accept, which reports it.
            let Poll::Ready(Ok((tcp, peer))) = listener.poll_accept(&mut now_only) else {
                return accepted;
            };
            self.start_connection(tasks, tcp, peer, stop);
        }
        limits::WEB_ACCEPTS_PER_TURN - 1
    }

    fn start_connection(
        &self,
        tasks: &TaskTracker,
        tcp: TcpStream,
        peer: SocketAddr,
        stop: &CancellationToken,
    ) {
        // Without a place, the connection is closed at once, before it costs anything.
        match self.admission.admit(peer.ip(), limits::WEB_UNPROVEN_COST) {
            Ok(place) => {
                let this = self.clone();
                tasks.spawn(this.serve_connection(tcp, peer, place, stop.clone()));
            }
            Err(full) => debug_stranger(peer, &format_args!("no place: {full}")),
        }
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
        let path = *place.path();
        let known = place.is_known();
        let mut turns = Turns::new(self.handshakes.clone(), path, known);
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
        let handshakes = self.handshakes;
        // Handlers find the source and the place of their connection in the request.
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(source);
            request.extensions_mut().insert(connection_place.clone());
            let unproven = !connection_place.is_proven();
            let turns = unproven.then(|| Turns::new(handshakes.clone(), path, known));
            begin_in_turn(turns, app.call(request))
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

/// Runs work. With turns, its first step happens in one of them, which is charged for it: a page
/// is made in that step, and strangers' requests must leave time to the sessions too.
async fn begin_in_turn<F: Future>(turns: Option<Turns>, work: F) -> F::Output {
    let mut work = std::pin::pin!(work);
    if let Some(mut turns) = turns {
        let mut turn = turns.turn().await;
        let first = poll_fn(|cx| {
            Poll::Ready(match turn.take() {
                Some(turn) => turn.run(|| work.as_mut().poll(cx)),
                // The runtime stops.
                None => work.as_mut().poll(cx),
            })
        });
        if let Poll::Ready(done) = first.await {
            return done;
        }
    }
    work.await
}

/// Logs an event of a connection. Most of these connections have no session and no key, so the
/// lines share the budget for strangers.
fn debug_stranger(peer: SocketAddr, what: &dyn Display) {
    if tracing::enabled!(tracing::Level::DEBUG) && LogBudget::of_process().take() {
        tracing::debug!(%peer, "console: {what}");
    }
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
