//! Secured: inside TLS the login is read afresh, by a parser that has never seen a clear-text byte.

use super::identified::Identified;
use super::{Facts, refuse};
use crate::gateway::Shared;
use crate::source::Place;
use crate::tls_stream::TlsStream;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_model::journal::Ending;
use tidegate_model::{LoginName, Refusal, RefusalKind, SessionGuard};
use tidegate_wire::limits::LOGIN_PACKET_MAX;
use tidegate_wire::packet::{HEADER_LEN, Header, Packet};
use tidegate_wire::server::{Login, LoginError, LoginStep, ServerLogin};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

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
    pub async fn identify(mut self, facts: &mut Facts) -> Result<Identified, Ending> {
        let deadline = self.accepted + self.shared.settings.login_deadline;
        let login = match timeout_at(deadline, self.read_login()).await {
            Ok(Ok(login)) => login,
            Ok(Err(Unread::Closed)) => return Err(Ending::ClientClosed),
            Ok(Err(Unread::Refused(kind, seq))) => {
                return Err(refuse(&mut *self.tls, seq, kind.into(), &self.shared.settings.wording).await);
            }
            Err(_) => {
                return Err(
                    refuse(&mut *self.tls, 3, RefusalKind::LoginTimeout.into(), &self.shared.settings.wording).await
                );
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
        Ok(Identified { secured: self, login, name, credential_came })
    }

    async fn read_login(&mut self) -> Result<Login, Unread> {
        let mut machine = ServerLogin::new(self.salt, tidegate_wire::capabilities::OFFERED);
        loop {
            let packet = read_packet(&mut *self.tls, LOGIN_PACKET_MAX).await?;
            let seq = packet.seq.wrapping_add(1);
            match machine.on_packet(packet) {
                Ok(LoginStep::Credential(login)) => return Ok(*login),
                Ok(LoginStep::Send(bytes)) => {
                    self.tls.write_all(&bytes).await.map_err(|_| Unread::Closed)?;
                    self.tls.flush().await.map_err(|_| Unread::Closed)?;
                }
                Err(e) => return Err(Unread::Refused(refusal_of(&e), seq)),
            }
        }
    }
}

fn refusal_of(error: &LoginError) -> RefusalKind {
    match error {
        LoginError::OutOfOrder => RefusalKind::PacketsOutOfOrder,
        LoginError::OldProtocol => RefusalKind::OldProtocol,
        LoginError::UnsupportedAuth => RefusalKind::UnsupportedAuth,
        LoginError::Malformed => RefusalKind::BadHandshake,
    }
}

/// One packet and not a byte more. The declared length is judged before anything is allocated for it.
async fn read_packet<S: AsyncRead + Unpin>(stream: &mut S, max: usize) -> Result<Packet, Unread> {
    let closed = |_: io::Error| Unread::Closed;
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).await.map_err(closed)?;
    let header = Header::parse(&head).ok_or(Unread::Closed)?;
    let len = header.len as usize;
    if len > max {
        return Err(Unread::Refused(RefusalKind::PacketTooLarge, header.seq.wrapping_add(1)));
    }
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).await.map_err(closed)?;
    Ok(Packet { seq: header.seq, payload })
}
