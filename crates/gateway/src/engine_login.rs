//! Logs a client in to its engine with what it has proved.
//!
//! The leg starts with a PROXY v2 header that carries the client's address, so that grants, PROCESSLIST and logs tell
//! the truth; then `wire`'s client half speaks, with exactly the capabilities granted to the client.

use crate::limits;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::limits::LOGIN_PACKET_MAX;
use tidegate_wire::packet::{HEADER_LEN, Header, Packet};
use tidegate_wire::proxy;
use tidegate_wire::response::{ErrPacket, OkPacket};
use tidegate_wire::server::Login;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

pub(crate) struct Who<'a> {
    pub client: SocketAddr,
    pub local: SocketAddr,
    pub login: &'a Login,
    pub user: &'a str,
    pub stage1: Option<&'a Zeroizing<[u8; 20]>>,
}

pub(crate) struct EngineLogin {
    pub stream: UnixStream,
    pub session: u32,
    pub ok: OkPacket,
}

pub(crate) enum LoginFailure {
    /// The engine said no.
    Refused(ErrPacket),
    /// It closed or broke off: it may be going to sleep, or have died.
    Broken(String),
}

impl From<io::Error> for LoginFailure {
    fn from(e: io::Error) -> Self {
        Self::Broken(e.to_string())
    }
}

pub(crate) async fn log_in(socket: &Path, who: &Who<'_>) -> Result<EngineLogin, LoginFailure> {
    let mut stream = connect(socket).await?;
    let header = proxy::encode_v2(Some((who.client, who.local)));
    stream.write_all(&header).await?;
    let mut machine = ClientLogin::new(ClientIdentity {
        user: who.user.as_bytes().to_vec(),
        stage1: who.stage1.cloned(),
        database: who.login.database.clone(),
        capabilities: who.login.capabilities,
        collation: who.login.collation,
        max_packet: who.login.max_packet,
        attributes: who.login.attributes.clone(),
    });
    loop {
        let packet = read_packet(&mut stream).await?;
        match machine.on_packet(packet) {
            Ok(ClientStep::Send(bytes)) => stream.write_all(&bytes).await?,
            Ok(ClientStep::Done { ok, connection_id, .. }) => {
                return Ok(EngineLogin { stream, session: connection_id, ok });
            }
            Ok(ClientStep::Refused(err)) => return Err(LoginFailure::Refused(err)),
            Err(e) => return Err(LoginFailure::Broken(e.to_string())),
        }
    }
}

/// Connects. A full backlog shows as EAGAIN on a Unix socket that doesn't block; the caller's deadline ends the wait.
async fn connect(socket: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(limits::BACKLOG_PAUSE).await,
            result => return result,
        }
    }
}

/// One packet and not a byte more: what follows belongs to the relay.
async fn read_packet(stream: &mut UnixStream) -> Result<Packet, LoginFailure> {
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).await?;
    let header = Header::parse(&head).ok_or_else(|| LoginFailure::Broken("no header".to_owned()))?;
    let len = header.len as usize;
    if len > LOGIN_PACKET_MAX {
        return Err(LoginFailure::Broken("a packet too large for a login".to_owned()));
    }
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).await?;
    Ok(Packet { seq: header.seq, payload })
}
