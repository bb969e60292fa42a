//! The client's side: where its packets begin and end, and what each that begins a command is to
//! us. Never looks behind the first bytes of a packet, but for what may be a KILL.

use super::limits::{CHANGE_USER_MAX, KILL_TEXT_MAX};
use super::{Intercepted, RelayError};
use crate::command::Command;
use crate::kill::{self, Prospect};
use crate::packet::{HEADER_LEN, Header, PAYLOAD_MAX, PartialHeader};
use crate::slices::split_at_most;

/// Where in STMT_EXECUTE its cursor flags stand: behind the command and the statement's id.
const CURSOR_FLAGS_AT: usize = HEADER_LEN + 1 + 4;

/// What the beginning of a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// So many bytes of it must be there before more can be said.
    Needs(usize),
    Passes(Start),
    /// A whole packet that the driver must be asked about.
    Ours(Intercepted),
}

/// The beginning of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub header: Header,
    pub command: Command,
    pub cursor: bool,
}

/// `packet`: from the first byte of a header on, as far as it has come.
pub(super) fn look(packet: &[u8]) -> Result<Look, RelayError> {
    let Some((header, payload)) = Header::split(packet) else {
        return Ok(Look::Needs(HEADER_LEN));
    };
    let len = header.len as usize;
    let whole = HEADER_LEN + len;
    let start = |command, cursor| {
        Look::Passes(Start {
            header,
            command,
            cursor,
        })
    };
    if header.seq != 0 {
        // No command: the rest of a file whose LOAD DATA has failed, say. MariaDB refuses it with
        // 1156 and closes.
        return Ok(start(Command::SLEEP, false));
    }
    if len == 0 {
        // MariaDB takes an empty packet for COM_SLEEP, and answers it.
        return Ok(start(Command::SLEEP, false));
    }
    let Some((byte, body)) = payload.split_first() else {
        return Ok(Look::Needs(HEADER_LEN + 1));
    };
    let command = Command(*byte);
    // What follows this packet is not part of it.
    let (body, _) = split_at_most(body, len - 1);
    Ok(match command {
        Command::QUERY if len <= 1 + KILL_TEXT_MAX && kill::prospect(body) == Prospect::Kill => {
            if packet.len() < whole {
                Look::Needs(whole)
            } else {
                match kill::parse(body) {
                    Some(kill) => Look::Ours(Intercepted::Kill {
                        id: kill.id,
                        query: kill.query,
                    }),
                    None => start(command, false),
                }
            }
        }
        Command::PROCESS_KILL if (5..=1 + KILL_TEXT_MAX).contains(&len) => match *body {
            _ if packet.len() < whole => Look::Needs(whole),
            [a, b, c, d, ..] => Look::Ours(Intercepted::ProcessKill {
                id: u32::from_le_bytes([a, b, c, d]),
            }),
            _ => start(command, false),
        },
        Command::CHANGE_USER if len > CHANGE_USER_MAX => {
            return Err(RelayError::ChangeUserTooLong(len));
        }
        Command::CHANGE_USER if packet.len() < whole => Look::Needs(whole),
        Command::CHANGE_USER => Look::Ours(Intercepted::ChangeUser),
        Command::STMT_EXECUTE if whole > CURSOR_FLAGS_AT => match packet.get(CURSOR_FLAGS_AT) {
            Some(flags) => start(command, *flags != 0),
            None => Look::Needs(CURSOR_FLAGS_AT + 1),
        },
        _ => start(command, false),
    })
}

/// How far a client is in its current packet.
#[derive(Debug, Default)]
pub(super) struct Position {
    body_left: u32,
    /// The last packet was full, so the next one goes on with it.
    pub continued: bool,
    /// A header in pieces, of a packet that begins no command.
    header: PartialHeader,
}

impl Position {
    pub fn mid_packet(&self) -> bool {
        self.body_left > 0 || self.continued || self.header.is_begun()
    }

    /// Takes a header; `seen` bytes of its packet's body have passed with it.
    pub fn enter(&mut self, header: Header, seen: usize) {
        self.body_left = header
            .len
            .saturating_sub(u32::try_from(seen).unwrap_or(u32::MAX));
        self.continued = header.len as usize == PAYLOAD_MAX;
    }

    /// Passes what is here of the current packet's body.
    pub fn skip(&mut self, available: usize) -> usize {
        let now = available.min(self.body_left as usize);
        self.body_left -= u32::try_from(now).unwrap_or(self.body_left);
        now
    }

    /// Passes what is here of the header of a packet that begins no command: how many bytes, and
    /// the header if whole.
    pub fn pass_header(&mut self, input: &[u8]) -> (usize, Option<Header>) {
        let (rest, header) = self.header.feed(input);
        if let Some(header) = header {
            self.enter(header, 0);
        }
        (input.len() - rest.len(), header)
    }
}
