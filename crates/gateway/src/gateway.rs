//! The gateway: what all connections share, the accept loop, and the one line each connection ends
//! in.

use crate::decoy::Decoy;
use crate::failures::Failures;
use crate::held::HeldBudgets;
use crate::limits;
use crate::reading_turns::ReadingTurns;
use crate::settings::GatewaySettings;
use crate::source::{self, Admission};
use crate::stages;
use crate::stages::accepted::{Accepted, Arrival};
use futures_util::FutureExt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tidegate_model::journal::{ConnectionClosed, ConnectionFacts, Ending};
use tidegate_model::{Directory, Event, Journal, SessionGuard, SessionId, Sessions, Waker};
use tidegate_tls::Handshakes;
use tidegate_wire::capabilities;
use tidegate_wire::greeting::{Greeting, salt_from_random};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// `utf8mb4_general_ci`: what a greeting names is a default that every client overrides.
const COLLATION: u8 = 45;
/// SERVER_STATUS_AUTOCOMMIT.
const STATUS: u16 = 2;

/// What the gateway needs of the other rooms.
pub struct Deps {
    pub directory: Arc<dyn Directory>,
    pub waker: Arc<dyn Waker>,
    pub journal: Arc<dyn Journal>,
    pub sessions: Sessions,
    pub tls: Arc<rustls::ServerConfig>,
    /// Key of the behaviour of unknown prefixes. Must survive restarts: a name that behaves
    /// otherwise after one does not exist.
    pub decoy_key: Zeroizing<[u8; 32]>,
}

pub(crate) struct Shared {
    pub settings: GatewaySettings,
    pub directory: Arc<dyn Directory>,
    pub waker: Arc<dyn Waker>,
    pub journal: Arc<dyn Journal>,
    pub sessions: Sessions,
    pub tls: Arc<rustls::ServerConfig>,
    pub admission: Admission,
    pub handshakes: Handshakes,
    pub held: HeldBudgets,
    /// For connections whose PROXY header is waited for.
    pub headers: Semaphore,
    pub failures: Failures,
    pub decoy: Decoy,
    pub reading_turns: ReadingTurns,
    /// Set when the server stops: logins under way end. Sessions that relay are told by the
    /// registry.
    pub stop: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
#[error("the system's random source gave nothing")]
pub struct RandomError;

impl Shared {
    pub fn salt(&self) -> Result<[u8; 20], RandomError> {
        let mut random = [0; 20];
        getrandom::fill(&mut random).map_err(|_| RandomError)?;
        Ok(salt_from_random(random))
    }

    pub fn greeting(&self, id: SessionId, salt: [u8; 20]) -> Greeting {
        Greeting {
            version: self.settings.server_version.clone().into_bytes(),
            connection_id: id.0,
            salt,
            capabilities: capabilities::OFFERED,
            collation: COLLATION,
            status: STATUS,
            plugin: b"caching_sha2_password".to_vec(),
        }
    }
}

/// Cheap to clone; one for all listeners.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Gateway {
    pub fn new(settings: GatewaySettings, deps: Deps) -> Result<Self, RandomError> {
        let admission = source::admission(&settings);
        let held =
            HeldBudgets::new(usize::try_from(settings.held_per_cluster).unwrap_or(usize::MAX));
        let shared = Shared {
            settings,
            directory: deps.directory,
            waker: deps.waker,
            journal: deps.journal,
            sessions: deps.sessions,
            tls: deps.tls,
            admission,
            handshakes: Handshakes::default(),
            held,
            headers: Semaphore::new(limits::PROXY_WAITING_MAX),
            failures: Failures::default(),
            decoy: Decoy::new(deps.decoy_key).map_err(|_| RandomError)?,
            reading_turns: ReadingTurns::default(),
            stop: CancellationToken::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
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
            connection(shared, arrival).await;
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

async fn connection(shared: Arc<Shared>, mut arrival: Arrival) {
    let peer = arrival.peer;
    let accepted = arrival.accepted;
    let mut facts = ConnectionFacts::default();
    let (session, client, end) = match arrival.client(&shared).await {
        Ok(client) => {
            let guard = shared.sessions.open(client);
            let session = guard.id();
            // A panic is a bug of ours; it ends this connection, not the server.
            let run = AssertUnwindSafe(stages(
                Arc::clone(&shared),
                arrival,
                client,
                guard,
                &mut facts,
            ))
            .catch_unwind();
            (session, client, run.await.unwrap_or(Ending::Panicked))
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

async fn stages(
    shared: Arc<Shared>,
    arrival: Arrival,
    client: SocketAddr,
    guard: SessionGuard,
    facts: &mut ConnectionFacts,
) -> Ending {
    let stop = shared.stop.clone();
    let accepted = match Accepted::admit(arrival, client, shared, guard).await {
        Ok(accepted) => accepted,
        Err(ending) => return ending,
    };
    let eviction = accepted.place.eviction();
    let login = async {
        let greeted = accepted.greet(facts).await?;
        let secured = greeted.secure(facts).await?;
        let identified = secured.identify(facts).await?;
        let authenticated = identified.authenticate(facts).await?;
        let attached = authenticated.attach(facts).await?;
        attached.relay(facts).await
    };
    let relaying = tokio::select! {
        biased;
        relaying = Box::pin(login) => relaying,
        () = stop.cancelled() => return Ending::Shutdown,
        // Stages that can say so to the client have done it; in all others the connection just
        // ends.
        () = eviction.wait() => return stages::evicted(),
    };
    match relaying {
        Ok(relaying) => Box::pin(relaying.run(facts)).await,
        Err(ending) => ending,
    }
}
