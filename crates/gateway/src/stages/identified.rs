//! Identified: the name and the proof of the password are known. The login is read inside TLS, by a
//! parser that has seen no byte of the clear-text packet.

use super::secured::Secured;
use crate::connection::{Connection, Interrupted};
use crate::endings::client_closed;
use crate::limits;
use crate::login_read::{discard, read_kept};
use crate::tls_stream::TlsStream;
use std::io;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{LoginName, Refusal, RefusalKind};
use tidegate_wire::limits::{LOGIN_KEPT_MAX, LOGIN_PACKET_MAX};
use tidegate_wire::packet::{HEADER_LEN, Header, Packet};
use tidegate_wire::server::{Login, LoginError, LoginStep, ServerLogin, SessionTerms};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

pub(crate) struct Identified {
    pub connection: Connection,
    pub tls: Box<TlsStream>,
    pub salt: [u8; 20],
    pub login: Login,
    /// Level of zstd that the client asks for, if it has that.
    pub zstd_level: u8,
    pub name: LoginName,
    pub credential_came: Instant,
    /// Ticks after which a denial is sent at the earliest: more than one after several failures.
    pub late: u32,
}

/// Reason why the login could not be read.
enum LoginReadError {
    Failed(io::Error),
    /// Refusal, and the sequence number of its packet.
    Refused(RefusalKind, u8),
}

impl From<io::Error> for LoginReadError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Identified {
    /// Reads the login.
    pub async fn read_login(secured: Secured, facts: &mut ConnectionFacts) -> Result<Self, Ending> {
        let Secured {
            connection,
            tls,
            salt,
            secured,
        } = secured;
        let machine = ServerLogin::new(salt, connection.shared.settings.offered());
        let identified = Self::read(connection, tls, salt, machine).await?;
        facts.tls_to_login = Some(secured.elapsed());
        Ok(identified)
    }

    /// Reads the login of a session that changes its user.
    pub async fn read_change(
        connection: Connection,
        tls: Box<TlsStream>,
        terms: SessionTerms,
    ) -> Result<Self, Ending> {
        let machine = ServerLogin::of_change(terms);
        Self::read(connection, tls, terms.salt, machine).await
    }

    async fn read(
        connection: Connection,
        mut tls: Box<TlsStream>,
        salt: [u8; 20],
        mut machine: ServerLogin,
    ) -> Result<Self, Ending> {
        let stream = &mut *tls;
        let read = connection.unproven(read_packets(stream, &mut machine));
        let (login, zstd_level) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(LoginReadError::Failed(e))) => return Err(client_closed(&e)),
            Ok(Err(LoginReadError::Refused(kind, seq))) => {
                return Err(connection.refuse(stream, seq, kind).await);
            }
            Err(Interrupted::Evicted) => {
                let seq = machine.answer_seq();
                return Err(connection.refuse_evicted(stream, seq).await);
            }
            Err(Interrupted::Deadline) => {
                let kind = RefusalKind::LoginTimeout;
                return Err(connection.refuse(stream, machine.answer_seq(), kind).await);
            }
        };
        let credential_came = Instant::now();
        let name = LoginName::parse(&login.user, login.collation);
        // Answered at once: no cluster is meant, so the answer reveals nothing of any.
        if name == LoginName::NoPrefix {
            let kind = RefusalKind::MissingPrefix;
            return Err(connection.refuse(stream, login.next_seq, kind).await);
        }
        Ok(Self {
            connection,
            tls,
            salt,
            login,
            zstd_level,
            name,
            credential_came,
            late: 0,
        })
    }

    /// Sends a refusal as the answer to the login, and returns the ending.
    pub async fn refuse(&mut self, refusal: impl Into<Refusal>) -> Ending {
        self.connection
            .refuse(&mut *self.tls, self.login.next_seq, refusal)
            .await
    }

    /// Sends a denial at a multiple of [`limits::DENIAL_TICK`] after the password arrived, so that
    /// the time of the answer does not tell its cause. After several failures it is sent later. The
    /// connection keeps its place among the unproven until then, even if the client does not wait.
    pub async fn deny(mut self, refusal: Refusal) -> Ending {
        let tick = limits::DENIAL_TICK.as_millis().max(1);
        let ticks = self.credential_came.elapsed().as_millis() / tick + 1;
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(self.late);
        tokio::time::sleep_until(self.credential_came + limits::DENIAL_TICK.saturating_mul(ticks))
            .await;
        self.refuse(refusal).await
    }

    /// Counts a failed login: the engine did not accept the password.
    pub async fn count_mismatch(&mut self) {
        let throttle = &self.connection.shared.throttle;
        let client = self.connection.client.ip();
        self.late = throttle.count_failure(client, &self.login.user).await;
    }

    /// Forgets failed logins under this name: the engine accepted the password.
    pub async fn forgive(&self) {
        let throttle = &self.connection.shared.throttle;
        let client = self.connection.client.ip();
        throttle.forgive(client, &self.login.user).await;
    }
}

/// Reads a login. Returns with it the level of zstd that its client asks for.
async fn read_packets(
    tls: &mut TlsStream,
    machine: &mut ServerLogin,
) -> Result<(Login, u8), LoginReadError> {
    let mut level = None;
    loop {
        let header = read_header(tls).await?;
        let len = header.len as usize;
        let next_seq = header.seq.wrapping_add(1);
        if len > LOGIN_PACKET_MAX {
            return Err(LoginReadError::Refused(
                RefusalKind::PacketTooLarge,
                next_seq,
            ));
        }
        let mut packet = Packet {
            seq: header.seq,
            payload: Vec::new(),
        };
        let kept = len.min(LOGIN_KEPT_MAX);
        read_kept(tls, &mut packet.payload, kept).await?;
        let kept_last = packet.payload.last().copied();
        // The kept part decides: an invalid login is refused before the rest of it has arrived.
        let step = machine
            .on_cut_packet(packet, len - kept)
            .map_err(|e| LoginReadError::Refused(refusal_of(&e), next_seq))?;
        let last = discard(tls, len - kept).await?.or(kept_last);
        // It is the last byte of the first packet, behind the attributes.
        let zstd_level = *level.get_or_insert(last.unwrap_or(0));
        match step {
            LoginStep::Credential(login) => return Ok((*login, zstd_level)),
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
