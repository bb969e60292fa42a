//! An engine that follows the protocol. It answers each packet with one of the responses that
//! MariaDB can give; the packet's last byte selects it. It panics at packets that a relay must
//! never forward.

use crate::script::Script;
use crate::session::is_ours;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::command::{Command, ReplyShape};
use tidegate_wire::kill;
use tidegate_wire::packet::{HEADER_LEN, Header, write_packet};
use tidegate_wire::relay::limits::KILL_TEXT_MAX;
use tidegate_wire::response::{ErrPacket, OkPacket, status};

const ROW: &[u8] = b"\x01x";
const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x08\0\x01\0\0\0\xfd\0\0\0\0\0";

#[derive(Debug)]
pub struct Engine {
    capabilities: Capabilities,
    map_kills: bool,
    input: Vec<u8>,
    /// The client is sending a file.
    file: bool,
    /// A file was requested while the client had already sent something else, which then became the
    /// file. This is not visible from outside.
    pub file_from_pipeline: bool,
    pub in_transaction: bool,
    /// The client has sent COM_QUIT.
    pub gone: bool,
}

impl Engine {
    pub fn new(script: &Script<'_>) -> Self {
        Self {
            capabilities: script.capabilities,
            map_kills: script.map_kills,
            input: Vec::new(),
            file: false,
            file_from_pipeline: false,
            in_transaction: script.status & status::IN_TRANS != 0,
            gone: false,
        }
    }

    pub fn receive(&mut self, bytes: &mut Vec<u8>) {
        self.input.append(bytes);
    }

    /// Whether no packet is incomplete and no answer is outstanding.
    pub fn has_all(&self) -> bool {
        self.input.is_empty() && !self.file
    }

    /// Answers one packet. None if none is complete.
    pub fn answer(&mut self) -> Option<Vec<u8>> {
        let header = Header::parse(&self.input)?;
        let end = HEADER_LEN + header.len as usize;
        if self.gone || self.input.len() < end {
            return None;
        }
        let payload: Vec<u8> = self.input.drain(..end).skip(HEADER_LEN).collect();
        let mut out = Answer {
            engine: self,
            seq: header.seq.wrapping_add(1),
            bytes: Vec::new(),
        };
        let choice = payload.last().copied().unwrap_or(0);
        if out.engine.file {
            if payload.is_empty() {
                out.engine.file = false;
                out.ok(choice, 0);
            }
            return Some(out.bytes);
        }
        let command = Command(payload.first().copied().unwrap_or(0));
        out.engine
            .check(header, command, payload.get(1..).unwrap_or_default());
        // MariaDB refuses what is no command by its sequence number, and closes.
        if header.seq != 0 {
            out.error();
            out.engine.gone = true;
            return Some(out.bytes);
        }
        match command.reply() {
            ReplyShape::None => out.engine.gone = command == Command::QUIT,
            ReplyShape::One => out.ok(choice, 0),
            ReplyShape::Text => out.packet(b"Uptime: 1"),
            ReplyShape::Results
                if command == Command::STMT_EXECUTE
                    && payload.get(5).is_some_and(|flags| *flags != 0) =>
            {
                out.cursor(choice);
            }
            ReplyShape::Results => out.results(choice),
            ReplyShape::Prepared => out.prepared(choice),
            ReplyShape::Rows | ReplyShape::Fields => {
                let of = if command.reply() == ReplyShape::Rows {
                    ROW
                } else {
                    DEFINITION
                };
                (0..choice & 7).for_each(|_| out.packet(of));
                out.end(choice, 0);
            }
            ReplyShape::Dialogue | ReplyShape::Untracked => out.error(),
        }
        Some(out.bytes)
    }

    fn check(&self, header: Header, command: Command, body: &[u8]) {
        // Every engine refuses a command with another sequence number.
        assert!(
            command != Command::CHANGE_USER || header.seq != 0,
            "a change of user was passed on"
        );
        if !self.map_kills || self.file_from_pipeline || body.len() > KILL_TEXT_MAX {
            return;
        }
        let killed = match (command, body) {
            (Command::QUERY, text) => kill::parse(text).map_or(0, |kill| kill.id),
            (Command::PROCESS_KILL, [a, b, c, d, ..]) => {
                u64::from(u32::from_le_bytes([*a, *b, *c, *d]))
            }
            _ => 0,
        };
        assert!(!is_ours(killed), "a KILL of {killed} was passed on");
    }
}

struct Answer<'a> {
    engine: &'a mut Engine,
    seq: u8,
    bytes: Vec<u8>,
}

impl Answer<'_> {
    fn packet(&mut self, payload: &[u8]) {
        write_packet(&mut self.seq, payload, &mut self.bytes);
    }

    fn status(&mut self, choice: u8, more: u16) -> u16 {
        self.engine.in_transaction = choice & 0x40 != 0;
        status::AUTOCOMMIT | (u16::from(self.engine.in_transaction) * status::IN_TRANS) | more
    }

    fn ok(&mut self, choice: u8, more: u16) {
        let affected_rows = u64::from(choice) << (choice & 63);
        let ok = OkPacket {
            affected_rows,
            last_insert_id: 0,
            status: self.status(choice, more),
            warnings: 0,
        };
        let payload = ok.encode(self.engine.capabilities);
        self.packet(&payload);
    }

    fn error(&mut self) {
        let payload = ErrPacket::new(1064, "42000", "no").encode();
        self.packet(&payload);
    }

    fn deprecates_eof(&self) -> bool {
        self.engine
            .capabilities
            .contains(Capabilities::DEPRECATE_EOF)
    }

    /// Packet that ends the rows: EOF, or OK in its place.
    fn end(&mut self, choice: u8, more: u16) {
        if self.deprecates_eof() {
            let at = self.bytes.len() + HEADER_LEN;
            self.ok(choice, more);
            self.bytes[at] = 0xFE;
        } else {
            self.eof(choice, more);
        }
    }

    fn eof(&mut self, choice: u8, more: u16) {
        let [low, high] = self.status(choice, more).to_le_bytes();
        self.packet(&[0xFE, 0, 0, low, high]);
    }

    fn columns(&mut self, choice: u8) {
        let columns = 1 + (choice >> 6);
        let capabilities = self.engine.capabilities;
        if capabilities.contains(Capabilities::MARIADB_CACHE_METADATA) {
            // Behind the number: whether the definitions follow.
            let follow = choice & 0x20 == 0;
            self.packet(&[columns, u8::from(follow)]);
            if !follow {
                return;
            }
        } else {
            self.packet(&[columns]);
        }
        (0..columns).for_each(|_| self.packet(DEFINITION));
    }

    fn rows(&mut self, choice: u8, more: u16) {
        self.columns(choice);
        if !self.deprecates_eof() {
            self.eof(choice, more);
        }
        (0..choice >> 3 & 7).for_each(|_| self.packet(ROW));
        self.end(choice, more);
    }

    fn results(&mut self, choice: u8) {
        match choice & 7 {
            0 => self.ok(choice, 0),
            1 => self.error(),
            2 => self.rows(choice, 0),
            3 => {
                self.ok(!choice, status::MORE_RESULTS_EXISTS);
                self.ok(choice, 0);
            }
            4 => {
                self.engine.file = true;
                self.engine.file_from_pipeline |= !self.engine.input.is_empty();
                self.packet(b"\xFBfile");
            }
            5 => {
                self.rows(choice, status::MORE_RESULTS_EXISTS);
                self.error();
            }
            6 => {
                // A progress report, then rows that an error cuts short.
                self.packet(b"\xFF\xFF\xFF\x01\x01\x01\0\0\0\x01x");
                self.columns(choice);
                self.error();
            }
            _ => {
                self.rows(!choice, status::MORE_RESULTS_EXISTS);
                self.rows(choice, status::MORE_RESULTS_EXISTS);
                self.ok(choice, 0);
            }
        }
    }

    /// Columns only: the rows are fetched.
    fn cursor(&mut self, choice: u8) {
        self.columns(choice);
        self.end(choice, status::CURSOR_EXISTS);
    }

    fn prepared(&mut self, choice: u8) {
        let counts = [choice & 3, choice >> 2 & 3];
        self.packet(&[0, 1, 0, 0, 0, counts[1], 0, counts[0], 0, 0, 0, 0]);
        for count in counts.into_iter().filter(|n| *n > 0) {
            (0..count).for_each(|_| self.packet(DEFINITION));
            if !self.deprecates_eof() {
                self.packet(&[
                    0xFE,
                    0,
                    0,
                    if self.engine.in_transaction { 3 } else { 2 },
                    0,
                ]);
            }
        }
    }
}
