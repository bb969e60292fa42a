//! State that a connection carries through all its stages, and the refusals that its client reads.

use crate::error_packet::err_packet;
use crate::limits;
use crate::shared::GatewayShared;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::journal::Ending;
use tidegate_model::{AdmissionPlace, Refusal, RefusalKind, SessionGuard, Tenant};
use tidegate_wire::packet::write_packet;
use tidegate_wire::response::ErrPacket;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// State of a connection, from admission until it relays.
pub(crate) struct Connection {
    pub shared: Arc<GatewayShared>,
    pub guard: SessionGuard,
    /// Address of the client: the TCP peer's, or the one that its PROXY header names.
    pub client: SocketAddr,
    /// Address that the client connected to.
    pub local: SocketAddr,
    /// When the connection was accepted. All deadlines of the login count from here.
    pub accepted: Instant,
    /// Place among the connections that have not proved a password; `None` once this one has.
    pub place: Option<AdmissionPlace>,
    /// Given back once there is a place.
    pub arriving: Option<OwnedSemaphorePermit>,
    /// Place among the sessions of all clusters, from the proof to the end.
    pub session_place: Option<OwnedSemaphorePermit>,
}

/// Reason why a wait of an unproven connection ended early.
pub(crate) enum Interrupted {
    /// The login deadline passed.
    Deadline,
    /// The connection's place was given to another.
    Evicted,
}

impl Connection {
    /// Exchanges the place among the unproven connections for one among the sessions of the cluster
    /// and of all clusters. No cluster gets more than half of all; its own limit is checked by the
    /// engine's room. If there is none, the connection
    /// keeps its unproven place while it is refused, so that refused logins to one cluster never
    /// occupy places of sessions to others.
    pub fn take_session_place(
        &mut self,
        tenant: &Tenant,
        user: &str,
        tls: &'static str,
    ) -> Result<(), RefusalKind> {
        let shared = &self.shared;
        let session_place = match self.session_place.take() {
            // A session that changes its user has one.
            Some(place) => place,
            None => Arc::clone(&shared.places)
                .try_acquire_owned()
                .map_err(|_| RefusalKind::ServerFull)?,
        };
        let half = u32::try_from(shared.settings.sessions_max.div_ceil(2)).unwrap_or(u32::MAX);
        self.guard
            .admit(tenant.cluster, user, tls, half)
            .map_err(|_| RefusalKind::TooManyConnections)?;
        self.session_place = Some(session_place);
        // The KILL of a session that changes its user may have gone to its former engine.
        if self.guard.is_killed_in_sql() {
            return Err(RefusalKind::KilledInSql);
        }
        if let Some(place) = self.place.take() {
            place.prove();
        }
        Ok(())
    }

    /// Returns when the password must have been proved.
    pub fn login_deadline(&self) -> Instant {
        self.accepted + self.shared.settings.login_deadline
    }

    /// Waits until the connection's place is given to another; forever without a place.
    pub fn evicted(&self) -> impl Future<Output = ()> + use<> {
        let eviction = self.place.as_ref().map(AdmissionPlace::eviction);
        async move {
            match eviction {
                Some(eviction) => eviction.wait().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Waits for work of an unproven connection, until the login deadline or until its place is
    /// given to another.
    pub async fn unproven<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        let deadline = self.login_deadline();
        tokio::select! {
            biased;
            // First: a connection whose work is always ready must not keep a place that was given
            // away.
            () = self.evicted() => Err(Interrupted::Evicted),
            done = tokio::time::timeout_at(deadline, work) => {
                done.map_err(|_| Interrupted::Deadline)
            }
        }
    }

    /// Sends a refusal as the packet with this sequence number, closes the stream, and returns the
    /// ending.
    pub async fn refuse<S: AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        seq: u8,
        refusal: impl Into<Refusal>,
    ) -> Ending {
        self.refuse_client(stream, seq, refusal, None).await
    }

    /// As [`Self::refuse`], with the hint for a client that has told its name.
    pub async fn refuse_client<S: AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        seq: u8,
        refusal: impl Into<Refusal>,
        client: Option<&str>,
    ) -> Ending {
        let refusal = refusal.into();
        let err = err_packet(&refusal, &self.shared.settings.wording, client);
        send_last(stream, seq, &err).await;
        Ending::Refused {
            kind: refusal.kind,
            detail: refusal.detail,
        }
    }

    /// Tells the client that its place was given to another, if its socket accepts the packet at
    /// once. Waiting for a slow client would keep the place occupied.
    pub async fn refuse_evicted<S: AsyncWrite + Unpin>(&self, stream: &mut S, seq: u8) -> Ending {
        let refusal = RefusalKind::TooManyFromAddress.into();
        let err = err_packet(&refusal, &self.shared.settings.wording, None);
        send_last_within(stream, seq, &err, Duration::ZERO).await;
        evicted()
    }
}

/// Returns the ending of a connection whose place was given to another.
pub(crate) fn evicted() -> Ending {
    Ending::Refused {
        kind: RefusalKind::TooManyFromAddress,
        detail: Some("closed to make room for a new connection".to_owned()),
    }
}

/// Sends an error as the last packet of a connection, and closes it. Gives up after
/// [`limits::REFUSAL_WRITE`]: the client may not read.
pub(crate) async fn send_last<S: AsyncWrite + Unpin>(stream: &mut S, seq: u8, err: &ErrPacket) {
    send_last_within(stream, seq, err, limits::REFUSAL_WRITE).await;
}

async fn send_last_within<S: AsyncWrite + Unpin>(
    stream: &mut S,
    mut seq: u8,
    err: &ErrPacket,
    patience: Duration,
) {
    let mut out = Vec::new();
    write_packet(&mut seq, &err.encode(), &mut out);
    let until = Instant::now() + patience;
    let _ = tokio::time::timeout_at(until, async {
        stream.write_all(&out).await?;
        stream.flush().await?;
        stream.shutdown().await
    })
    .await;
}
