//! Authenticated: the gateway believes the password. Only now is anything woken.

use super::attached::Attached;
use super::identified::Identified;
use super::{refuse, send_last};
use crate::engine_login::{self, EngineLogin, LoginFailure};
use crate::limits;
use crate::verdict::{Judge, Proven};
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{AttachError, Lease, Refusal, RefusalKind};
use tidegate_wire::response::ErrPacket;
use tokio::time::{Instant, timeout_at};

pub(crate) struct Authenticated {
    pub identified: Identified,
    pub proven: Box<Proven>,
    pub proved: Instant,
}

/// ER_CON_COUNT_ERROR.
const ENGINE_FULL: u16 = 1040;

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

impl Authenticated {
    pub async fn attach(mut self, facts: &mut ConnectionFacts) -> Result<Attached, Ending> {
        // Proven: from here on this connection counts for its cluster, no longer for its source.
        if let Some(place) = self.identified.secured.place.take() {
            place.prove();
        }
        let secured = &self.identified.secured;
        let tenant = &self.proven.tenant;
        let tls = facts.tls.unwrap_or("TLS");
        let seq = self.identified.login.next_seq;
        if secured
            .guard
            .admit(
                tenant.cluster,
                &self.proven.user,
                tls,
                tenant.limits.connections_max,
            )
            .is_err()
        {
            return Err(self.refuse(RefusalKind::TooManyConnections.into()).await);
        }
        let deadline = self.proved + limits::ATTACH_AFTER_PROOF;
        let deadline = deadline.max(secured.accepted + limits::ATTACH_AFTER_ACCEPT);
        facts.woken = tenant.settled;
        match self.attach_by(deadline).await {
            Ok((lease, login)) => {
                facts.login_to_attached = Some(self.proved.elapsed());
                // Not before the engine took the password: one that was changed must not forgive
                // guesses.
                self.identified.forgive();
                Ok(Attached {
                    authenticated: self,
                    lease,
                    login,
                })
            }
            Err(NotAttached::Refused(refusal)) => Err(self.refuse(refusal).await),
            Err(NotAttached::Engine(err)) => {
                send_last(&mut *self.identified.secured.tls, seq, &err).await;
                Err(Ending::EngineRefused {
                    code: err.code,
                    message: err.message_lossy(),
                })
            }
            Err(NotAttached::Denied) => {
                let Identified {
                    secured,
                    login,
                    name,
                    ..
                } = &self.identified;
                let judge = Judge {
                    shared: &secured.shared,
                    salt: &secured.salt,
                    client: secured.client.ip(),
                };
                let refusal = judge
                    .refused_by_engine(self.proven.tenant.cluster, name, login)
                    .await;
                self.identified.count_mismatch();
                Err(self.identified.deny(refusal).await)
            }
            Err(NotAttached::ClientLeft) => Err(Ending::ClientGone(
                "left while its cluster was waking".to_owned(),
            )),
        }
    }

    async fn refuse(&mut self, refusal: Refusal) -> Ending {
        let secured = &mut self.identified.secured;
        refuse(
            &mut *secured.tls,
            self.identified.login.next_seq,
            refusal,
            &secured.shared.settings.wording,
        )
        .await
    }

    /// Attaches and logs in. An engine that closes while we log in is tried once more, unseen by
    /// the client.
    async fn attach_by(&mut self, deadline: Instant) -> Result<(Lease, EngineLogin), NotAttached> {
        let mut tries_left = 1;
        let full_until = Instant::now() + limits::ENGINE_FULL_MAX;
        loop {
            let lease = self.lease(deadline).await?;
            let secured = &self.identified.secured;
            let who = engine_login::Who {
                client: secured.client,
                local: secured.local,
                login: &self.identified.login,
                user: &self.proven.user,
                stage1: self.proven.stage1.as_ref(),
            };
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
                Ok(Err(LoginFailure::Refused(err))) if err.code == 1045 => {
                    return Err(NotAttached::Denied);
                }
                Ok(Err(LoginFailure::Refused(err))) => return Err(NotAttached::Engine(err)),
                Ok(Err(LoginFailure::Broken(_))) if tries_left > 0 => tries_left -= 1,
                Ok(Err(LoginFailure::Broken(why))) => {
                    return Err(NotAttached::Refused(Refusal::because(
                        RefusalKind::EngineLost,
                        why,
                    )));
                }
                Err(_) => return Err(NotAttached::Refused(RefusalKind::WakeDeadline.into())),
            }
        }
    }

    /// Waits for the running engine. A client that leaves meanwhile frees its place at once.
    async fn lease(&mut self, deadline: Instant) -> Result<Lease, NotAttached> {
        let shared = self.identified.secured.shared.clone();
        let attach = shared
            .waker
            .attach(self.proven.tenant.cluster, deadline.into_std());
        let tcp = self.identified.secured.tls.tcp();
        let result = tokio::select! {
            biased;
            result = timeout_at(deadline, attach) => result,
            () = gone(tcp) => return Err(NotAttached::ClientLeft),
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
}

/// Ends when the peer has closed. Bytes that merely arrived (a client that speaks before it was
/// answered) do not.
async fn gone(tcp: &tokio::net::TcpStream) {
    let mut byte = [0];
    loop {
        match tcp.peek(&mut byte).await {
            Ok(0) | Err(_) => return,
            // TLS 1.3 clients may have sent more; look again later, not in a spin.
            Ok(_) => tokio::time::sleep(limits::PEEK_PAUSE).await,
        }
    }
}
