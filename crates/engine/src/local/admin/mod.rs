//! The administrative connection to one engine: the client's half of `wire` on a stream that this
//! room connected. It sends text queries only, one at a time.

pub(crate) mod admin_line;
pub(crate) mod health;
pub(crate) mod session_settings;

use crate::limits::ADMIN_STATEMENT_MAX;
use crate::local::accounts::init_sql::ADMIN_USER;
use crate::local::error::AdminError;
use std::time::Duration;
use tidegate_wire::auth::stage1;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::client::{ClientError, ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::limits::ENGINE_PACKET_MAX;
use tidegate_wire::packet::{Packet, PacketReader};
use tidegate_wire::query::{self, Outcome, ResultReader, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Capabilities that our framing needs, and no others. With LONG_PASSWORD, which MariaDB calls
/// CLIENT_MYSQL, no capabilities of MariaDB alone are negotiated.
const CAPABILITIES: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// utf8mb4_general_ci.
const COLLATION: u16 = 45;
/// Size of a read from the socket. Answers are small; the accounts of a large cluster take several
/// reads.
const READ_SIZE: usize = 16 << 10;

/// Errors of an engine that has no time, no memory or no free connection at the moment: too many
/// connections, out of memory, lock wait timeout, deadlock, statement interrupted, statement
/// timeout.
const BUSY_ERRORS: [u16; 7] = [1040, 1037, 1041, 1205, 1213, 1317, 1969];

struct Stream {
    inner: UnixStream,
    buffer: Vec<u8>,
    at: usize,
}

impl Stream {
    async fn packet(&mut self) -> Result<Packet, AdminError> {
        let mut reader = PacketReader::new(ENGINE_PACKET_MAX);
        loop {
            let bytes = self.buffer.get(self.at..).ok_or(AdminError::OutOfBuffer)?;
            let (taken, packet) = reader.feed(bytes)?;
            self.at += taken;
            if let Some(packet) = packet {
                return Ok(packet);
            }
            self.buffer.resize(READ_SIZE, 0);
            let got = self.inner.read(&mut self.buffer).await?;
            if got == 0 {
                return Err(AdminError::Closed);
            }
            self.buffer.truncate(got);
            self.at = 0;
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), AdminError> {
        Ok(self.inner.write_all(bytes).await?)
    }
}

/// A connection whose greeting was received: the engine is up.
pub struct AdminGreeted {
    stream: Stream,
    greeting: Packet,
}

pub struct Admin {
    stream: Stream,
    /// The engine's own number of this session.
    pub session: u32,
}

/// Reason why a statement has no result.
#[derive(Debug)]
pub enum StatementError {
    /// The engine answered with this error; the connection stays good.
    Refused(String),
    /// The engine answered with one of [`BUSY_ERRORS`]; the connection stays good.
    Busy(String),
    /// The connection is lost.
    Closed(AdminError),
    /// No answer in time. The connection can't be used any more.
    Late,
}

impl Admin {
    /// Waits for the engine's greeting on a connection that may still lie in the backlog.
    pub async fn greeting(inner: UnixStream) -> Result<AdminGreeted, AdminError> {
        // No PROXY header: the engine takes this connection for one of `localhost`, also where a
        // tenant has changed the networks that headers are taken from.
        let mut stream = Stream {
            inner,
            buffer: Vec::new(),
            at: 0,
        };
        let greeting = stream.packet().await?;
        Ok(AdminGreeted { stream, greeting })
    }

    /// Sends one statement and waits for its answer. After `Closed` and `Late` the connection must
    /// be dropped.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Row>, StatementError> {
        // The engine ends a statement by itself after half of this time, unless it is stuck.
        self.run_within(sql, ADMIN_STATEMENT_MAX).await
    }

    /// As [`Self::run`], with another bound of time.
    pub async fn run_within(
        &mut self,
        sql: &str,
        most: Duration,
    ) -> Result<Vec<Row>, StatementError> {
        let answer = tokio::time::timeout(most, self.exchange(sql)).await;
        match answer
            .map_err(|_| StatementError::Late)?
            .map_err(StatementError::Closed)?
        {
            Outcome::Rows(rows) => Ok(rows),
            Outcome::Done(_) => Ok(Vec::new()),
            Outcome::Refused(e) => {
                let reason = format!("{} ({})", e.message_lossy(), e.code);
                Err(match BUSY_ERRORS.contains(&e.code) {
                    true => StatementError::Busy(reason),
                    false => StatementError::Refused(reason),
                })
            }
        }
    }

    /// Sets what a tenant or the operator may have set for all sessions.
    async fn settle_session(&mut self) -> Result<(), AdminError> {
        for sql in session_settings::first_statements() {
            match self.run(&sql).await {
                Ok(_) => {}
                Err(StatementError::Refused(reason)) => return Err(AdminError::Refused(reason)),
                Err(StatementError::Busy(reason)) => return Err(AdminError::Busy(reason)),
                Err(StatementError::Closed(error)) => return Err(error),
                Err(StatementError::Late) => {
                    return Err(AdminError::Late("its first statement took too long"));
                }
            }
        }
        Ok(())
    }

    async fn exchange(&mut self, sql: &str) -> Result<Outcome, AdminError> {
        self.stream.send(&query::encode(sql)).await?;
        let mut reader = ResultReader::new(CAPABILITIES);
        loop {
            let packet = self.stream.packet().await?;
            if let Some(outcome) = reader.on_packet(&packet)? {
                return Ok(outcome);
            }
        }
    }
}

impl AdminGreeted {
    /// Logs in as the gateway's account.
    pub async fn login(mut self, password: &str) -> Result<Admin, AdminError> {
        let mut login = ClientLogin::new(ClientIdentity {
            user: ADMIN_USER.as_bytes().to_vec(),
            stage1: Some(stage1(password.as_bytes())),
            database: None,
            capabilities: CAPABILITIES,
            collation: COLLATION,
            max_packet: 1 << 24,
            attributes: Vec::new(),
            tls: false,
        });
        let mut packet = self.greeting;
        loop {
            match login.on_packet(packet)? {
                ClientStep::Send(bytes) => self.stream.send(&bytes).await?,
                // It did not ask for TLS.
                ClientStep::Secure(_) => return Err(ClientError::OutOfOrder.into()),
                ClientStep::Done { engine, .. } => {
                    let mut admin = Admin {
                        stream: self.stream,
                        session: engine.connection_id,
                    };
                    admin.settle_session().await?;
                    return Ok(admin);
                }
                // An engine without a free connection has not locked out our account, so nothing is
                // repaired.
                ClientStep::Refused(e) if BUSY_ERRORS.contains(&e.code) => {
                    return Err(AdminError::Busy(e.message_lossy().to_string()));
                }
                ClientStep::Refused(e) => {
                    return Err(AdminError::LoginRefused(e.message_lossy().to_string()));
                }
            }
            packet = self.stream.packet().await?;
        }
    }
}
