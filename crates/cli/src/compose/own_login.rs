//! Small MySQL client that verifies the server. It logs in through our own port like any other
//! client and reads a row, so that `up` prints only what has been tried. It uses the address, name
//! and CA that are printed, and nothing else that the server knows.

use crate::failure::one_line;
use crate::limits;
use anyhow::{Context, Result, bail};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_console::probe::{ProbeStage, ProbeStep};
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::greeting::{Greeting, Opening};
use tidegate_wire::handshake_response::HandshakeResponse;
use tidegate_wire::packet::{Packet, PacketReader, write_packet};
use tidegate_wire::query::{self, Outcome, ResultReader};
use tidegate_wire::response::ErrPacket;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

/// Length of an SSLRequest, which is the fixed part of a handshake response.
const SSL_REQUEST_LEN: usize = 32;
const COM_QUIT: u8 = 1;
/// AuthMoreData packet that asks for the password in plain text, which TLS protects.
const PERFORM_FULL_AUTHENTICATION: [u8; 2] = [1, 4];

/// Port of this server, as it is printed for people.
pub struct OwnPort<'a> {
    /// Name or address that the certificate must contain.
    pub host: &'a str,
    /// Address to connect to.
    pub address: SocketAddr,
    pub tls: Arc<ClientConfig>,
}

/// Result of a successful connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub tls: &'static str,
    /// Time from connect to the first row; `None` if there was no login.
    pub first_row: Option<Duration>,
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first_row {
            Some(took) => write!(f, "{}, first row in {} ms", self.tls, took.as_millis()),
            None => write!(
                f,
                "{}, certificate and name (not logged in: the password is not stored)",
                self.tls
            ),
        }
    }
}

/// Connects, verifies chain and name, logs in and reads a row.
pub async fn prove_login(
    port: &OwnPort<'_>,
    user: &str,
    password: &str,
    database: &str,
) -> Result<Proof> {
    let began = Instant::now();
    let work = async {
        let (greeting, mut stream) = connect_tls(port).await?;
        login(&mut stream, &greeting, user, password, database).await?;
        read_row(&mut stream).await?;
        let proof = Proof {
            tls: version(&stream),
            first_row: Some(began.elapsed()),
        };
        send(&mut stream, 0, &[COM_QUIT]).await?;
        let _ = stream.shutdown().await;
        Ok(proof)
    };
    tokio::time::timeout(limits::OWN_LOGIN_MAX, work)
        .await
        .context("no row within 15 s")?
}

/// Does the same as [`prove_login`], and returns each step with its time. A step that fails is the
/// last one. Without a password it stops before the login.
pub async fn login_steps(
    port: &OwnPort<'_>,
    user: &str,
    password: Option<&str>,
    database: &str,
) -> Vec<ProbeStep> {
    let mut record = StepRecord {
        steps: Vec::new(),
        began: Instant::now(),
    };
    let bound = tokio::time::timeout(
        limits::OWN_LOGIN_MAX,
        walk_steps(port, user, password, database, &mut record),
    )
    .await;
    let mut steps = record.steps;
    if bound.is_err() {
        // The step that was running is the first one without a result.
        let step = match steps.len() {
            0 => ProbeStage::Tcp,
            1 => ProbeStage::Tls,
            2 => ProbeStage::Login,
            _ => ProbeStage::FirstRow,
        };
        let failure = Some("no answer within 15 s".to_owned());
        steps.push(ProbeStep {
            step,
            took: limits::OWN_LOGIN_MAX,
            detail: String::new(),
            failure,
        });
    }
    steps
}

/// Steps that are done, and when the current one began.
struct StepRecord {
    steps: Vec<ProbeStep>,
    began: Instant,
}

impl StepRecord {
    /// Ends the current step, and returns its value if it succeeded. `detail` describes success.
    fn end<T>(
        &mut self,
        step: ProbeStage,
        result: Result<T>,
        detail: impl Fn(&T) -> String,
    ) -> Option<T> {
        let took = self.began.elapsed();
        self.began = Instant::now();
        self.steps.push(ProbeStep {
            step,
            took,
            detail: result.as_ref().map(detail).unwrap_or_default(),
            failure: result.as_ref().err().map(one_line),
        });
        result.ok()
    }
}

/// Takes the steps until one fails. Returns `None` at the first failure.
async fn walk_steps(
    port: &OwnPort<'_>,
    user: &str,
    password: Option<&str>,
    database: &str,
    record: &mut StepRecord,
) -> Option<()> {
    let greeted = read_greeting(port).await;
    let (greeting, tcp) = record.end(ProbeStage::Tcp, greeted, |_| port.address.to_string())?;
    let upgraded = upgrade_to_tls(port, &greeting, tcp).await;
    let mut stream = record.end(ProbeStage::Tls, upgraded, |stream| {
        format!("{}, chain and name verified", version(stream))
    })?;
    if let Some(password) = password {
        let logged_in = login(&mut stream, &greeting, user, password, database).await;
        if record
            .end(ProbeStage::Login, logged_in, |()| user.to_owned())
            .is_some()
        {
            let row = read_row(&mut stream).await;
            record.end(ProbeStage::FirstRow, row, |()| "SELECT 1".to_owned());
        }
        let _ = send(&mut stream, 0, &[COM_QUIT]).await;
    }
    let _ = stream.shutdown().await;
    Some(())
}

/// Connects and verifies chain and name, without a login.
pub async fn prove_identity(port: &OwnPort<'_>) -> Result<Proof> {
    let work = async {
        let (_, mut stream) = connect_tls(port).await?;
        let proof = Proof {
            tls: version(&stream),
            first_row: None,
        };
        let _ = stream.shutdown().await;
        Ok(proof)
    };
    tokio::time::timeout(limits::OWN_LOGIN_MAX, work)
        .await
        .context("no TLS within 15 s")?
}

/// Returns the leaf certificate that is served there, after its chain and name were verified.
pub async fn served_leaf(port: &OwnPort<'_>) -> Result<Vec<u8>> {
    let work = async {
        let (_, mut stream) = connect_tls(port).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let leaf = chain.first().context("no certificate")?.to_vec();
        let _ = stream.shutdown().await;
        Ok(leaf)
    };
    tokio::time::timeout(limits::OWN_LOGIN_MAX, work)
        .await
        .context("no TLS within 15 s")?
}

async fn connect_tls(port: &OwnPort<'_>) -> Result<(Greeting, TlsStream<TcpStream>)> {
    let (greeting, tcp) = read_greeting(port).await?;
    let stream = upgrade_to_tls(port, &greeting, tcp).await?;
    Ok((greeting, stream))
}

/// Connects and reads the greeting.
async fn read_greeting(port: &OwnPort<'_>) -> Result<(Greeting, TcpStream)> {
    let mut tcp = TcpStream::connect(port.address)
        .await
        .with_context(|| format!("connecting to {}", port.address))?;
    // Each packet is small and waits for its reply, which Nagle's algorithm would delay.
    tcp.set_nodelay(true)?;
    let packet = read_packet(&mut tcp).await?;
    match Opening::parse(&packet.payload).context("reading the greeting")? {
        Opening::Greeting(greeting) => Ok((greeting, tcp)),
        Opening::Error(error) => Err(refused(&error)),
    }
}

async fn upgrade_to_tls(
    port: &OwnPort<'_>,
    greeting: &Greeting,
    mut tcp: TcpStream,
) -> Result<TlsStream<TcpStream>> {
    // The TLS request is the head of a login. It has no user, since it is sent in clear text.
    let response = handshake_response(greeting, "", "", None).encode();
    let (request, _) = response
        .split_at_checked(SSL_REQUEST_LEN)
        .context("the request for TLS is too short")?;
    send(&mut tcp, 1, request).await?;
    let name = ServerName::try_from(port.host.to_owned())
        .with_context(|| format!("{:?} is not a valid server name", port.host))?;
    let connector = TlsConnector::from(Arc::clone(&port.tls));
    connector
        .connect(name, tcp)
        .await
        .with_context(|| format!("verifying {}", port.host))
}

fn handshake_response(
    greeting: &Greeting,
    user: &str,
    password: &str,
    database: Option<&str>,
) -> HandshakeResponse {
    let wanted = Capabilities::LONG_PASSWORD
        .union(Capabilities::PROTOCOL_41)
        .union(Capabilities::SSL)
        .union(Capabilities::TRANSACTIONS)
        .union(Capabilities::SECURE_CONNECTION)
        .union(Capabilities::PLUGIN_AUTH)
        .union(Capabilities::PLUGIN_AUTH_LENENC)
        .union(Capabilities::CONNECT_WITH_DB);
    // 32 bytes are the length of a caching_sha2 scramble. Their value does not matter: a server
    // that can't match them asks for the password.
    let scramble = if password.is_empty() {
        Vec::new()
    } else {
        vec![1; 32]
    };
    HandshakeResponse {
        capabilities: wanted.intersect(greeting.capabilities),
        max_packet: 1 << 24,
        collation: u16::from(greeting.collation),
        user: user.as_bytes().to_vec(),
        auth_response: scramble,
        database: database.map(|d| d.as_bytes().to_vec()),
        plugin: Some(b"caching_sha2_password".to_vec()),
        attributes: Vec::new(),
    }
}

async fn login<S>(
    stream: &mut S,
    greeting: &Greeting,
    user: &str,
    password: &str,
    database: &str,
) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let response = handshake_response(greeting, user, password, Some(database));
    send(stream, 2, &response.encode()).await?;
    let asked = read_packet(stream).await?;
    if asked.payload != PERFORM_FULL_AUTHENTICATION {
        return Err(unexpected(&asked, "the request for the password"));
    }
    // The capacity is set in advance: a buffer that grows would leave the password in freed memory.
    let mut clear = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    clear.extend_from_slice(password.as_bytes());
    clear.push(0);
    send(stream, asked.seq.wrapping_add(1), &clear).await?;
    let answer = read_packet(stream).await?;
    match answer.payload.first() {
        Some(0) => Ok(()),
        _ => Err(unexpected(&answer, "the OK packet of the login")),
    }
}

async fn read_row<S>(stream: &mut S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&query::encode("SELECT 1")).await?;
    stream.flush().await?;
    // The login asked for no capability that changes the format of results.
    let mut result = ResultReader::new(Capabilities(0));
    loop {
        match result.on_packet(&read_packet(stream).await?)? {
            None => {}
            Some(Outcome::Rows(rows)) if rows == [[Some(b"1".to_vec())]] => return Ok(()),
            Some(Outcome::Refused(error)) => return Err(refused(&error)),
            Some(_) => bail!("the row is not the one that was asked for"),
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, seq: u8, payload: &[u8]) -> Result<()> {
    let mut seq = seq;
    let mut out = Zeroizing::new(Vec::with_capacity(payload.len() + 4));
    write_packet(&mut seq, payload, &mut out);
    stream.write_all(&out).await?;
    Ok(stream.flush().await?)
}

/// Reads a packet and no byte more: the bytes after the greeting belong to TLS.
async fn read_packet<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Packet> {
    let mut reader = PacketReader::new(limits::OWN_LOGIN_PACKET_MAX);
    loop {
        let byte = stream
            .read_u8()
            .await
            .context("the connection was closed")?;
        if let (_, Some(packet)) = reader.feed(&[byte])? {
            return Ok(packet);
        }
    }
}

fn version(stream: &TlsStream<TcpStream>) -> &'static str {
    match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    }
}

fn unexpected(packet: &Packet, wanted: &str) -> anyhow::Error {
    match ErrPacket::parse(&packet.payload) {
        Ok(error) if packet.payload.first() == Some(&0xFF) => refused(&error),
        _ => anyhow::anyhow!("an unexpected packet instead of {wanted}"),
    }
}

fn refused(error: &ErrPacket) -> anyhow::Error {
    anyhow::anyhow!("refused with {}: {}", error.code, error.message_lossy())
}

/// Returns the address at which this machine reaches a listener: loopback, if it listens on all
/// addresses.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
