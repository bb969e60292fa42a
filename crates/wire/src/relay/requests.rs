//! Client's side of the relay: where packets begin and end, and which of them must be held back.
//! Only the first bytes of a packet are read, and all of a statement that may be a KILL or ask for
//! the TLS of its connection.

use super::limits::KILL_TEXT_MAX;
use super::{Intercepted, RelayError};
use crate::command::Command;
use crate::kill;
use crate::packet::{HEADER_LEN, Header, PAYLOAD_MAX, PartialHeader, write_packet};
use crate::slices::split_at_most;
use crate::tls_status;

/// Position of the cursor flags in STMT_EXECUTE: behind the command and the statement's id.
const CURSOR_FLAGS_AT: usize = HEADER_LEN + 1 + 4;

/// Decision on a packet, by its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketStart {
    /// This many bytes of the packet are needed to decide.
    Needs(usize),
    /// The packet goes to the engine.
    Passes(CommandStart),
    /// The packet is complete, and the driver decides what happens to it.
    Intercepted(Intercepted),
}

/// Beginning of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommandStart {
    pub header: Header,
    pub command: Command,
    /// STMT_EXECUTE asks for a cursor.
    pub cursor: bool,
    /// Statement that the command is about, or 0.
    pub statement: u32,
}

impl CommandStart {
    pub fn new(header: Header, command: Command) -> Self {
        Self {
            header,
            command,
            cursor: false,
            statement: 0,
        }
    }
}

/// Reads the beginning of a packet: `packet` has its header and the bytes behind it that have
/// arrived.
pub(super) fn read_start(packet: &[u8]) -> Result<PacketStart, RelayError> {
    let Some((header, payload)) = Header::split(packet) else {
        return Ok(PacketStart::Needs(HEADER_LEN));
    };
    let len = header.len as usize;
    let whole = HEADER_LEN + len;
    // A packet with another sequence number is not a command, but the rest of a file whose LOAD
    // DATA has failed, say: MariaDB refuses it with 1156 and closes. An empty packet is COM_SLEEP
    // to MariaDB, which answers it.
    if header.seq != 0 || len == 0 {
        let start = CommandStart::new(header, Command::SLEEP);
        return Ok(PacketStart::Passes(start));
    }
    let Some((byte, body)) = payload.split_first() else {
        return Ok(PacketStart::Needs(HEADER_LEN + 1));
    };
    let command = Command(*byte);
    // Bytes behind this packet are not part of it.
    let (body, _) = split_at_most(body, len - 1);
    let is_whole = packet.len() >= whole;
    let mut start = CommandStart::new(header, command);
    let intercepted = match command {
        // Only a statement that may be a KILL is held back. All others pass by their first bytes.
        Command::QUERY if len <= 1 + KILL_TEXT_MAX && kill::may_be_kill(body) => {
            if !is_whole {
                return Ok(PacketStart::Needs(whole));
            }
            kill::parse(body).map(|kill| Intercepted::Kill {
                id: kill.id,
                query: kill.query,
            })
        }
        Command::QUERY | Command::STMT_PREPARE
            if len <= 1 + KILL_TEXT_MAX && tls_status::may_be_question(body) =>
        {
            if !is_whole {
                return Ok(PacketStart::Needs(whole));
            }
            tls_status::is_question(body).then_some(Intercepted::TlsStatus)
        }
        Command::PROCESS_KILL if (5..=1 + KILL_TEXT_MAX).contains(&len) => match *body {
            _ if !is_whole => return Ok(PacketStart::Needs(whole)),
            [a, b, c, d, ..] => Some(Intercepted::ProcessKill {
                id: u32::from_le_bytes([a, b, c, d]),
            }),
            _ => None,
        },
        // The rest of it is read as a login is.
        Command::CHANGE_USER => Some(Intercepted::ChangeUser),
        Command::STMT_EXECUTE if whole > CURSOR_FLAGS_AT => match packet.get(CURSOR_FLAGS_AT) {
            Some(flags) => {
                start.cursor = *flags != 0;
                start.statement = statement_id(body);
                None
            }
            None => return Ok(PacketStart::Needs(CURSOR_FLAGS_AT + 1)),
        },
        Command::STMT_FETCH | Command::STMT_CLOSE | Command::STMT_RESET
            if whole >= CURSOR_FLAGS_AT =>
        {
            if packet.len() < CURSOR_FLAGS_AT {
                return Ok(PacketStart::Needs(CURSOR_FLAGS_AT));
            }
            start.statement = statement_id(body);
            None
        }
        _ => None,
    };
    Ok(match intercepted {
        Some(command) => PacketStart::Intercepted(command),
        None => PacketStart::Passes(start),
    })
}

/// Returns the id that the body of a command of a prepared statement begins with.
fn statement_id(body: &[u8]) -> u32 {
    body.first_chunk()
        .map_or(0, |id: &[u8; 4]| u32::from_le_bytes(*id))
}

/// Writes a COM_PROCESS_KILL with this id. An id that has no room in the command's four bytes goes
/// as a statement, which the engine answers alike.
pub(super) fn write_process_kill(header: Header, id: u64, rest: &[u8], out: &mut Vec<u8>) {
    let mut seq = header.seq;
    let payload = match u32::try_from(id) {
        Ok(id) => [&[Command::PROCESS_KILL.0], &id.to_le_bytes()[..], rest].concat(),
        Err(_) => [&[Command::QUERY.0], format!("KILL {id}").as_bytes()].concat(),
    };
    write_packet(&mut seq, &payload, out);
}

/// Position of the client's stream in its current packet.
#[derive(Debug, Default)]
pub(super) struct StreamPosition {
    body_left: u32,
    /// The last packet was full, so the next one continues it.
    pub continued: bool,
    /// Header that arrives in pieces, of a packet that begins no command.
    header: PartialHeader,
}

impl StreamPosition {
    pub fn mid_packet(&self) -> bool {
        self.body_left > 0 || self.continued || self.header.is_begun()
    }

    /// Begins a packet, of whose body `seen` bytes have passed already.
    pub fn enter(&mut self, header: Header, seen: usize) {
        self.body_left = header
            .len
            .saturating_sub(u32::try_from(seen).unwrap_or(u32::MAX));
        self.continued = header.len as usize == PAYLOAD_MAX;
    }

    /// Skips the bytes of the current packet's body, as far as they are available. Returns their
    /// number.
    pub fn skip(&mut self, available: usize) -> usize {
        let now = available.min(self.body_left as usize);
        self.body_left -= u32::try_from(now).unwrap_or(self.body_left);
        now
    }

    /// Passes bytes of the header of a packet that begins no command. Returns their number, and the
    /// header once it is complete.
    pub fn pass_header(&mut self, input: &[u8]) -> (usize, Option<Header>) {
        let (rest, header) = self.header.feed(input);
        if let Some(header) = header {
            self.enter(header, 0);
        }
        (input.len() - rest.len(), header)
    }
}
