//! The packets that the check reads and writes: greeting, error, TLS request, login. Hostile bytes
//! result in None or an error, never in a panic, and no buffer is allocated by a length that the
//! server claims.

use crate::limits::PACKET_MAX;
use std::io::{self, Read, Write};

pub(crate) const LONG_PASSWORD: u32 = 1;
pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
pub(crate) const PROTOCOL_41: u32 = 1 << 9;
pub(crate) const SSL: u32 = 1 << 11;
pub(crate) const TRANSACTIONS: u32 = 1 << 13;
pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;

/// Capabilities of an ordinary client.
pub(crate) const ORDINARY: u32 =
    LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH;

/// utf8mb4_general_ci, known by every server since 5.5.
const COLLATION: u8 = 45;

/// A server's greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub protocol: u8,
    pub version: String,
    pub capabilities: u32,
    pub salt: Vec<u8>,
    pub plugin: String,
}

/// An error packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrPacket {
    pub code: u16,
    pub state: String,
    pub text: String,
}

/// Reads one packet of at most [`PACKET_MAX`] bytes: its sequence number and payload.
pub(crate) fn read(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let [a, b, c, sequence] = header;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if length > PACKET_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a packet of {length} bytes"),
        ));
    }
    let mut payload = Vec::new();
    // The buffer grows with the bytes that come, not by the claimed length.
    stream.take(length as u64).read_to_end(&mut payload)?;
    if payload.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((sequence, payload))
}

/// Returns header and payload. Everything sent here is far below the 16 MB limit of one packet.
pub(crate) fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    let mut out = Vec::with_capacity(payload.len() + 4);
    out.extend(length.iter().take(3));
    out.push(sequence);
    out.extend_from_slice(payload);
    out
}

pub(crate) fn write(stream: &mut impl Write, sequence: u8, payload: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(sequence, payload))?;
    stream.flush()
}

/// Takes bytes from the front; None if there are too few.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|b| *b == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }
}

pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Greeting {
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(payload);
        let protocol = bytes.u8()?;
        let version = lossy(bytes.until_nul()?);
        let _connection_id = bytes.take(4)?;
        let mut salt = bytes.take(8)?.to_vec();
        bytes.take(1)?;
        let low = bytes.u16()?;
        let mut greeting = Self {
            protocol,
            version,
            capabilities: u32::from(low),
            salt: Vec::new(),
            plugin: String::new(),
        };
        // Before 4.1 the packet ended here.
        if let Some(rest) = bytes.take(3).and_then(|_| bytes.u16()) {
            greeting.capabilities |= u32::from(rest) << 16;
            let length = bytes.u8().unwrap_or(0);
            let _reserved = bytes.take(10);
            // At least 13 bytes, whatever the length says (protocol 10); the last one is a NUL.
            let second = usize::from(length.saturating_sub(8)).max(13);
            let more = bytes.take(second.min(bytes.0.len())).unwrap_or_default();
            salt.extend(more.iter().take(12));
            greeting.plugin = lossy(bytes.until_nul().unwrap_or(bytes.0));
        }
        greeting.salt = salt;
        Some(greeting)
    }

    /// Parses the version as drivers do. MariaDB prefixes its own with one that MySQL's replicas
    /// accept.
    pub fn number(&self) -> Option<(u16, u16, u16)> {
        let mut parts = self.version.split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        Some((
            parts.next()??,
            parts.next()??,
            parts.next().flatten().unwrap_or(0),
        ))
    }
}

impl ErrPacket {
    /// Parses an error packet with or, as before the login, without an SQLSTATE.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(payload);
        if bytes.u8()? != 0xff {
            return None;
        }
        let code = bytes.u16()?;
        let state = match bytes.0.strip_prefix(b"#") {
            Some(rest) => {
                let (state, rest) = rest.split_at_checked(5)?;
                bytes.0 = rest;
                lossy(state)
            }
            None => String::new(),
        };
        Some(Self {
            code,
            state,
            text: lossy(bytes.0),
        })
    }

    /// Whether the error is not about this login: the server is full, or has blocked this address.
    pub fn says_busy(&self) -> bool {
        matches!(self.code, 1040 | 1129 | 1130 | 1203 | 1226)
    }
}

impl std::fmt::Display for ErrPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error {}", self.code)?;
        if !self.state.is_empty() {
            write!(f, " ({})", self.state)?;
        }
        write!(f, " {}", self.text)
    }
}

/// Writes capabilities, maximum packet size, collation and filler: the whole TLS request, and the
/// head of every login.
pub(crate) fn head(capabilities: u32) -> Vec<u8> {
    let mut out = capabilities.to_le_bytes().to_vec();
    out.extend((1u32 << 24).to_le_bytes());
    out.push(COLLATION);
    out.resize(32, 0);
    out
}

pub(crate) fn ssl_request() -> Vec<u8> {
    head(ORDINARY | SSL)
}

/// Returns the TLS request before a login with a database. Some servers read the capabilities here
/// and never again.
pub(crate) fn ssl_request_for(database: Option<&str>) -> Vec<u8> {
    head(
        ORDINARY
            | SSL
            | if database.is_some() {
                CONNECT_WITH_DB
            } else {
                0
            },
    )
}

/// A login packet.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    pub capabilities: u32,
    pub user: &'a str,
    pub proof: &'a [u8],
    pub database: Option<&'a str>,
    pub plugin: &'a str,
}

impl Login<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let with_database = if self.database.is_some() {
            CONNECT_WITH_DB
        } else {
            0
        };
        let mut out = head(self.capabilities | with_database);
        // A NUL would end the name early and shift all fields behind it.
        out.extend(self.user.bytes().filter(|b| *b != 0));
        out.push(0);
        // A proof is a hash of at most 32 bytes.
        out.push(u8::try_from(self.proof.len()).unwrap_or(0));
        out.extend(self.proof.iter().take(255));
        for text in self.database.into_iter().chain([self.plugin]) {
            out.extend(text.bytes().filter(|b| *b != 0));
            out.push(0);
        }
        out
    }
}
