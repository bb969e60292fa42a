//! Login of a client at its engine, with the password that it has proved.
//!
//! The connection starts with a PROXY v2 header that carries the client's address, so that grants,
//! PROCESSLIST and the engine's logs see the client and not the gateway. The login asks for exactly
//! the capabilities that were granted to the client: both sides must frame packets alike.

use crate::leg_stream::LegStream;
use crate::limits;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use rustls::ClientConnection;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use tidegate_model::EngineAddress;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::client::{ClientError, ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::limits::ENGINE_PACKET_MAX;
use tidegate_wire::packet::{Packet, PacketError, PacketReader};
use tidegate_wire::proxy;
use tidegate_wire::response::{ErrPacket, OkPacket};
use tidegate_wire::server::Login;
use tidegate_wire::slices::{OutOfBounds, head, tail};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

/// Client that is logged in, and its proof.
pub(crate) struct ProvenClient<'a> {
    pub client: SocketAddr,
    pub local: SocketAddr,
    pub login: &'a Login,
    /// Name of the account, in the character set of the login's collation.
    pub user: &'a [u8],
    /// SHA1(password); `None` for the empty password.
    pub stage1: Option<&'a Zeroizing<[u8; 20]>>,
}

impl ProvenClient<'_> {
    fn identity(&self, tls: bool) -> ClientIdentity {
        let Login {
            database,
            capabilities,
            collation,
            max_packet,
            attributes,
            ..
        } = self.login;
        ClientIdentity {
            user: self.user.to_vec(),
            stage1: self.stage1.cloned(),
            database: database.clone(),
            // Between client and gateway only: the engine is on this machine.
            capabilities: capabilities.without(Capabilities::COMPRESSION),
            collation: *collation,
            max_packet: *max_packet,
            attributes: attributes.clone(),
            tls,
        }
    }
}

/// Session at the engine.
pub(crate) struct EngineLogin {
    pub stream: UnixStream,
    /// TLS over that stream, for an account that requires it.
    pub tls: Option<Box<ClientConnection>>,
    /// Records sealed for the engine before this login.
    pub records: u64,
    pub session: u64,
    pub ok: OkPacket,
    /// The OK as it came: what else it says is for the client, whose login asked for the same
    /// capabilities.
    pub ok_payload: Vec<u8>,
}

/// Reason why there is no session at the engine.
pub(crate) enum LoginFailure {
    /// The engine answered with an error.
    Refused(ErrPacket),
    /// The engine broke off: it may be going to sleep, or have died.
    Broken(BrokenLogin),
}

impl<E: Into<BrokenLogin>> From<E> for LoginFailure {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

/// Reason why a login at an engine broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenLogin {
    #[error("the engine's socket failed")]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] ClientError),
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("the engine closed the connection during the login")]
    Closed,
    #[error("the engine sent a packet before the first command")]
    SpokeUnasked,
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}

/// Connects to the engine and logs the client in: over `tls`, if that is given and the engine
/// offers it. Otherwise the engine decides whether the account may log in without.
pub(crate) async fn log_in(
    address: &EngineAddress,
    who: &ProvenClient<'_>,
    tls: Option<Box<ClientConnection>>,
) -> Result<EngineLogin, LoginFailure> {
    let header = proxy::encode_v2(Some((who.client, who.local)));
    let EngineAddress::Unix(path) = address;
    let stream = connect(path, &header).await?;
    let mut machine = ClientLogin::new(who.identity(tls.is_some()));
    let mut packets = Packets::new(LegStream::new(stream));
    let greeting = packets.next().await?;
    let step = machine.on_packet(greeting)?;
    let login = finish(machine, packets, step, tls).await?;
    // Such a number has no room in a login packet.
    match u8::try_from(who.login.collation) {
        Ok(_) => Ok(login),
        Err(_) => {
            let session = login.session;
            let stream = LegStream::resume(login.stream, login.tls);
            let changed = change_user(stream, who).await?;
            Ok(EngineLogin { session, ..changed })
        }
    }
}

/// Changes the user of a session that exists, where no command is running. The login that it
/// returns has neither the session's id nor its records.
pub(crate) async fn change_user(
    stream: LegStream,
    who: &ProvenClient<'_>,
) -> Result<EngineLogin, LoginFailure> {
    let (machine, request) = ClientLogin::change_user(who.identity(false));
    let step = ClientStep::Send(request);
    finish(machine, Packets::new(stream), step, None).await
}

/// Sends a command that is answered by one packet, and waits for that.
pub(crate) async fn reset(stream: &mut LegStream, command: &[u8]) -> Result<(), BrokenLogin> {
    stream.write_all(command).await?;
    let mut reader = PacketReader::new(ENGINE_PACKET_MAX);
    let mut buffer = [0; READ];
    loop {
        let n = stream.read(&mut buffer).await?;
        let (_, packet) = reader.feed(head(&buffer, n)?)?;
        match packet {
            Some(_) => return Ok(()),
            None if n == 0 => return Err(BrokenLogin::Closed),
            None => {}
        }
    }
}

/// Takes the remaining steps of a login.
async fn finish(
    mut machine: ClientLogin,
    mut packets: Packets,
    mut step: ClientStep,
    mut offered_tls: Option<Box<ClientConnection>>,
) -> Result<EngineLogin, LoginFailure> {
    loop {
        step = match step {
            ClientStep::Send(bytes) => {
                packets.stream.write_all(&bytes).await?;
                machine.on_packet(packets.next().await?)?
            }
            ClientStep::Secure(request) => {
                packets.stream.write_all(&request).await?;
                if let Some(tls) = offered_tls.take() {
                    // The engine sends nothing until it has read the first record.
                    packets.stream.secure(tls).await?;
                }
                machine.secured()?
            }
            ClientStep::Done {
                ok,
                ok_payload,
                engine,
            } => {
                let (stream, tls) = packets.into_stream()?;
                return Ok(EngineLogin {
                    stream,
                    tls,
                    records: 0,
                    session: u64::from(engine.connection_id),
                    ok,
                    ok_payload,
                });
            }
            ClientStep::Refused(err) => return Err(LoginFailure::Refused(err)),
        };
    }
}

/// Connects to a Unix socket and sends the PROXY header. The socket is connected when the call
/// returns and accepts a few bytes at once; only a full backlog, which shows as EAGAIN, needs a
/// wait. The caller's deadline bounds that wait.
async fn connect(path: &Path, header: &[u8]) -> Result<UnixStream, BrokenLogin> {
    let address = SocketAddrUnix::new(path).map_err(io::Error::from)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    loop {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(io::Error::from)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::INTR) => {
                tokio::time::sleep(limits::BACKLOG_PAUSE).await;
                continue;
            }
            Err(e) => return Err(io::Error::from(e).into()),
        }
        let sent =
            rustix::net::send(&socket, header, SendFlags::NOSIGNAL).map_err(io::Error::from)?;
        let mut stream = UnixStream::from_std(socket.into())?;
        stream.write_all(tail(header, sent)?).await?;
        return Ok(stream);
    }
}

/// Reader of the engine's packets during the login. The engine only answers, so a read may take all
/// bytes that have arrived: half as many system calls as reading header and payload separately.
struct Packets {
    stream: LegStream,
    reader: PacketReader,
    buffer: [u8; READ],
    ahead: Range<usize>,
}

/// Bytes per read. A greeting has about 100 bytes, an OK or an error less than 600.
const READ: usize = 1024;

impl Packets {
    fn new(stream: LegStream) -> Self {
        Self {
            stream,
            reader: PacketReader::new(ENGINE_PACKET_MAX),
            buffer: [0; READ],
            ahead: 0..0,
        }
    }

    async fn next(&mut self) -> Result<Packet, BrokenLogin> {
        loop {
            let bytes = tail(head(&self.buffer, self.ahead.end)?, self.ahead.start)?;
            let (taken, packet) = self.reader.feed(bytes)?;
            self.ahead.start += taken;
            if let Some(packet) = packet {
                return Ok(packet);
            }
            let n = self.stream.read(&mut self.buffer).await?;
            if n == 0 {
                return Err(BrokenLogin::Closed);
            }
            self.ahead = 0..n;
        }
    }

    /// Returns the stream, from which the relay goes on to read.
    fn into_stream(mut self) -> Result<(UnixStream, Option<Box<ClientConnection>>), BrokenLogin> {
        // Bytes that were read ahead would be missing in the relay's stream.
        if self.ahead.is_empty() && !self.stream.has_plain_bytes()? {
            Ok(self.stream.into_parts())
        } else {
            Err(BrokenLogin::SpokeUnasked)
        }
    }
}
