//! The gateway: the accept loop, the life of each connection, and the record of its end.

use crate::arrival::Arrival;
use crate::connection::{Connection, evicted};
use crate::limits;
use crate::settings::GatewaySettings;
use crate::shared::{Deps, GatewayShared, RandomError};
use crate::stages::accepted::Accepted;
use crate::stages::attached::Attached;
use crate::stages::authenticated::Authenticated;
use crate::stages::greeted::Greeted;
use crate::stages::identified::Identified;
use crate::stages::relaying::{RelayLeft, Relaying};
use crate::stages::secured::Secured;
use futures_util::FutureExt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tidegate_model::journal::{ConnectionClosed, ConnectionFacts, Ending};
use tidegate_model::{Event, LogBudget};
use tidegate_tls::{Handshakes, Turns};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// Gateway of a server. One for all listeners; cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<GatewayShared>,
    tasks: TaskTracker,
}

impl Gateway {
    pub fn new(settings: GatewaySettings, deps: Deps) -> Result<Self, RandomError> {
        Ok(Self {
            shared: Arc::new(GatewayShared::new(settings, deps)?),
            tasks: TaskTracker::new(),
        })
    }

    /// Returns the scheduler of this gateway's TLS handshakes. Other listeners of the server take
    /// their turns from it too, so that all handshakes together leave time to the sessions.
    pub fn handshakes(&self) -> Handshakes {
        self.shared.handshakes.clone()
    }

    /// Replaces the key from which the behaviour of unknown prefixes is derived.
    pub fn set_decoy_key(&self, key: Zeroizing<[u8; 32]>) {
        self.shared.decoy.set_key(key);
    }

    /// Accepts connections until `until` is cancelled. A failed accept is logged and repeated after
    /// a pause.
    pub async fn serve(&self, listener: TcpListener, until: CancellationToken) {
        set_socket_options(&listener);
        // On a listener for one address, all connections have its local address: a system call per
        // connection less.
        let local = listener
            .local_addr()
            .ok()
            .filter(|a| !a.ip().is_unspecified());
        // Accepting takes turns with the handshakes of strangers, so that a flood of connections
        // leaves time to the sessions.
        let mut turns = Turns::of_accept_loop(self.shared.handshakes.clone());
        loop {
            let accepted = tokio::select! {
                biased;
                () = until.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    // This semaphore is never closed. The wait is short: a connection gives its
                    // permit back as soon as it has a place.
                    let arriving = Arc::clone(&self.shared.arriving).acquire_owned().await;
                    let turn = tokio::select! {
                        biased;
                        () = until.cancelled() => return,
                        turn = turns.turn() => turn,
                    };
                    let accept = || {
                        self.start_connection(tcp, peer, local, arriving.ok());
                        // A whole turn of accepts takes about as long as a stranger's handshake in
                        // the next one.
                        let connections = 1 + self.accept_waiting(&listener, local);
                        ((), limits::CONNECTION_WORK * connections)
                    };
                    match turn {
                        Some(turn) => turn.run_and_charge(accept),
                        // The runtime stops.
                        None => return,
                    }
                }
                Err(e) => {
                    // Strangers can cause this error again and again, by using up the descriptors.
                    if LogBudget::of_process().take() {
                        tracing::warn!(error = %e, "accept failed");
                    }
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Accepts connections that wait already, as many as one turn may, and returns their number.
    fn accept_waiting(&self, listener: &TcpListener, local: Option<SocketAddr>) -> u32 {
        for accepted in 0..limits::ACCEPTS_PER_TURN - 1 {
            let Ok(arriving) = Arc::clone(&self.shared.arriving).try_acquire_owned() else {
                return accepted;
            };
            // An error comes again at the next accept, which reports it.
            let Some(Ok((tcp, peer))) = listener.accept().now_or_never() else {
                return accepted;
            };
            self.start_connection(tcp, peer, local, Some(arriving));
        }
        limits::ACCEPTS_PER_TURN - 1
    }

    fn start_connection(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        local: Option<SocketAddr>,
        arriving: Option<OwnedSemaphorePermit>,
    ) {
        let accepted = Instant::now();
        let Some(local) = local.or_else(|| tcp.local_addr().ok()) else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let arrival = Arrival {
            tcp,
            peer,
            local,
            accepted,
            arriving,
        };
        self.tasks.spawn(run_connection(shared, arrival));
    }

    /// Tells every session that the server stops, and waits until all have ended, at most for the
    /// grace of busy sessions plus the time to tell their clients.
    pub async fn stop(&self) {
        // Logins in progress end by the token. Sessions end by the registry, after their command.
        self.shared.stop.cancel();
        self.shared.sessions.stop_all();
        self.tasks.close();
        let most = self.shared.settings.stop_grace + limits::LINGER + limits::REFUSAL_WRITE;
        if tokio::time::timeout(most, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                left = self.tasks.len(),
                "sessions were cut: they did not end within the grace period"
            );
        }
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &GatewayShared {
        &self.shared
    }
}

/// Sets the options of all connections: small packets leave at once, and keepalive probes notice a
/// peer that vanished behind a NAT. Connections inherit the options of their listener (tcp(7)),
/// which saves five system calls for each.
fn set_socket_options(listener: &TcpListener) {
    use rustix::net::sockopt;
    let set = [
        sockopt::set_tcp_nodelay(listener, true),
        sockopt::set_socket_keepalive(listener, true),
        sockopt::set_tcp_keepidle(listener, limits::KEEPALIVE_IDLE),
        sockopt::set_tcp_keepintvl(listener, limits::KEEPALIVE_INTERVAL),
        sockopt::set_tcp_keepcnt(listener, limits::KEEPALIVE_PROBES),
    ];
    if let Some(error) = set.into_iter().find_map(Result::err) {
        tracing::warn!(%error, "setting a socket option failed");
    }
}

/// Runs a connection to its end, and records how it ended.
async fn run_connection(shared: Arc<GatewayShared>, mut arrival: Arrival) {
    let Arrival {
        peer,
        local,
        accepted,
        ..
    } = arrival;
    let mut facts = ConnectionFacts::default();
    let (session, client, end) = match arrival.client_address(&shared).await {
        Ok(client) => {
            let connection = Connection {
                guard: shared.sessions.open(client),
                shared: Arc::clone(&shared),
                client,
                local,
                accepted,
                place: None,
                arriving: arrival.arriving.take(),
                session_place: None,
            };
            let session = connection.guard.id();
            // A panic is a bug; it ends this connection, not the server.
            let run = AssertUnwindSafe(run_stages(connection, arrival.tcp, &mut facts));
            let end = run.catch_unwind().await.unwrap_or(Ending::Panicked);
            (session, client, end)
        }
        // It never became a session, but its line in the log needs an id too.
        Err(end) => (shared.sessions.open(peer).id(), peer, end),
    };
    let closed = ConnectionClosed {
        session,
        client,
        via: (client != peer).then_some(peer),
        facts,
        open: accepted.elapsed(),
        end,
    };
    shared
        .journal
        .record(&Event::ConnectionClosed(Box::new(closed)));
}

/// Runs the stages of a connection, one after the other.
async fn run_stages(connection: Connection, tcp: TcpStream, facts: &mut ConnectionFacts) -> Ending {
    let stop = connection.shared.stop.clone();
    let accepted = match Accepted::take_place(connection, tcp).await {
        Ok(accepted) => accepted,
        Err(ending) => return ending,
    };
    let eviction = accepted.connection.evicted();
    // A box per step: of the connections that were only greeted there may be thousands, and none of
    // them keeps room for the steps that come later.
    let login = async {
        let greeted = Greeted::send_greeting(accepted).await?;
        let secured = Secured::shake_hands(greeted, facts).await?;
        let identified = Box::pin(Identified::read_login(secured, facts)).await?;
        let authenticated = Box::pin(Authenticated::check_password(identified, facts)).await?;
        let mut none = None;
        let open = Attached::open_session(authenticated, &mut none, facts);
        let attached = Box::pin(open).await?;
        // Boxed: each session keeps the place of this result.
        let relaying = Box::pin(Relaying::confirm_login(attached)).await?;
        Ok(Box::new(relaying))
    };
    let mut relaying = tokio::select! {
        biased;
        relaying = Box::pin(login) => relaying,
        () = stop.cancelled() => return Ending::Shutdown,
        // The stages watch for eviction too, before this branch: they tell the client where an
        // error packet fits. In all others the connection just ends.
        () = eviction => return evicted(),
    };
    loop {
        let left = match relaying {
            Ok(relaying) => Box::pin(relaying.run(facts)).await,
            Err(ending) => return ending,
        };
        relaying = match left {
            RelayLeft::Ended(ending) => return ending,
            RelayLeft::Changing(changing) => Box::pin(changing.log_in(facts)).await.map(Box::new),
        };
    }
}
