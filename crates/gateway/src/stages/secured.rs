//! Secured: inside TLS the login is read afresh, by a parser that has never seen a clear-text byte.

use super::identified::Identified;
use super::{Interrupted, refuse, refuse_evicted, unproven};
use crate::gateway::Shared;
use crate::login_read::{discard, read_kept};
use crate::source::Place;
use crate::tls_stream::TlsStream;
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{LoginName, Refusal, RefusalKind, SessionGuard};
use tidegate_wire::limits::{LOGIN_KEPT_MAX, LOGIN_PACKET_MAX};
use tidegate_wire::packet::{HEADER_LEN, Header, Packet};
use tidegate_wire::server::{Login, LoginError, LoginStep, ServerLogin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

pub(crate) struct Secured {
    pub tls: Box<TlsStream>,
    pub shared: Arc<Shared>,
    pub guard: SessionGuard,
    pub client: SocketAddr,
    pub local: SocketAddr,
    pub accepted: Instant,
    /// Held until the credential is proved.
    pub place: Option<Place>,
    pub salt: [u8; 20],
    pub secured: Instant,
}

/// Why the login could not be read.
enum Unread {
    Closed,
    Refused(RefusalKind, u8),
}

impl Secured {
    pub async fn identify(mut self, facts: &mut ConnectionFacts) -> Result<Identified, Ending> {
        let deadline = self.accepted + self.shared.settings.login_deadline;
        let Some(eviction) = self.place.as_ref().map(Place::eviction) else {
            return Err(Ending::ClientClosed);
        };
        let login = match unproven(eviction, deadline, self.read_login()).await {
            Ok(Ok(login)) => login,
            Ok(Err(Unread::Closed)) => return Err(Ending::ClientClosed),
            Ok(Err(Unread::Refused(kind, seq))) => {
                return Err(refuse(
                    &mut *self.tls,
                    seq,
                    kind.into(),
                    &self.shared.settings.wording,
                )
                .await);
            }
            Err(Interrupted::Evicted) => {
                return Err(refuse_evicted(&mut *self.tls, 3, &self.shared.settings.wording).await);
            }
            Err(Interrupted::Deadline) => {
                return Err(refuse(
                    &mut *self.tls,
                    3,
                    RefusalKind::LoginTimeout.into(),
                    &self.shared.settings.wording,
                )
                .await);
            }
        };
        let credential_came = Instant::now();
        facts.tls_to_login = Some(self.secured.elapsed());
        let name = LoginName::parse(&login.user);
        if name == LoginName::NoPrefix {
            return Err(refuse(
                &mut *self.tls,
                login.next_seq,
                Refusal::new(RefusalKind::MissingPrefix),
                &self.shared.settings.wording,
            )
            .await);
        }
        Ok(Identified {
            secured: self,
            login,
            name,
            credential_came,
            late: 0,
        })
    }

    async fn read_login(&mut self) -> Result<Login, Unread> {
        let mut machine = ServerLogin::new(self.salt, tidegate_wire::capabilities::OFFERED);
        loop {
            let header = self.read_header().await?;
            let len = header.len as usize;
            let next_seq = header.seq.wrapping_add(1);
            if len > LOGIN_PACKET_MAX {
                return Err(Unread::Refused(RefusalKind::PacketTooLarge, next_seq));
            }
            let mut packet = Packet {
                seq: header.seq,
                payload: Vec::new(),
            };
            let kept = len.min(LOGIN_KEPT_MAX);
            read_kept(&mut *self.tls, &mut packet.payload, kept)
                .await
                .map_err(|_| Unread::Closed)?;
            // Judged by the kept part: a login that can't be valid is refused before the rest has
            // come.
            let step = machine
                .on_cut_packet(packet, len - kept)
                .map_err(|e| Unread::Refused(refusal_of(&e), next_seq))?;
            discard(&mut *self.tls, len - kept)
                .await
                .map_err(|_| Unread::Closed)?;
            match step {
                LoginStep::Credential(login) => return Ok(*login),
                LoginStep::Send(bytes) => {
                    self.tls
                        .write_all(&bytes)
                        .await
                        .map_err(|_| Unread::Closed)?;
                    self.tls.flush().await.map_err(|_| Unread::Closed)?;
                }
            }
        }
    }

    async fn read_header(&mut self) -> Result<Header, Unread> {
        let mut head = [0; HEADER_LEN];
        self.tls
            .read_exact(&mut head)
            .await
            .map_err(|_| Unread::Closed)?;
        Header::parse(&head).ok_or(Unread::Closed)
    }
}

fn refusal_of(error: &LoginError) -> RefusalKind {
    match error {
        LoginError::OutOfOrder => RefusalKind::PacketsOutOfOrder,
        LoginError::OldProtocol => RefusalKind::OldProtocol,
        LoginError::UnsupportedAuth => RefusalKind::UnsupportedAuth,
        LoginError::Malformed => RefusalKind::BadHandshake,
        LoginError::TooLarge => RefusalKind::PacketTooLarge,
    }
}
