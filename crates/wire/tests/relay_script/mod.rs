//! Hand-written packets, and a session that handles them as the driver does, without a socket.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "part of a test"
)]

use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::packet::{Header, write_packet};
use tidegate_wire::relay::{FromClient, Intercepted, Relay, RelayActivity};
use tidegate_wire::response::{ErrPacket, OkPacket};
use tidegate_wire::tls_status::TlsFacts;

pub use RelayActivity::{Busy, Idle, InTransaction, Pinging};

pub const AUTOCOMMIT: u16 = 2;
pub const IN_TRANS: u16 = 1;
pub const MORE: u16 = 8;
pub const CURSOR: u16 = 64;
pub const LAST_ROW: u16 = 128;
pub const OLD: Capabilities = Capabilities::PROTOCOL_41;
pub const NEW: Capabilities = Capabilities::PROTOCOL_41.union(Capabilities::DEPRECATE_EOF);
/// Bit that is set in the ids of the gateway. In these tests, the rest is the engine's id.
pub const OURS: u32 = 1 << 30;

/// TLS of the client in these tests.
pub const FACTS: TlsFacts = TlsFacts {
    version: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
};

/// Session with a relay, driven as the gateway drives it.
pub struct Session {
    pub relay: Relay,
    pub to_engine: Vec<u8>,
    pub to_client: Vec<u8>,
    stash: Vec<u8>,
    /// Bytes of a COM_CHANGE_USER that are still to come. A login reads them.
    left_of_change: usize,
    pub seen: Vec<Intercepted>,
    /// Bits that the engine's ids have beyond those of the client's.
    pub engine_bits: u64,
}

impl Session {
    pub fn new(capabilities: Capabilities) -> Self {
        let relay = Relay::new(capabilities, AUTOCOMMIT);
        Self {
            relay,
            to_engine: vec![],
            to_client: vec![],
            stash: vec![],
            left_of_change: 0,
            seen: vec![],
            engine_bits: 0,
        }
    }

    pub fn client(&mut self, bytes: &[u8]) -> RelayActivity {
        let mut all = std::mem::take(&mut self.stash);
        all.extend_from_slice(bytes);
        let mut rest = &all[..];
        loop {
            let of_change = self.left_of_change.min(rest.len());
            self.left_of_change -= of_change;
            rest = &rest[of_change..];
            if rest.is_empty() {
                break;
            }
            let taken = match self.relay.from_client(rest).unwrap() {
                FromClient::Forward(n) => {
                    self.to_engine.extend_from_slice(&rest[..n]);
                    n
                }
                FromClient::Hold(n) => n,
                FromClient::Command { consumed, command } => {
                    self.command(command);
                    consumed
                }
                FromClient::Wait => {
                    self.stash = rest.to_vec();
                    break;
                }
            };
            rest = &rest[taken..];
        }
        self.state()
    }

    fn command(&mut self, command: Intercepted) {
        self.seen.push(command);
        let id = match command {
            Intercepted::Kill { id, .. } => u32::try_from(id).ok(),
            Intercepted::ProcessKill { id } => Some(id),
            Intercepted::Other => None,
            Intercepted::TlsStatus => {
                return self.relay.release_tls_status(&FACTS, &mut self.to_engine);
            }
            Intercepted::ChangeUser => {
                let start = self.relay.take_held();
                let header = Header::parse(&start).unwrap();
                assert_eq!(start[4..], [0x11], "its first byte and no more");
                self.left_of_change = header.len as usize - 1;
                return;
            }
        };
        let ours = id.filter(|id| id & OURS != 0);
        let mapped = ours.map(|id| u64::from(id & !OURS) | self.engine_bits);
        self.relay.release_held(mapped, &mut self.to_engine);
    }

    pub fn engine(&mut self, bytes: &[u8]) -> RelayActivity {
        self.relay.from_engine(bytes).unwrap();
        self.to_client.extend_from_slice(bytes);
        if !self.stash.is_empty() {
            self.client(&[]);
        }
        self.state()
    }

    /// Returns the activity that the driver would report: a session with waiting bytes is busy.
    pub fn state(&self) -> RelayActivity {
        if self.stash.is_empty() {
            self.relay.activity()
        } else {
            Busy
        }
    }

    pub fn waits(&self) -> bool {
        !self.stash.is_empty()
    }
}

pub fn packet(mut seq: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_packet(&mut seq, payload, &mut out);
    out
}

pub fn command(byte: u8, rest: &[u8]) -> Vec<u8> {
    packet(0, &[&[byte], rest].concat())
}

pub fn query(text: &str) -> Vec<u8> {
    command(3, text.as_bytes())
}

pub fn ok(seq: u8, status: u16) -> Vec<u8> {
    packet(
        seq,
        &OkPacket {
            status,
            ..OkPacket::default()
        }
        .encode(NEW),
    )
}

pub fn err(seq: u8, code: u16) -> Vec<u8> {
    packet(
        seq,
        &ErrPacket::new(code, "HY000", "it went wrong").encode(),
    )
}

pub fn eof(seq: u8, status: u16) -> Vec<u8> {
    let [a, b] = status.to_le_bytes();
    packet(seq, &[0xFE, 0, 0, a, b])
}

/// Packet that ends rows: an EOF, or the OK that replaces it.
pub fn end(capabilities: Capabilities, seq: u8, status: u16) -> Vec<u8> {
    if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
        return eof(seq, status);
    }
    let mut payload = OkPacket {
        status,
        ..OkPacket::default()
    }
    .encode(NEW);
    payload[0] = 0xFE;
    packet(seq, &payload)
}

pub fn column(seq: u8) -> Vec<u8> {
    packet(
        seq,
        b"\x03def\x00\x00\x00\x01a\x00\x0c\x3f\x00\x0b\x00\x00\x00\x03\x81\x00\x00\x00\x00",
    )
}

/// Count of columns and their definitions, with the EOF where there is one.
pub fn columns(capabilities: Capabilities, n: u8, status: u16) -> Vec<u8> {
    let mut out = packet(1, &[n]);
    (0..n).for_each(|i| out.extend(column(2 + i)));
    if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
        out.extend(eof(2 + n, status));
    }
    out
}

/// Complete text result of one column.
pub fn result(capabilities: Capabilities, rows: &[&[u8]], status: u16) -> Vec<u8> {
    let mut out = columns(capabilities, 1, AUTOCOMMIT);
    for (i, row) in (4..).zip(rows) {
        out.extend(packet(i, row));
    }
    out.extend(end(capabilities, 9, status));
    out
}
