//! Attached: the cluster is awake, and the session exists at its engine. Only after the password
//! was proved is anything woken.

use super::authenticated::Authenticated;
use super::identified::Identified;
use crate::connection::send_last;
use crate::engine_login::{self, EngineLogin, LoginFailure};
use crate::limits;
use crate::verdict::{Judge, Proven};
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{AttachError, Lease, Refusal, RefusalKind, error_chain};
use tidegate_wire::response::ErrPacket;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

pub(crate) struct Attached {
    pub identified: Identified,
    pub proven: Box<Proven>,
    pub lease: Lease,
    pub engine: EngineLogin,
}

/// ER_CON_COUNT_ERROR.
const ENGINE_FULL: u16 = 1040;
/// ER_ACCESS_DENIED_ERROR.
const ENGINE_DENIED: u16 = 1045;

/// Why there is no session at the engine.
enum NotAttached {
    Refused(Refusal),
    /// The engine's own no, passed on: the client has proved who it is.
    Engine(ErrPacket),
    /// The engine knows another password than we remember, or asks for more than that.
    Denied,
    /// The client left while it waited.
    ClientLeft,
}

impl Attached {
    pub async fn open_session(
        authenticated: Authenticated,
        facts: &mut ConnectionFacts,
    ) -> Result<Self, Ending> {
        let Authenticated {
            mut identified,
            proven,
            proved,
        } = authenticated;
        let connection = &mut identified.connection;
        // Proven: from here on this connection counts for its cluster, no longer for its source.
        if let Some(place) = connection.place.take() {
            place.prove();
        }
        let tenant = &proven.tenant;
        let tls = facts.tls.unwrap_or("TLS");
        let most = tenant.limits.connections_max;
        let admitted = connection
            .guard
            .admit(tenant.cluster, &proven.user, tls, most);
        if admitted.is_err() {
            return Err(identified.refuse(RefusalKind::TooManyConnections).await);
        }
        let deadline = (proved + limits::ATTACH_AFTER_PROOF)
            .max(connection.accepted + limits::ATTACH_AFTER_ACCEPT);
        facts.woken = tenant.settled;
        match attach_by(deadline, &identified, &proven).await {
            Ok((lease, engine)) => {
                facts.login_to_attached = Some(proved.elapsed());
                // Not before the engine took the password: one that was changed must not forgive
                // guesses.
                identified.forgive();
                Ok(Self {
                    identified,
                    proven,
                    lease,
                    engine,
                })
            }
            Err(why) => Err(refuse(identified, &proven, why).await),
        }
    }
}

async fn refuse(mut identified: Identified, proven: &Proven, why: NotAttached) -> Ending {
    match why {
        NotAttached::Refused(refusal) => identified.refuse(refusal).await,
        NotAttached::Engine(err) => {
            send_last(&mut *identified.tls, identified.login.next_seq, &err).await;
            Ending::EngineRefused {
                code: err.code,
                message: err.message_lossy(),
            }
        }
        NotAttached::Denied => {
            let judge = Judge {
                shared: &identified.connection.shared,
                salt: &identified.salt,
                client: identified.connection.client.ip(),
            };
            let refusal = judge
                .refused_by_engine(proven.tenant.cluster, &identified.name, &identified.login)
                .await;
            identified.count_mismatch();
            identified.deny(refusal).await
        }
        NotAttached::ClientLeft => {
            Ending::ClientGone("left while its cluster was waking".to_owned())
        }
    }
}

/// Attaches and logs in. An engine that closes while we log in is tried once more, unseen by the
/// client.
async fn attach_by(
    deadline: Instant,
    identified: &Identified,
    proven: &Proven,
) -> Result<(Lease, EngineLogin), NotAttached> {
    let who = engine_login::Who {
        client: identified.connection.client,
        local: identified.connection.local,
        login: &identified.login,
        user: &proven.user,
        stage1: proven.stage1.as_ref(),
    };
    let mut tries_left = 1;
    let full_until = Instant::now() + limits::ENGINE_FULL_MAX;
    loop {
        let lease = lease(deadline, identified, proven).await?;
        match timeout_at(deadline, engine_login::log_in(&lease.address, &who)).await {
            Ok(Ok(login)) if lease.is_current() => return Ok((lease, login)),
            // Its engine ended meanwhile, and the login waited in the socket for the next run:
            // nothing there knows of this session, so a sleep would cut it in the middle of a
            // query.
            Ok(Ok(_)) => {}
            // Sessions that have ended here may not have ended there yet.
            Ok(Err(LoginFailure::Refused(err)))
                if err.code == ENGINE_FULL && Instant::now() < full_until =>
            {
                tokio::time::sleep(limits::ENGINE_FULL_PAUSE).await;
            }
            Ok(Err(LoginFailure::Refused(err))) if err.code == ENGINE_DENIED => {
                return Err(NotAttached::Denied);
            }
            Ok(Err(LoginFailure::Refused(err))) => return Err(NotAttached::Engine(err)),
            Ok(Err(LoginFailure::Broken(_))) if tries_left > 0 => tries_left -= 1,
            Ok(Err(LoginFailure::Broken(why))) => {
                let refusal = Refusal::because(RefusalKind::EngineLost, error_chain(&why));
                return Err(NotAttached::Refused(refusal));
            }
            Err(_) => return Err(NotAttached::Refused(RefusalKind::WakeDeadline.into())),
        }
    }
}

/// Waits for the running engine. A client that leaves meanwhile frees its place at once.
async fn lease(
    deadline: Instant,
    identified: &Identified,
    proven: &Proven,
) -> Result<Lease, NotAttached> {
    let waker = &identified.connection.shared.waker;
    let attach = waker.attach(proven.tenant.cluster, deadline.into_std());
    let result = tokio::select! {
        biased;
        result = timeout_at(deadline, attach) => result,
        () = client_left(identified.tls.tcp()) => return Err(NotAttached::ClientLeft),
    };
    let refusal = match result {
        Ok(Ok(lease)) => return Ok(lease),
        Err(_) | Ok(Err(AttachError::Deadline)) => Refusal::new(RefusalKind::WakeDeadline),
        Ok(Err(AttachError::Failed(why))) => Refusal::because(RefusalKind::EngineFailed, why),
        Ok(Err(AttachError::Refused { kind, reason })) => Refusal::because(kind, reason),
        Ok(Err(AttachError::Gone)) => return Err(NotAttached::Denied),
        Ok(Err(AttachError::Stopping)) => Refusal::new(RefusalKind::ServerStopping),
    };
    Err(NotAttached::Refused(refusal))
}

/// Ends when the peer has closed. Bytes that merely arrived (a client that speaks before it was
/// answered) do not.
async fn client_left(tcp: &TcpStream) {
    let mut byte = [0];
    loop {
        match tcp.peek(&mut byte).await {
            Ok(0) | Err(_) => return,
            // TLS 1.3 clients may have sent more; look again later, not in a spin.
            Ok(_) => tokio::time::sleep(limits::PEEK_PAUSE).await,
        }
    }
}
