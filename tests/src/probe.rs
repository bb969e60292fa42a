//! A connection that sends exactly the bytes of a test, in plaintext or in TLS. It knows packet
//! frames and nothing else of the protocol.

use crate::limits::READ_WAIT;
use crate::tls;
use crate::wire::{self, Greeting, Refused, Response};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

pub struct Probe {
    stream: Stream,
    pub greeting: Greeting,
    /// Sequence number of the last packet received.
    pub seq: u8,
}

/// Result of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    In,
    Refused(Refused),
    Closed,
}

impl Verdict {
    pub fn refused(self) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            other => panic!("an error packet was expected, not {other:?}"),
        }
    }
}

/// Reads until the server closes the connection, cleanly or by a reset. Panics if it does not close
/// it: a read that timed out is not the end.
pub fn read_until_ended(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    if let Err(error) = stream.read_to_end(&mut all) {
        assert!(!is_timeout(&error), "not ended after {} bytes", all.len());
    }
    all
}

/// Whether a read timed out.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Connects, without sending or reading anything.
pub fn dial(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("the endpoint listens");
    stream.set_read_timeout(Some(READ_WAIT)).expect("a timeout");
    stream
        .set_write_timeout(Some(READ_WAIT))
        .expect("a timeout");
    // The test decides which bytes travel in one segment.
    stream.set_nodelay(true).expect("nodelay");
    stream
}

pub fn frame(seq: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_le_bytes();
    let mut out = vec![length[0], length[1], length[2], seq];
    out.extend_from_slice(payload);
    out
}

impl Probe {
    /// Connects and reads the greeting.
    pub fn connect(addr: SocketAddr) -> Self {
        Self::over(dial(addr))
    }

    /// Reads the greeting from an existing connection.
    pub fn over(mut stream: TcpStream) -> Self {
        let (seq, payload) = read_frame(&mut stream)
            .expect("a greeting")
            .expect("a greeting");
        assert_eq!(seq, 0, "the greeting is packet 0");
        Self {
            stream: Stream::Plain(stream),
            greeting: Greeting::parse(&payload),
            seq,
        }
    }

    /// Connects, asks for TLS and finishes its handshake, verifying against `127.0.0.1`.
    pub fn secured(addr: SocketAddr, config: Arc<ClientConfig>) -> Self {
        Self::secured_for(addr, config, "127.0.0.1").expect("the TLS handshake")
    }

    /// Connects, asks for TLS and finishes its handshake, verifying against this name.
    pub fn secured_for(
        addr: SocketAddr,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        let mut probe = Self::connect(addr);
        probe.write(1, &wire::ssl_request(wire::ORDINARY));
        probe.upgrade(config, name)?;
        Ok(probe)
    }

    /// Returns the server's own certificate.
    pub fn leaf(&self) -> Vec<u8> {
        self.tls().peer_certificates().expect("after a handshake")[0].to_vec()
    }

    /// Runs the TLS handshake on a plaintext connection.
    pub fn upgrade(&mut self, config: Arc<ClientConfig>, name: &str) -> io::Result<()> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let Stream::Plain(tcp) = &self.stream else {
            panic!("TLS in TLS")
        };
        let mut tcp = tcp.try_clone()?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(tls, tcp)));
        Ok(())
    }

    /// Changes the keys of the sending side in the middle of a session.
    pub fn update_keys(&mut self) {
        match &mut self.stream {
            Stream::Tls(stream) => stream.conn.refresh_traffic_keys().expect("TLS 1.3"),
            Stream::Plain(_) => panic!("not secured"),
        }
    }

    pub fn tls(&self) -> &ClientConnection {
        match &self.stream {
            Stream::Tls(stream) => &stream.conn,
            Stream::Plain(_) => panic!("not secured"),
        }
    }

    pub fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Tls(stream) => &stream.sock,
            Stream::Plain(stream) => stream,
        }
    }

    /// Sends bytes unchanged.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Plain(stream) => stream.write_all(bytes),
        }
    }

    /// Sends a packet with this sequence number.
    pub fn write(&mut self, seq: u8, payload: &[u8]) {
        self.raw(&frame(seq, payload)).expect("the peer reads");
    }

    /// Sends a packet with the number after the last one received.
    pub fn answer(&mut self, payload: &[u8]) {
        self.write(self.seq.wrapping_add(1), payload);
    }

    /// Sends a command.
    pub fn command(&mut self, payload: &[u8]) {
        for (part, seq) in parts(payload).into_iter().zip(0u8..) {
            self.write(seq, part);
        }
    }

    /// Reads this many bytes.
    pub fn read_raw(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        match &mut self.stream {
            Stream::Tls(stream) => stream.read_exact(&mut bytes),
            Stream::Plain(stream) => stream.read_exact(&mut bytes),
        }?;
        Ok(bytes)
    }

    /// Reads a frame. `None` if the peer has closed the connection cleanly.
    pub fn frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let read = match &mut self.stream {
            Stream::Tls(stream) => read_frame(stream.as_mut()),
            Stream::Plain(stream) => read_frame(stream),
        }?;
        Ok(read.map(|(seq, payload)| {
            self.seq = seq;
            payload
        }))
    }

    /// Reads a payload, from as many frames as it has.
    pub fn payload(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(mut whole) = self.frame()? else {
            return Ok(None);
        };
        let mut last = whole.len();
        while last == 0xff_ffff {
            let Some(more) = self.frame()? else {
                return Ok(None);
            };
            last = more.len();
            whole.extend_from_slice(&more);
        }
        Ok(Some(whole))
    }

    /// Reads a payload that must come.
    pub fn expect(&mut self) -> Vec<u8> {
        self.payload()
            .expect("readable")
            .expect("a packet, not the end")
    }

    /// Reads everything up to the end, clean or not.
    pub fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = match &mut self.stream {
            Stream::Tls(stream) => stream.read_to_end(&mut rest),
            Stream::Plain(stream) => stream.read_to_end(&mut rest),
        };
        rest
    }

    /// Sends the response and continues like a client with this password, up to the result.
    pub fn login(&mut self, response: &Response, password: &str) -> Verdict {
        self.write(2, &response.bytes());
        self.finish_login(password)
    }

    pub fn finish_login(&mut self, password: &str) -> Verdict {
        loop {
            let Ok(Some(packet)) = self.payload() else {
                return Verdict::Closed;
            };
            match packet.as_slice() {
                [0x00, ..] => return Verdict::In,
                [0xff, ..] => {
                    return Verdict::Refused(Refused::parse(&packet).expect("an error packet"));
                }
                [0x01, 0x03] => {}
                [0x01, 0x04] => {
                    let mut clear = password.as_bytes().to_vec();
                    clear.push(0);
                    self.answer(&clear);
                }
                [0xfe, rest @ ..] => {
                    let mut parts = rest.splitn(2, |b| *b == 0);
                    let plugin = parts.next().unwrap_or_default();
                    if plugin == wire::SHA2.as_bytes() {
                        // Its proof is never checked: the password itself is asked for.
                        let proof = if password.is_empty() { 1 } else { 32 };
                        self.answer(&vec![0; proof]);
                        continue;
                    }
                    assert_eq!(plugin, wire::NATIVE.as_bytes(), "no other switch");
                    let salt = parts.next().unwrap_or_default();
                    let salt = salt.strip_suffix(&[0]).unwrap_or(salt);
                    let scramble = if password.is_empty() {
                        vec![]
                    } else {
                        wire::native_scramble(password, salt)
                    };
                    self.answer(&scramble);
                }
                other => panic!("what is this packet? {other:?}"),
            }
        }
    }

    /// Resets the connection.
    pub fn reset(self) {
        let at_once = Some(std::time::Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(self.tcp(), at_once).expect("a socket");
    }

    /// Closes the connection without close_notify, like a killed process.
    pub fn vanish(self) {
        let _ = self.tcp().shutdown(Shutdown::Both);
    }
}

fn read_frame(stream: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut header = [0; 4];
    let mut have = 0;
    while have < 4 {
        match stream.read(&mut header[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload)?;
    Ok(Some((header[3], payload)))
}

/// Logs in like a verifying client and returns the result.
pub fn try_login(
    addr: SocketAddr,
    ca: &std::path::Path,
    user: &str,
    password: &str,
) -> (Probe, Verdict) {
    let mut probe = Probe::secured(addr, tls::verified(ca, tls::BOTH));
    let verdict = probe.login(&Response::new(user), password);
    (probe, verdict)
}

/// Splits a payload into packets, including the empty one after a full one.
pub fn parts(payload: &[u8]) -> Vec<&[u8]> {
    let mut parts: Vec<&[u8]> = payload.chunks(0xff_ffff).collect();
    if payload.len().is_multiple_of(0xff_ffff) {
        parts.push(&[]);
    }
    parts
}

/// Returns the bytes of a command, all its packets.
pub fn frames(payload: &[u8]) -> Vec<u8> {
    parts(payload)
        .iter()
        .zip(0u8..)
        .flat_map(|(part, seq)| frame(seq, part))
        .collect()
}
