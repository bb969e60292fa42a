//! Relaying: bytes pass in both directions until one side closes, the cluster goes to sleep, the
//! session is killed, or the server stops.

use super::attached::Attached;
use super::changing::Changing;
use super::identified::Identified;
use crate::compression::ClientCompression;
use crate::connection::Connection;
use crate::endings::closed_by_engine;
use crate::limits;
use crate::relay::{EngineLeg, RelayDriver, RelayEnd, SessionPeers};
use crate::shared::GatewayShared;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{
    AdmissionPlace, EngineSession, Lease, Refusal, RefusalKind, SessionGuard, YieldRequest,
    YieldVerdict,
};
use tidegate_tls::RunningSession;
use tidegate_wire::compression::Method;
use tidegate_wire::packet::write_packet;
use tidegate_wire::relay::Relay;
use tidegate_wire::server::SessionTerms;
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, timeout_at};

pub(crate) struct Relaying {
    pub driver: RelayDriver,
    pub lease: Lease,
    pub guard: SessionGuard,
    pub shared: Arc<GatewayShared>,
    /// Registration with the TLS scheduler, which leaves time to sessions while many handshakes
    /// wait.
    pub _running: RunningSession,
    pub place: Option<OwnedSemaphorePermit>,
    /// Needs of a later change of the user.
    pub terms: SessionTerms,
    pub client: SocketAddr,
    pub local: SocketAddr,
}

/// State of a session that does not relay any more.
pub(crate) enum RelayLeft {
    Ended(Ending),
    /// The client begins to log in as another user.
    Changing(Box<Changing>),
}

/// Reason why a session stops relaying.
enum RelayStop {
    End(Ending),
    /// The client changes the user, and has this place among the unproven connections.
    Change(AdmissionPlace),
}

/// Requests from outside for which a session still waits.
struct OutsideWaits {
    /// The engine may still ask the session to yield.
    leased: bool,
    /// Time that is left to a busy session while the server stops.
    grace: Option<Pin<Box<Sleep>>>,
}

/// Event that interrupts the relay.
enum SessionEvent {
    Ended(RelayEnd),
    Killed,
    Yield(Option<YieldRequest>),
    Stop,
    GraceOver,
}

impl RelayStop {
    fn refused(kind: RefusalKind, detail: Option<String>) -> Self {
        Self::End(Ending::Refused { kind, detail })
    }
}

impl Relaying {
    /// Tells the client that it is logged in, and starts the relay.
    pub async fn confirm_login(attached: Attached) -> Result<Self, Ending> {
        let Attached {
            identified,
            proven,
            lease,
            engine,
        } = attached;
        let Identified {
            connection,
            mut tls,
            salt,
            login,
            zstd_level,
            ..
        } = identified;
        let mut out = Vec::new();
        let mut seq = login.next_seq;
        write_packet(&mut seq, &engine.ok_payload, &mut out);
        let sent = timeout_at(Instant::now() + limits::REFUSAL_WRITE, async {
            tls.write_all(&out).await?;
            tls.flush().await
        })
        .await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(Ending::ClientGone(
                "it closed before its login was confirmed".to_owned(),
            ));
        }
        let Connection {
            shared,
            guard,
            session_place,
            client,
            local,
            ..
        } = connection;
        let engine_session = EngineSession::of_single(lease.run, engine.session);
        guard.attached(engine_session);
        let peers = SessionPeers {
            cluster: proven.tenant.cluster,
            user: proven.user,
            engine_session,
            sessions: shared.sessions.clone(),
            wording: Arc::clone(&shared.settings.wording),
            ping_holds: proven.tenant.ping_holds,
            at_disk_limit: lease.at_disk_limit.clone(),
            held: shared.held.session(proven.tenant.cluster),
            records_max: shared.settings.tls12_records_max,
        };
        let mut parts = tls.into_parts();
        // It begins behind the first login, and goes on through a change of the user.
        if parts.compression.is_none() {
            let method = Method::of(login.capabilities, zstd_level);
            parts.compression = method.map(|method| Box::new(ClientCompression::new(method)));
        }
        let driver = RelayDriver::new(
            parts,
            EngineLeg::new(engine.stream, engine.tls, engine.records),
            Relay::new(login.capabilities, engine.ok.status),
            peers,
            lease.reporter(),
        );
        let running = shared.handshakes.session();
        Ok(Self {
            driver,
            lease,
            guard,
            shared,
            _running: running,
            place: session_place,
            terms: SessionTerms {
                salt,
                capabilities: login.capabilities,
                max_packet: login.max_packet,
            },
            client,
            local,
        })
    }

    /// Relays until the session ends, and closes it, or until the client changes the user.
    pub async fn run(mut self, facts: &mut ConnectionFacts) -> RelayLeft {
        let stop = self.until_stop().await;
        facts.bytes_from_client += self.driver.bytes_from_client;
        facts.bytes_to_client += self.driver.bytes_to_client;
        match stop {
            // Boxed: its future is large, and would enlarge every idle session.
            RelayStop::End(ending) => RelayLeft::Ended(Box::pin(self.close(ending)).await),
            RelayStop::Change(place) => RelayLeft::Changing(Box::new(Changing::begin(self, place))),
        }
    }

    async fn until_stop(&mut self) -> RelayStop {
        let mut waits = OutsideWaits {
            leased: true,
            grace: None,
        };
        loop {
            match poll_fn(|cx| self.poll_event(cx, &mut waits)).await {
                SessionEvent::Ended(end) => return self.relay_ended(end).await,
                SessionEvent::Killed => return RelayStop::End(Ending::Killed),
                SessionEvent::Yield(None) if self.lease.yields_memory() => {
                    return RelayStop::refused(RefusalKind::MemoryShare, None);
                }
                // The engine is stopping or dead, so its socket will close.
                SessionEvent::Yield(None) => waits.leased = false,
                SessionEvent::Yield(Some(request))
                    if self.driver.may_yield(request.past_idle_transaction) =>
                {
                    // Nothing is relayed during this wait: a command sent now could reach an engine
                    // that is going to sleep.
                    if request.yes().await == YieldVerdict::Evicted {
                        return RelayStop::End(Ending::Evicted);
                    }
                }
                SessionEvent::Yield(Some(request)) => request.no(),
                SessionEvent::Stop => {
                    self.driver.stopping = true;
                    // Boxed: a timer in place would enlarge every session.
                    waits.grace = Some(Box::pin(tokio::time::sleep(
                        self.shared.settings.stop_grace,
                    )));
                }
                SessionEvent::GraceOver => return RelayStop::End(Ending::Shutdown),
            }
        }
    }

    async fn relay_ended(&self, end: RelayEnd) -> RelayStop {
        match end {
            RelayEnd::Told(ending) => RelayStop::End(ending),
            RelayEnd::EngineClosed { detail } => {
                let waker = &*self.shared.waker;
                // Boxed: its future would enlarge every idle session.
                let kind = Box::pin(closed_by_engine(waker, &self.guard, &self.lease)).await;
                RelayStop::refused(kind, detail)
            }
            // From here on, the client costs what one costs that has only done its handshake.
            RelayEnd::ChangeUser => {
                let admission = &self.shared.admission;
                match admission.admit(self.client.ip(), limits::COST_SECURED) {
                    Ok(place) => RelayStop::Change(place),
                    Err(full) => {
                        let kind = RefusalKind::TooManyFromAddress;
                        RelayStop::refused(kind, Some(full.to_string()))
                    }
                }
            }
        }
    }

    /// Moves bytes first, then checks for requests from outside. All of it happens after every
    /// wake-up, which is cheap: it takes no lock and touches nothing that sessions share.
    fn poll_event(&mut self, cx: &mut Context<'_>, waits: &mut OutsideWaits) -> Poll<SessionEvent> {
        if let Poll::Ready(end) = self.driver.poll_relay(cx) {
            return Poll::Ready(SessionEvent::Ended(end));
        }
        let asked = self.guard.poll_asked(cx);
        if asked.killed {
            return Poll::Ready(SessionEvent::Killed);
        }
        if waits.leased
            && let Poll::Ready(request) = self.lease.poll_yield_request(cx)
        {
            return Poll::Ready(SessionEvent::Yield(request));
        }
        match &mut waits.grace {
            None if asked.stopping => Poll::Ready(SessionEvent::Stop),
            None => Poll::Pending,
            Some(grace) => grace.as_mut().poll(cx).map(|()| SessionEvent::GraceOver),
        }
    }

    /// Sends the last error packet, where there is one and it fits into the stream, and closes. The
    /// lease and the engine's socket are released first, since the client may be slow.
    async fn close(self, ending: Ending) -> Ending {
        let Self {
            mut driver,
            lease,
            guard,
            shared,
            _running,
            place: _place,
            ..
        } = self;
        let outstanding = !driver.at_boundary();
        let cut = match ending {
            Ending::ClientGone(_) | Ending::Killed | Ending::Shutdown => true,
            Ending::Refused { kind, .. } => !is_engines_end(kind),
            _ => false,
        };
        // Otherwise the engine would finish a long command for a client that is gone.
        if outstanding && cut {
            shared
                .waker
                .end_session(lease.cluster, driver.engine_session());
        }
        let last_error = match &ending {
            Ending::Evicted => Some(RefusalKind::ClusterSleeps),
            Ending::Killed => Some(RefusalKind::SessionKilled),
            Ending::Shutdown => Some(RefusalKind::ServerStopping),
            // Only this session ended, and the client knows why.
            Ending::Refused { kind, .. }
                if is_engines_end(*kind) && driver.engine_said_goodbye() =>
            {
                None
            }
            Ending::Refused { kind, .. } => Some(*kind),
            _ => None,
        };
        let sent = last_error.filter(|_| driver.error_fits());
        if let Some(kind) = sent {
            driver.seal_error(&Refusal::new(kind));
        }
        let RelayDriver {
            mut client, engine, ..
        } = driver;
        drop(engine);
        drop(lease);
        drop(guard);
        if matches!(
            ending,
            Ending::Refused {
                kind: RefusalKind::UnreadAnswers,
                ..
            }
        ) {
            // The session ends to free its memory, so it must not wait for a client that does not
            // read.
            let taken = poll_fn(|cx| Poll::Ready(client.poll_flush(cx).is_ready())).await;
            if !taken {
                return ending;
            }
        }
        let linger = match (&ending, sent) {
            // The engine's own last error may be on its way to a client that is still sending.
            (Ending::Refused { kind, .. }, _) if is_engines_end(*kind) => Some(limits::LINGER),
            (_, None) => None,
            // A stop of the server must not wait long for idle clients.
            (Ending::Shutdown, _) => Some(limits::LINGER_AT_STOP),
            _ => Some(limits::LINGER),
        };
        client.close(linger).await;
        ending
    }
}

/// Whether the engine has closed the session by itself.
fn is_engines_end(kind: RefusalKind) -> bool {
    matches!(
        kind,
        RefusalKind::ClosedByEngine | RefusalKind::KilledInSql | RefusalKind::EngineLost
    )
}
