//! Identified: inside TLS the login is read afresh, by a parser that has never seen a clear-text
//! byte. We know what name and what proof came.

use super::secured::Secured;
use crate::connection::{Connection, Interrupted};
use crate::endings::client_closed;
use crate::limits;
use crate::login_read::{discard, read_kept};
use crate::tls_stream::TlsStream;
use std::io;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{LoginName, Refusal, RefusalKind};
use tidegate_wire::capabilities;
use tidegate_wire::limits::{LOGIN_KEPT_MAX, LOGIN_PACKET_MAX};
use tidegate_wire::packet::{HEADER_LEN, Header, Packet};
use tidegate_wire::server::{Login, LoginError, LoginStep, ServerLogin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

/// Sequence number of the answer to a login packet.
const ANSWER_SEQ: u8 = 3;

pub(crate) struct Identified {
    pub connection: Connection,
    pub tls: Box<TlsStream>,
    pub salt: [u8; 20],
    pub login: Login,
    pub name: LoginName,
    pub credential_came: Instant,
    /// Ticks after which a refusal is sent at the earliest: more than one after several failures.
    pub late: u32,
}

/// Why the login could not be read.
enum Unread {
    Failed(io::Error),
    Refused(RefusalKind, u8),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Identified {
    pub async fn read_login(secured: Secured, facts: &mut ConnectionFacts) -> Result<Self, Ending> {
        let Secured {
            connection,
            mut tls,
            salt,
            secured,
        } = secured;
        let stream = &mut *tls;
        let login = match connection.unproven(read_packets(stream, salt)).await {
            Ok(Ok(login)) => login,
            Ok(Err(Unread::Failed(e))) => return Err(client_closed(&e)),
            Ok(Err(Unread::Refused(kind, seq))) => {
                return Err(connection.refuse(stream, seq, kind).await);
            }
            Err(Interrupted::Evicted) => {
                return Err(connection.refuse_evicted(stream, ANSWER_SEQ).await);
            }
            Err(Interrupted::Deadline) => {
                let kind = RefusalKind::LoginTimeout;
                return Err(connection.refuse(stream, ANSWER_SEQ, kind).await);
            }
        };
        let credential_came = Instant::now();
        facts.tls_to_login = Some(secured.elapsed());
        let name = LoginName::parse(&login.user);
        if name == LoginName::NoPrefix {
            let kind = RefusalKind::MissingPrefix;
            return Err(connection.refuse(stream, login.next_seq, kind).await);
        }
        Ok(Self {
            connection,
            tls,
            salt,
            login,
            name,
            credential_came,
            late: 0,
        })
    }

    /// Sends a refusal as the answer to the login, and ends.
    pub async fn refuse(&mut self, refusal: impl Into<Refusal>) -> Ending {
        self.connection
            .refuse(&mut *self.tls, self.login.next_seq, refusal)
            .await
    }

    /// Every no of this stage goes out at a multiple of the tick after the credential came, so that
    /// its time says nothing about its cause. After several failures it is a later one: the place
    /// among the unproven is held until then, even if the client does not wait.
    pub async fn deny(mut self, refusal: Refusal) -> Ending {
        let tick = limits::DENIAL_TICK.as_millis().max(1);
        let ticks = self.credential_came.elapsed().as_millis() / tick + 1;
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(self.late);
        tokio::time::sleep_until(self.credential_came + limits::DENIAL_TICK.saturating_mul(ticks))
            .await;
        self.refuse(refusal).await
    }

    /// The engine did not take a password that was believed.
    pub fn count_mismatch(&mut self) {
        let failures = &self.connection.shared.failures;
        self.late = failures.add(self.connection.client.ip(), &self.login.user);
    }

    /// The engine took the password.
    pub fn forgive(&self) {
        let failures = &self.connection.shared.failures;
        failures.forgive(self.connection.client.ip(), &self.login.user);
    }
}

async fn read_packets(tls: &mut TlsStream, salt: [u8; 20]) -> Result<Login, Unread> {
    let mut machine = ServerLogin::new(salt, capabilities::OFFERED);
    loop {
        let header = read_header(tls).await?;
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
        read_kept(tls, &mut packet.payload, kept).await?;
        // Judged by the kept part: a login that can't be valid is refused before the rest has come.
        let step = machine
            .on_cut_packet(packet, len - kept)
            .map_err(|e| Unread::Refused(refusal_of(&e), next_seq))?;
        discard(tls, len - kept).await?;
        match step {
            LoginStep::Credential(login) => return Ok(*login),
            LoginStep::Send(bytes) => {
                tls.write_all(&bytes).await?;
                tls.flush().await?;
            }
        }
    }
}

async fn read_header(tls: &mut TlsStream) -> io::Result<Header> {
    let mut head = [0; HEADER_LEN];
    tls.read_exact(&mut head).await?;
    Ok(Header::decode(head))
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
