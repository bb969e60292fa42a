//! The administrative connection to one engine: the client's half of `wire` on a stream that this room connected.
//! Text queries only; never shared by two statements at once.

use crate::driver::RunError;
use crate::init_sql::ADMIN_USER;
use crate::limits::ADMIN_STATEMENT_MAX;
use tidegate_wire::auth::stage1;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::limits::ENGINE_PACKET_MAX;
use tidegate_wire::packet::{Packet, PacketReader};
use tidegate_wire::proxy;
use tidegate_wire::query::{self, Outcome, ResultReader, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// What our framing needs and no more. LONG_PASSWORD is what MariaDB calls CLIENT_MYSQL: no flags of its own.
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
            let got = self.inner.read(&mut self.buffer).await.map_err(|e| e.to_string())?;
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
    /// A statement was left half-read: nothing that follows could be trusted.
    broken: bool,
}

impl Admin {
    /// Waits for the engine's greeting on a connection that may still lie in the backlog.
    pub async fn greeting(inner: UnixStream) -> Result<Greeted, String> {
        let mut stream = Stream { inner, buffer: Vec::new(), at: 0 };
        // This one speaks for itself: LOCAL, so that the engine takes it for `localhost`.
        stream.send(&proxy::encode_v2(None)).await?;
        let greeting = stream.packet().await?;
        Ok(Greeted { stream, greeting })
    }

    /// One statement, one answer. Cancelled in the middle, the connection is lost.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Row>, RunError> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(RunError::Lost("a statement before this one was not finished".to_owned()));
        }
        let answer = tokio::time::timeout(ADMIN_STATEMENT_MAX, self.exchange(sql)).await;
        let outcome = answer.map_err(|_| RunError::Lost("a statement took too long".to_owned()))?;
        let outcome = outcome.map_err(RunError::Lost)?;
        self.broken = false;
        match outcome {
            Outcome::Rows(rows) => Ok(rows),
            Outcome::Done(_) => Ok(Vec::new()),
            Outcome::Refused(e) => Err(RunError::Refused(format!("{} ({})", e.message_lossy(), e.code))),
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
                ClientStep::Done { .. } => return Ok(Admin { stream: self.stream, broken: false }),
                ClientStep::Refused(e) => return Err(format!("the gateway's own login failed: {}", e.message_lossy())),
            }
            packet = self.stream.packet().await?;
        }
    }
}
