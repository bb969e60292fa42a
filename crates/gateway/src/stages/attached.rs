//! Attached: the cluster is awake, and the session exists at its engine.

use super::authenticated::Authenticated;
use super::identified::Identified;
use crate::connection::{Connection, send_last};
use crate::endings::closed_by_engine;
use crate::engine_login::{self, EngineLogin, LoginFailure, ProvenClient};
use crate::limits;
use crate::login_check::{LoginCheck, ProvenLogin, denied_by_engine};
use crate::previous_session::{Changed, PreviousSession};
use rustls::ClientConnection;
use std::sync::Arc;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::login::user_bytes;
use tidegate_model::{
    AttachError, AttachRequest, Lease, LoginName, Refusal, RefusalKind, Requirement, error_chain,
};
use tidegate_tls::connect_engine;
use tidegate_wire::response::ErrPacket;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

pub(crate) struct Attached {
    pub identified: Identified,
    pub proven: Box<ProvenLogin>,
    pub lease: Lease,
    pub engine: EngineLogin,
}

/// ER_CON_COUNT_ERROR.
const ENGINE_FULL: u16 = 1040;
/// ER_ACCESS_DENIED_ERROR.
const ENGINE_DENIED: u16 = 1045;

/// Reason why there is no session at the engine.
enum NotAttached {
    Refused(Refusal),
    /// The engine's error, which is passed on: the client has proved its password.
    Engine(ErrPacket),
    /// The engine did not let the client in; the answer is a denial.
    Denied(Refusal),
    /// The client closed while it waited.
    ClientLeft,
}

impl Attached {
    /// Wakes the cluster if it sleeps, and logs in at its engine. `previous`: the session that the
    /// client had before, which is left or goes on.
    pub async fn open_session(
        authenticated: Authenticated,
        previous: &mut Option<PreviousSession>,
        facts: &mut ConnectionFacts,
    ) -> Result<Self, Ending> {
        let Authenticated {
            mut identified,
            proven,
            proved,
        } = authenticated;
        let connection = &mut identified.connection;
        let tenant = &proven.tenant;
        let tls = facts.tls.unwrap_or("TLS");
        if let Err(kind) = connection.take_session_place(tenant, &proven.user, tls) {
            return Err(identified.refuse(kind).await);
        }
        let deadline = (proved + limits::ATTACH_AFTER_PROOF)
            .max(connection.accepted + limits::ATTACH_AFTER_ACCEPT);
        facts.woken = tenant.accounts_current;
        match attach(deadline, &identified, &proven, previous.take()).await {
            Ok((lease, engine)) => {
                facts.login_to_attached = Some(proved.elapsed());
                // Only after the engine accepted the password: with an old one, which the gateway
                // may still have accepted, nobody may clear the count of failures.
                identified.forgive().await;
                Ok(Self {
                    identified,
                    proven,
                    lease,
                    engine,
                })
            }
            Err(why) => Err(refuse(identified, why).await),
        }
    }
}

/// Answers the login with the reason why there is no session, and returns the ending.
async fn refuse(mut identified: Identified, why: NotAttached) -> Ending {
    match why {
        NotAttached::Refused(refusal) => identified.refuse(refusal).await,
        NotAttached::Engine(err) => {
            send_last(&mut *identified.tls, identified.login.next_seq, &err).await;
            Ending::EngineRefused {
                code: err.code,
                message: err.message_lossy(),
            }
        }
        NotAttached::Denied(refusal) => {
            // Not counted before: the gateway's copy of the accounts had accepted this password.
            identified.count_mismatch().await;
            identified.deny(refusal).await
        }
        NotAttached::ClientLeft => {
            Ending::ClientGone("it closed while its cluster was waking".to_owned())
        }
    }
}

/// Goes on in the previous session if that serves the client, or leaves it and logs in.
async fn attach(
    deadline: Instant,
    identified: &Identified,
    proven: &ProvenLogin,
    previous: Option<PreviousSession>,
) -> Result<(Lease, EngineLogin), NotAttached> {
    let Some(previous) = previous else {
        return attach_by(deadline, identified, proven).await;
    };
    if !previous.serves(proven) {
        previous.leave(deadline).await;
        return attach_by(deadline, identified, proven).await;
    }
    let client = proven_client(identified, proven);
    match previous.change_user(deadline, &client).await {
        Changed::Done(lease, login) => Ok((lease, login)),
        Changed::Again => attach_by(deadline, identified, proven).await,
        Changed::Refused(err) => Err(NotAttached::Engine(err)),
        Changed::Broken(lease, why) => {
            let Connection { shared, guard, .. } = &identified.connection;
            let kind = closed_by_engine(&*shared.waker, guard, &lease).await;
            let refusal = Refusal::because(kind, error_chain(&why));
            Err(NotAttached::Refused(refusal))
        }
        Changed::Deadline => Err(NotAttached::Refused(RefusalKind::WakeDeadline.into())),
    }
}

fn proven_client<'a>(identified: &'a Identified, proven: &'a ProvenLogin) -> ProvenClient<'a> {
    let raw = &identified.login.user;
    ProvenClient {
        client: identified.connection.client,
        local: identified.connection.local,
        login: &identified.login,
        // As it came: the engine reads it with the login's collation.
        user: match &identified.name {
            LoginName::Routed { whole, .. } if *whole == proven.user => raw,
            _ => user_bytes(raw),
        },
        stage1: proven.stage1.as_ref(),
    }
}

/// Gets a lease and logs in at the engine. If the engine closes during the login, both are repeated
/// once, which the client does not see.
async fn attach_by(
    deadline: Instant,
    identified: &Identified,
    proven: &ProvenLogin,
) -> Result<(Lease, EngineLogin), NotAttached> {
    let client = proven_client(identified, proven);
    let mut tries_left = 1;
    let mut requires = proven.requires;
    let full_until = Instant::now() + limits::ENGINE_FULL_MAX;
    loop {
        let lease = wait_for_lease(deadline, identified, proven).await?;
        let tls = engine_tls(&lease, identified, requires)?;
        let is_plain = tls.is_none();
        match timeout_at(deadline, engine_login::log_in(&lease.address, &client, tls)).await {
            Ok(Ok(login)) if lease.is_current() => return Ok((lease, login)),
            // The engine ended meanwhile, and the login waited in its socket for the next run. The
            // supervisor does not know of this session there, so it would put the engine to sleep
            // in the middle of a query.
            Ok(Ok(_)) => {}
            // Sessions that have ended in the gateway may not have ended at the engine yet.
            Ok(Err(LoginFailure::Refused(err)))
                if err.code == ENGINE_FULL && Instant::now() < full_until =>
            {
                tokio::time::sleep(limits::ENGINE_FULL_PAUSE).await;
            }
            Ok(Err(LoginFailure::Refused(err))) if err.code == ENGINE_DENIED => {
                let requires_now = reread_requirement(identified, proven).await?;
                // The account was changed since it was read, or its cluster's reading was cut off.
                let helps = is_plain && lease.certificate.is_some();
                if requires_now == Requirement::None || !helps {
                    return Err(NotAttached::Denied(denied_by_engine(requires_now)));
                }
                requires = requires_now;
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

/// Starts TLS to the engine if the account requires it. Sessions of other accounts are spared the
/// second encryption: both ends are on this machine.
fn engine_tls(
    lease: &Lease,
    identified: &Identified,
    requires: Requirement,
) -> Result<Option<Box<ClientConnection>>, NotAttached> {
    let certificate = lease.certificate.as_ref();
    let Some(certificate) = certificate.filter(|_| requires != Requirement::None) else {
        return Ok(None);
    };
    connect_engine(identified.tls.session(), Arc::clone(certificate))
        .map(Some)
        .map_err(|e| {
            NotAttached::Refused(Refusal::because(RefusalKind::EngineLost, error_chain(&e)))
        })
}

/// Reads again what the account requires, after the engine did not let the client in.
async fn reread_requirement(
    identified: &Identified,
    proven: &ProvenLogin,
) -> Result<Requirement, NotAttached> {
    let check = LoginCheck {
        shared: &identified.connection.shared,
        salt: &identified.salt,
        client: identified.connection.client.ip(),
    };
    check
        .reread_requirement(proven.tenant.cluster, &identified.name, &identified.login)
        .await
        .map_err(NotAttached::Denied)
}

/// Waits for the running engine, but not longer than the client stays connected.
async fn wait_for_lease(
    deadline: Instant,
    identified: &Identified,
    proven: &ProvenLogin,
) -> Result<Lease, NotAttached> {
    let connection = &identified.connection;
    let attach = connection.shared.waker.attach(AttachRequest {
        cluster: proven.tenant.cluster,
        deadline: deadline.into_std(),
        session: connection.guard.id(),
        user: &proven.user,
        client: connection.client,
    });
    let result = tokio::select! {
        biased;
        result = timeout_at(deadline, attach) => result,
        () = client_left(identified.tls.tcp()) => return Err(NotAttached::ClientLeft),
    };
    let refusal = match result {
        Ok(Ok(lease)) => return Ok(lease),
        Ok(Err(AttachError::Full)) => Refusal::new(RefusalKind::TooManyConnections),
        Err(_) | Ok(Err(AttachError::Deadline)) => Refusal::new(RefusalKind::WakeDeadline),
        Ok(Err(AttachError::Failed(why))) => Refusal::because(RefusalKind::EngineFailed, why),
        Ok(Err(AttachError::Refused { kind, reason })) => Refusal::because(kind, reason),
        // The cluster was deleted meanwhile, so its prefix is an unknown one now.
        Ok(Err(AttachError::Gone)) => {
            return Err(NotAttached::Denied(denied_by_engine(Requirement::None)));
        }
        Ok(Err(AttachError::Stopping)) => Refusal::new(RefusalKind::ServerStopping),
    };
    Err(NotAttached::Refused(refusal))
}

/// Waits until the client has closed. Bytes that it sends without waiting for the answer are left
/// in the socket.
async fn client_left(tcp: &TcpStream) {
    let mut byte = [0];
    loop {
        match tcp.peek(&mut byte).await {
            Ok(0) | Err(_) => return,
            // The bytes stay in the socket and would be reported again at once: pause, or the loop
            // would spin.
            Ok(_) => tokio::time::sleep(limits::PEEK_PAUSE).await,
        }
    }
}
