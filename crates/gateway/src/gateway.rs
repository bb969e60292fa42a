//! The gateway: what all connections share, the accept loop, and the one line each connection ends
//! in.

use crate::arrival::Arrival;
use crate::connection::{Connection, evicted};
use crate::limits;
use crate::settings::GatewaySettings;
use crate::shared::{Deps, RandomError, Shared};
use crate::stages::accepted::Accepted;
use crate::stages::attached::Attached;
use crate::stages::authenticated::Authenticated;
use crate::stages::greeted::Greeted;
use crate::stages::identified::Identified;
use crate::stages::relaying::Relaying;
use crate::stages::secured::Secured;
use futures_util::FutureExt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tidegate_model::Event;
use tidegate_model::journal::{ConnectionClosed, ConnectionFacts, Ending};
use tidegate_tls::Handshakes;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Cheap to clone; one for all listeners.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Gateway {
    pub fn new(settings: GatewaySettings, deps: Deps) -> Result<Self, RandomError> {
        Ok(Self {
            shared: Arc::new(Shared::new(settings, deps)?),
            tasks: TaskTracker::new(),
        })
    }

    /// Returns the turns that TLS handshakes take beside this gateway's sessions: other listeners'
    /// take part in them.
    pub fn handshakes(&self) -> Handshakes {
        self.shared.handshakes.clone()
    }

    /// Accepts until `until` is cancelled. Never ends by itself: a failed accept pauses and goes
    /// on.
    pub async fn serve(&self, listener: TcpListener, until: CancellationToken) {
        prepare(&listener);
        // A listener on one address needs not ask each connection where it came in.
        let local = listener
            .local_addr()
            .ok()
            .filter(|a| !a.ip().is_unspecified());
        loop {
            let accepted = tokio::select! {
                biased;
                () = until.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => self.take(tcp, peer, local),
                Err(e) => {
                    tracing::warn!(error = %e, "accept failed");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, tcp: TcpStream, peer: SocketAddr, local: Option<SocketAddr>) {
        let accepted = Instant::now();
        let Some(local) = local.or_else(|| tcp.local_addr().ok()) else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move {
            let arrival = Arrival {
                tcp,
                peer,
                local,
                accepted,
            };
            run_connection(shared, arrival).await;
        });
    }

    /// Tells every session that the server stops, and waits until the last has ended. Bounded by
    /// the grace for busy sessions and the linger of those that were told.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.sessions.stop_all();
        self.tasks.close();
        let most = self.shared.settings.stop_grace + limits::LINGER + limits::REFUSAL_WRITE;
        if tokio::time::timeout(most, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                left = self.tasks.len(),
                "sessions cut at the end of the grace"
            );
        }
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// Small packets leave at once; a peer that is gone behind a NAT is noticed. Set on the listener,
/// whose connections inherit it (tcp(7)): five system calls less for each.
fn prepare(listener: &TcpListener) {
    use rustix::net::sockopt;
    let set = [
        sockopt::set_tcp_nodelay(listener, true),
        sockopt::set_socket_keepalive(listener, true),
        sockopt::set_tcp_keepidle(listener, limits::KEEPALIVE_IDLE),
        sockopt::set_tcp_keepintvl(listener, limits::KEEPALIVE_INTERVAL),
        sockopt::set_tcp_keepcnt(listener, limits::KEEPALIVE_PROBES),
    ];
    if let Some(error) = set.into_iter().find_map(Result::err) {
        tracing::warn!(%error, "a socket option was refused");
    }
}

/// Runs one connection to its end, and records how it ended.
async fn run_connection(shared: Arc<Shared>, mut arrival: Arrival) {
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
            };
            let session = connection.guard.id();
            // A panic is a bug of ours; it ends this connection, not the server.
            let run = AssertUnwindSafe(run_stages(connection, arrival.tcp, &mut facts));
            let end = run.catch_unwind().await.unwrap_or(Ending::Panicked);
            (session, client, end)
        }
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

async fn run_stages(connection: Connection, tcp: TcpStream, facts: &mut ConnectionFacts) -> Ending {
    let stop = connection.shared.stop.clone();
    let accepted = match Accepted::take_place(connection, tcp).await {
        Ok(accepted) => accepted,
        Err(ending) => return ending,
    };
    let eviction = accepted.connection.evicted();
    let login = async {
        let greeted = Greeted::send_greeting(accepted).await?;
        let secured = Secured::shake_hands(greeted, facts).await?;
        let identified = Identified::read_login(secured, facts).await?;
        let authenticated = Authenticated::check_password(identified, facts).await?;
        let attached = Attached::open_session(authenticated, facts).await?;
        Relaying::confirm_login(attached).await
    };
    let relaying = tokio::select! {
        biased;
        relaying = Box::pin(login) => relaying,
        () = stop.cancelled() => return Ending::Shutdown,
        // Stages that can say so to the client have done it; in all others the connection just
        // ends.
        () = eviction => return evicted(),
    };
    match relaying {
        Ok(relaying) => Box::pin(relaying.run(facts)).await,
        Err(ending) => ending,
    }
}
