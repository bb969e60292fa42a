//! Relaying: bytes flow until one side ends it, the cluster sleeps, somebody kills the session, or
//! the server stops.

use super::attached::Attached;
use super::identified::Identified;
use crate::connection::Connection;
use crate::limits;
use crate::relay::{ClientLeg, Driver, EngineLeg, Peers};
use crate::shared::Shared;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{
    EngineSessionId, Lease, Refusal, RefusalKind, SessionGuard, Verdict, YieldRequest,
};
use tidegate_tls::RunningSession;
use tidegate_wire::packet::write_packet;
use tidegate_wire::relay::Relay;
use tidegate_wire::response::OkPacket;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, Sleep, timeout_at};

pub(crate) struct Relaying {
    pub driver: Driver,
    pub lease: Lease,
    pub guard: SessionGuard,
    pub shared: Arc<Shared>,
    /// Strangers' handshakes leave this session its time.
    pub _running: RunningSession,
}

/// What else than bytes a session still waits for.
struct Waits {
    leased: bool,
    grace: Option<Pin<Box<Sleep>>>,
}

enum Event {
    Ended(Ending),
    Killed,
    Yield(Option<YieldRequest>),
    Stop,
    GraceOver,
}

impl Relaying {
    /// Tells the client that it is in, and joins the two legs.
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
            login,
            ..
        } = identified;
        // Nothing of the engine's handshake reaches the client but its status: the OK is ours.
        let ok = OkPacket {
            status: engine.ok.status,
            ..OkPacket::default()
        };
        let mut out = Vec::new();
        let mut seq = login.next_seq;
        write_packet(&mut seq, &ok.encode(login.capabilities), &mut out);
        let sent = timeout_at(Instant::now() + limits::REFUSAL_WRITE, async {
            tls.write_all(&out).await?;
            tls.flush().await
        })
        .await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(Ending::ClientGone(
                "left before it was told that it is in".to_owned(),
            ));
        }
        let Connection { shared, guard, .. } = connection;
        let engine_session = EngineSessionId(engine.session);
        guard.attached(engine_session);
        let peers = Peers {
            cluster: proven.tenant.cluster,
            user: proven.user,
            engine_session,
            sessions: shared.sessions.clone(),
            wording: Arc::clone(&shared.settings.wording),
            held: shared.held.session(proven.tenant.cluster),
        };
        let (tcp, tls) = tls.into_parts();
        let driver = Driver::new(
            ClientLeg::new(tcp, tls),
            EngineLeg::new(engine.stream),
            Relay::new(login.capabilities, engine.ok.status),
            peers,
            lease.reporter(),
            shared.settings.tls12_records_max,
        );
        let running = shared.handshakes.session();
        Ok(Self {
            driver,
            lease,
            guard,
            shared,
            _running: running,
        })
    }

    pub async fn run(mut self, facts: &mut ConnectionFacts) -> Ending {
        let ending = self.until_end().await;
        facts.bytes_from_client = self.driver.bytes_from_client;
        facts.bytes_to_client = self.driver.bytes_to_client;
        // Boxed: its future is large, and an idle session should not hold room for its goodbye.
        Box::pin(self.say_goodbye(ending)).await
    }

    async fn until_end(&mut self) -> Ending {
        let mut waits = Waits {
            leased: true,
            grace: None,
        };
        loop {
            match poll_fn(|cx| self.poll_event(cx, &mut waits)).await {
                Event::Ended(ending) => return ending,
                Event::Killed => return Ending::Killed,
                // The engine is stopping or dead: its leg will close by itself.
                Event::Yield(None) => waits.leased = false,
                Event::Yield(Some(request))
                    if self.driver.may_yield(request.past_idle_transaction) =>
                {
                    if request.yes().await == Verdict::Evicted {
                        return Ending::Evicted;
                    }
                }
                Event::Yield(Some(request)) => request.no(),
                Event::Stop => {
                    self.driver.stopping = true;
                    waits.grace = Some(Box::pin(tokio::time::sleep(
                        self.shared.settings.stop_grace,
                    )));
                }
                Event::GraceOver => return Ending::Shutdown,
            }
        }
    }

    /// Bytes first. What is asked from outside is looked at after every wake-up: nothing here takes
    /// a lock or is shared between sessions.
    fn poll_event(&mut self, cx: &mut Context<'_>, waits: &mut Waits) -> Poll<Event> {
        if let Poll::Ready(ending) = self.driver.poll_relay(cx) {
            return Poll::Ready(Event::Ended(ending));
        }
        let asked = self.guard.poll_asked(cx);
        if asked.killed {
            return Poll::Ready(Event::Killed);
        }
        if waits.leased
            && let Poll::Ready(request) = self.lease.poll_yield_request(cx)
        {
            return Poll::Ready(Event::Yield(request));
        }
        match &mut waits.grace {
            None if asked.stopping => Poll::Ready(Event::Stop),
            None => Poll::Pending,
            Some(grace) => grace.as_mut().poll(cx).map(|()| Event::GraceOver),
        }
    }

    /// The last words, where there are any and they fit into the stream; then the close. The lease
    /// and the leg to the engine are let go first: nobody waits for a client that lingers.
    async fn say_goodbye(self, ending: Ending) -> Ending {
        let Self {
            mut driver,
            lease,
            guard,
            shared,
            _running,
        } = self;
        let outstanding = !driver.at_boundary();
        let cut = matches!(
            ending,
            Ending::ClientGone(_) | Ending::Killed | Ending::Shutdown | Ending::Refused { .. }
        );
        if outstanding && cut {
            shared
                .waker
                .end_session(lease.cluster, lease.run, driver.engine_session());
        }
        let words = match &ending {
            Ending::Evicted => Some(RefusalKind::ClusterSleeps),
            Ending::Killed => Some(RefusalKind::SessionKilled),
            Ending::Shutdown => Some(RefusalKind::ServerStopping),
            Ending::EngineClosed | Ending::EngineGone(_) => Some(RefusalKind::EngineLost),
            Ending::Refused { kind, .. } => Some(*kind),
            _ => None,
        };
        let speaks = words.filter(|_| driver.may_speak());
        if let Some(kind) = speaks {
            driver.seal_error(&Refusal::new(kind));
        }
        let Driver {
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
            // What it holds must be free now: nobody waits for a client that does not read.
            let taken = poll_fn(|cx| Poll::Ready(client.poll_flush(cx).is_ready())).await;
            if !taken {
                return ending;
            }
        }
        let linger = match (&ending, speaks) {
            // The last word may be the engine's own, said to a client that is still sending.
            (Ending::EngineClosed | Ending::EngineGone(_), _) => Some(limits::LINGER),
            (_, None) => None,
            // Nobody who stops a server waits for its idle clients.
            (Ending::Shutdown, _) => Some(limits::LINGER_AT_STOP),
            _ => Some(limits::LINGER),
        };
        client.close(linger).await;
        ending
    }
}
