//! The administrative connection to one engine: the client's half of `wire` on a stream that this
//! room connected. Text queries only; never shared by two statements at once.

use crate::limits::{ADMIN_STATEMENT_MAX, READING_MAX_SECONDS};
use crate::local::init_sql::ADMIN_USER;
use tidegate_wire::auth::stage1;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::limits::ENGINE_PACKET_MAX;
use tidegate_wire::packet::{Packet, PacketReader};
use tidegate_wire::query::{self, Outcome, ResultReader, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// What our framing needs and no more. LONG_PASSWORD is what MariaDB calls CLIENT_MYSQL: no flags
/// of its own.
const CAPABILITIES: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// utf8mb4_general_ci.
const COLLATION: u8 = 45;
/// One read from the socket. Answers are small; the accounts of a large cluster come in several.
const READ_SIZE: usize = 16 << 10;

struct Stream {
    inner: UnixStream,
    buffer: Vec<u8>,
    at: usize,
}

impl Stream {
    async fn packet(&mut self) -> Result<Packet, String> {
        let mut reader = PacketReader::new(ENGINE_PACKET_MAX);
        loop {
            let bytes = self.buffer.get(self.at..).unwrap_or_default();
            let (taken, packet) = reader.feed(bytes).map_err(|e| e.to_string())?;
            self.at += taken;
            if let Some(packet) = packet {
                return Ok(packet);
            }
            self.buffer.resize(READ_SIZE, 0);
            let got = self
                .inner
                .read(&mut self.buffer)
                .await
                .map_err(|e| e.to_string())?;
            if got == 0 {
                return Err("the engine closed it".to_owned());
            }
            self.buffer.truncate(got);
            self.at = 0;
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.inner.write_all(bytes).await.map_err(|e| e.to_string())
    }
}

/// The engine has greeted: it is up.
pub struct Greeted {
    stream: Stream,
    greeting: Packet,
}

pub struct Admin {
    stream: Stream,
    /// The engine's own number of this session.
    pub session: u32,
}

/// Why a statement has no result.
#[derive(Debug)]
pub enum StatementError {
    /// The engine said no; the connection stays good.
    Refused(String),
    /// The engine closed the connection.
    Closed(String),
    /// No answer in time. The connection can't be used any more.
    Late,
}

impl Admin {
    /// Waits for the engine's greeting on a connection that may still lie in the backlog.
    pub async fn greeting(inner: UnixStream) -> Result<Greeted, String> {
        // No PROXY header: the engine takes this connection for one of `localhost`, also where a
        // tenant has changed the networks that headers are taken from.
        let mut stream = Stream {
            inner,
            buffer: Vec::new(),
            at: 0,
        };
        let greeting = stream.packet().await?;
        Ok(Greeted { stream, greeting })
    }

    /// Sends one statement and waits for its answer. After any error but a refusal the connection
    /// must be dropped.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Row>, StatementError> {
        let answer = tokio::time::timeout(ADMIN_STATEMENT_MAX, self.exchange(sql)).await;
        match answer
            .map_err(|_| StatementError::Late)?
            .map_err(StatementError::Closed)?
        {
            Outcome::Rows(rows) => Ok(rows),
            Outcome::Done(_) => Ok(Vec::new()),
            Outcome::Refused(e) => Err(StatementError::Refused(format!(
                "{} ({})",
                e.message_lossy(),
                e.code
            ))),
        }
    }

    /// Sets what a tenant may have set for all sessions. Ours is idle for as long as the cluster is
    /// awake; its statements end by themselves before we give them up.
    async fn settle_session(&mut self) -> Result<(), String> {
        let sql = format!(
            "SET SESSION wait_timeout=31536000, max_statement_time={READING_MAX_SECONDS}, \
             lock_wait_timeout={READING_MAX_SECONDS}, innodb_lock_wait_timeout={READING_MAX_SECONDS}, autocommit=1"
        );
        match self.run(&sql).await {
            Ok(_) => Ok(()),
            Err(StatementError::Refused(reason) | StatementError::Closed(reason)) => Err(reason),
            Err(StatementError::Late) => Err("its first statement took too long".to_owned()),
        }
    }

    async fn exchange(&mut self, sql: &str) -> Result<Outcome, String> {
        self.stream.send(&query::encode(sql)).await?;
        let mut reader = ResultReader::new(CAPABILITIES);
        loop {
            let packet = self.stream.packet().await?;
            if let Some(outcome) = reader.on_packet(&packet).map_err(|e| e.to_string())? {
                return Ok(outcome);
            }
        }
    }
}

impl Greeted {
    /// Logs in as the gateway's account.
    pub async fn login(mut self, password: &str) -> Result<Admin, String> {
        let mut login = ClientLogin::new(ClientIdentity {
            user: ADMIN_USER.as_bytes().to_vec(),
            stage1: Some(stage1(password.as_bytes())),
            database: None,
            capabilities: CAPABILITIES,
            collation: COLLATION,
            max_packet: 1 << 24,
            attributes: Vec::new(),
        });
        let mut packet = self.greeting;
        loop {
            match login.on_packet(packet).map_err(|e| e.to_string())? {
                ClientStep::Send(bytes) => self.stream.send(&bytes).await?,
                ClientStep::Done { connection_id, .. } => {
                    let mut admin = Admin {
                        stream: self.stream,
                        session: connection_id,
                    };
                    admin.settle_session().await?;
                    return Ok(admin);
                }
                ClientStep::Refused(e) => {
                    return Err(format!(
                        "the gateway's own login failed: {}",
                        e.message_lossy()
                    ));
                }
            }
            packet = self.stream.packet().await?;
        }
    }
}
