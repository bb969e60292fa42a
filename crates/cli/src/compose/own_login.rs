//! A small client that verifies: it logs in through our own port as anybody else would and reads a
//! row, so that `up` prints nothing that was not tried. It never trusts what it knows from inside:
//! address, name and CA are the ones it prints.

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

/// Fixed part of a handshake response, which alone is the request for TLS.
const SSL_REQUEST_LEN: usize = 32;
const COM_QUIT: u8 = 1;
/// AuthMoreData, and in it: send the password, which TLS protects.
const PERFORM_FULL_AUTHENTICATION: [u8; 2] = [1, 4];

/// The way in, as it is printed for people.
pub struct Door<'a> {
    /// The name or address that the certificate must carry.
    pub host: &'a str,
    /// Where that leads.
    pub address: SocketAddr,
    pub tls: Arc<ClientConfig>,
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub tls: &'static str,
    /// From connect to the first row; `None` where nobody logged in.
    pub first_row: Option<Duration>,
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first_row {
            Some(took) => write!(f, "{}, first row in {} ms", self.tls, took.as_millis()),
            None => write!(
                f,
                "{}, certificate and name (not logged in: the password is kept nowhere)",
                self.tls
            ),
        }
    }
}

/// Connects, verifies chain and name, logs in and reads one row.
pub async fn first_row(
    door: &Door<'_>,
    user: &str,
    password: &str,
    database: &str,
) -> Result<Proof> {
    let began = Instant::now();
    let work = async {
        let (greeting, mut stream) = secure(door).await?;
        login(&mut stream, &greeting, user, password, database).await?;
        read_one(&mut stream).await?;
        let proof = Proof {
            tls: version(&stream),
            first_row: Some(began.elapsed()),
        };
        send(&mut stream, 0, &[COM_QUIT]).await?;
        let _ = stream.shutdown().await;
        Ok(proof)
    };
    tokio::time::timeout(limits::PROOF_MAX, work)
        .await
        .context("no row within 15 s")?
}

/// The same in steps, each with its time; the one that fails is the last. Without a password it
/// ends before the login.
pub async fn steps(
    door: &Door<'_>,
    user: &str,
    password: Option<&str>,
    database: &str,
) -> Vec<ProbeStep> {
    let mut steps = Vec::new();
    let bound = tokio::time::timeout(
        limits::PROOF_MAX,
        walk(door, user, password, database, &mut steps),
    )
    .await;
    if bound.is_err() {
        let step = match steps.len() {
            0 => ProbeStage::Tcp,
            1 => ProbeStage::Tls,
            2 => ProbeStage::Login,
            _ => ProbeStage::FirstRow,
        };
        let failure = Some("no answer within 15 s".to_owned());
        steps.push(ProbeStep {
            step,
            took: limits::PROOF_MAX,
            detail: String::new(),
            failure,
        });
    }
    steps
}

async fn walk(
    door: &Door<'_>,
    user: &str,
    password: Option<&str>,
    database: &str,
    steps: &mut Vec<ProbeStep>,
) {
    let mut began = Instant::now();
    let mut note = |step: ProbeStage, came: Result<String>| {
        let took = began.elapsed();
        let going = came.is_ok();
        began = Instant::now();
        let (detail, failure) = match came {
            Ok(detail) => (detail, None),
            Err(error) => (String::new(), Some(format!("{error:#}"))),
        };
        steps.push(ProbeStep {
            step,
            took,
            detail,
            failure,
        });
        going
    };
    let (greeting, tcp) = match greeted(door).await {
        Ok(both) => both,
        Err(error) => {
            note(ProbeStage::Tcp, Err(error));
            return;
        }
    };
    note(ProbeStage::Tcp, Ok(door.address.to_string()));
    let mut stream = match upgraded(door, &greeting, tcp).await {
        Ok(stream) => stream,
        Err(error) => {
            note(ProbeStage::Tls, Err(error));
            return;
        }
    };
    note(
        ProbeStage::Tls,
        Ok(format!("{}, chain and name verified", version(&stream))),
    );
    if let Some(password) = password {
        let came = login(&mut stream, &greeting, user, password, database).await;
        if note(ProbeStage::Login, came.map(|()| user.to_owned())) {
            let came = read_one(&mut stream).await;
            note(ProbeStage::FirstRow, came.map(|()| "SELECT 1".to_owned()));
        }
        let _ = send(&mut stream, 0, &[COM_QUIT]).await;
    }
    let _ = stream.shutdown().await;
}

/// Connects and verifies chain and name.
pub async fn identity(door: &Door<'_>) -> Result<Proof> {
    let work = async {
        let (_, mut stream) = secure(door).await?;
        let proof = Proof {
            tls: version(&stream),
            first_row: None,
        };
        let _ = stream.shutdown().await;
        Ok(proof)
    };
    tokio::time::timeout(limits::PROOF_MAX, work)
        .await
        .context("no TLS within 15 s")?
}

/// The leaf that is served there, its chain and name verified.
pub async fn leaf(door: &Door<'_>) -> Result<Vec<u8>> {
    let work = async {
        let (_, mut stream) = secure(door).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let leaf = chain.first().context("no certificate")?.to_vec();
        let _ = stream.shutdown().await;
        Ok(leaf)
    };
    tokio::time::timeout(limits::PROOF_MAX, work)
        .await
        .context("no TLS within 15 s")?
}

async fn secure(door: &Door<'_>) -> Result<(Greeting, TlsStream<TcpStream>)> {
    let (greeting, tcp) = greeted(door).await?;
    let stream = upgraded(door, &greeting, tcp).await?;
    Ok((greeting, stream))
}

async fn greeted(door: &Door<'_>) -> Result<(Greeting, TcpStream)> {
    let mut tcp = TcpStream::connect(door.address)
        .await
        .with_context(|| format!("connecting to {}", door.address))?;
    tcp.set_nodelay(true)?;
    match Opening::parse(&read(&mut tcp).await?.payload).context("reading the greeting")? {
        Opening::Greeting(greeting) => Ok((greeting, tcp)),
        Opening::Error(error) => Err(refused(&error)),
    }
}

async fn upgraded(
    door: &Door<'_>,
    greeting: &Greeting,
    mut tcp: TcpStream,
) -> Result<TlsStream<TcpStream>> {
    let request = response(greeting, "", "", None).encode();
    send(
        &mut tcp,
        1,
        request.get(..SSL_REQUEST_LEN).unwrap_or_default(),
    )
    .await?;
    let name = ServerName::try_from(door.host.to_owned())
        .with_context(|| format!("{:?} as a server's name", door.host))?;
    let connector = TlsConnector::from(Arc::clone(&door.tls));
    connector
        .connect(name, tcp)
        .await
        .with_context(|| format!("verifying {}", door.host))
}

fn response(
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
    // 32 bytes mean "caching_sha2, ask me for more"; which ones does not matter to who then asks
    // for the password.
    let scramble = if password.is_empty() {
        Vec::new()
    } else {
        vec![1; 32]
    };
    HandshakeResponse {
        capabilities: wanted.intersect(greeting.capabilities),
        max_packet: 1 << 24,
        collation: greeting.collation,
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
    send(
        stream,
        2,
        &response(greeting, user, password, Some(database)).encode(),
    )
    .await?;
    let asked = read(stream).await?;
    if asked.payload != PERFORM_FULL_AUTHENTICATION {
        return Err(unexpected(&asked, "the request for the password"));
    }
    let mut clear = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    clear.extend_from_slice(password.as_bytes());
    clear.push(0);
    send(stream, asked.seq.wrapping_add(1), &clear).await?;
    let answer = read(stream).await?;
    match answer.payload.first() {
        Some(0) => Ok(()),
        _ => Err(unexpected(&answer, "the end of the login")),
    }
}

async fn read_one<S>(stream: &mut S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&query::encode("SELECT 1")).await?;
    stream.flush().await?;
    // Nothing that changes how results look was asked for at login.
    let mut result = ResultReader::new(Capabilities(0));
    loop {
        match result.on_packet(&read(stream).await?)? {
            None => {}
            Some(Outcome::Rows(rows)) if rows == [[Some(b"1".to_vec())]] => return Ok(()),
            Some(Outcome::Refused(error)) => return Err(refused(&error)),
            Some(_) => bail!("another row came than was asked for"),
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

/// One packet and not a byte more: what follows the greeting belongs to TLS.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Packet> {
    let mut reader = PacketReader::new(limits::PROOF_PACKET_MAX);
    loop {
        let byte = stream.read_u8().await.context("the connection ended")?;
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
        _ => anyhow::anyhow!("something else came than {wanted}"),
    }
}

fn refused(error: &ErrPacket) -> anyhow::Error {
    anyhow::anyhow!("refused with {}: {}", error.code, error.message_lossy())
}

/// A listener on all addresses is reached by loopback.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
