//! The engine's side: walks packet headers and the first bytes that matter, and so knows where each
//! answer ends. Never changes a byte, never keeps one longer than it takes to read the head of a
//! packet.

use super::limits::{HEAD_MAX, OUTSTANDING_MAX};
use crate::capabilities::Capabilities;
use crate::command::Reply;
use crate::packet::{HEADER_LEN, Header, PAYLOAD_MAX};
use crate::reader::Reader;
use crate::response::status;
use crate::slices::split_at_most;
use std::collections::VecDeque;

const OK: u8 = 0x00;
const AUTH_MORE_DATA: u8 = 0x01;
const LOCAL_INFILE: u8 = 0xFB;
const EOF: u8 = 0xFE;
const ERR: u8 = 0xFF;
/// An EOF packet of five bytes; a row that begins with the same byte is never as short as nine.
const EOF_BELOW: u32 = 9;
/// MariaDB's progress reports look like an error with this code.
const PROGRESS: u16 = 0xFFFF;

/// A command that the engine has yet to answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outstanding {
    pub reply: Reply,
    /// The sequence number of its last packet.
    pub seq: u8,
    /// STMT_EXECUTE asked for a cursor: the rows may come by STMT_FETCH instead.
    pub cursor: bool,
}

/// Where in the answer to the first outstanding command the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The next packet decides what this result is.
    Head,
    Columns(u32),
    ColumnsEnd,
    Rows,
    /// Definitions of a prepared statement, and their EOFs.
    Definitions(u32),
    /// The client sends a file; then OK or ERR follows.
    File,
}

#[derive(Debug)]
pub(super) struct Answers {
    deprecate_eof: bool,
    status: u16,
    outstanding: VecDeque<Outstanding>,
    stage: Stage,
    /// A packet of the current answer has been seen.
    begun: bool,
    /// Bytes of the current packet that are still to come.
    body_left: u32,
    /// The current packet is full: the next one goes on with it and has no first byte of its own.
    continued: bool,
    head: [u8; HEADER_LEN + HEAD_MAX],
    head_len: u8,
    /// What came made no sense to us. Everything still passes; nothing can be said about it any
    /// more.
    lost: bool,
    unasked_error: bool,
    /// Sequence number of the next packet of the file that the engine has asked for. None: the
    /// engine reads commands.
    file_sequence: Option<u8>,
    /// The client sent a command behind a LOAD DATA, where the engine reads the file.
    command_behind_file: bool,
    /// The last command has no answer.
    silent_last: bool,
}

impl Answers {
    pub fn new(capabilities: Capabilities, status: u16) -> Self {
        Self {
            deprecate_eof: capabilities.contains(Capabilities::DEPRECATE_EOF),
            status,
            outstanding: VecDeque::new(),
            stage: Stage::Head,
            begun: false,
            body_left: 0,
            continued: false,
            head: [0; HEADER_LEN + HEAD_MAX],
            head_len: 0,
            lost: false,
            unasked_error: false,
            file_sequence: None,
            command_behind_file: false,
            silent_last: false,
        }
    }

    pub fn is_lost(&self) -> bool {
        self.lost
    }

    pub fn in_transaction(&self) -> bool {
        self.status & status::IN_TRANS != 0
    }

    /// Nothing outstanding, and no packet half passed.
    pub fn is_quiet(&self) -> bool {
        self.outstanding.is_empty()
            && !self.mid_packet()
            && !self.lost
            && self.file_sequence.is_none()
    }

    /// The client's next packets are a file, up to an empty one.
    pub fn wants_file(&self) -> bool {
        self.file_sequence.is_some()
    }

    pub fn command_behind_file(&self) -> bool {
        self.command_behind_file
    }

    /// Books a packet of the file. False: its sequence number is not the next one. MariaDB reads
    /// the header of such a packet and takes its body for the next header, so from there on nobody
    /// knows where its packets begin.
    #[must_use]
    pub fn file_packet(&mut self, header: Header, continuation: bool) -> bool {
        let Some(expected) = self.file_sequence else {
            return true;
        };
        let in_order = header.seq == expected;
        let ends = in_order && header.len == 0 && !continuation;
        self.file_sequence = (!ends).then(|| header.seq.wrapping_add(1));
        in_order
    }

    pub fn has_room(&self) -> bool {
        self.outstanding.len() < OUTSTANDING_MAX
    }

    pub fn in_dialogue(&self) -> bool {
        self.outstanding
            .back()
            .is_some_and(|o| o.reply == Reply::Dialogue)
    }

    /// Whether an error packet of ours may be put before the engine's next packet.
    pub fn error_fits(&self) -> bool {
        let expected = !self.begun || self.stage == Stage::File;
        expected && !self.lost && !self.mid_packet() && !self.unasked_error
    }

    /// Sequence number of such a packet.
    pub fn error_sequence(&self) -> u8 {
        match self.file_sequence {
            Some(next) => next,
            None => self
                .outstanding
                .front()
                .map_or(0, |o| o.seq.wrapping_add(1)),
        }
    }

    pub fn asked(&mut self, command: Outstanding) {
        self.silent_last = command.reply == Reply::None;
        if !self.silent_last && !self.lost {
            self.outstanding.push_back(command);
        }
    }

    /// A further packet of the last command.
    pub fn asked_more(&mut self, seq: u8) {
        if let Some(last) = self.outstanding.back_mut().filter(|_| !self.silent_last) {
            last.seq = seq;
        }
    }

    /// From here on everything passes unread.
    pub fn lose(&mut self) {
        self.lost = true;
        self.outstanding = VecDeque::new();
    }

    fn mid_packet(&self) -> bool {
        self.head_len > 0 || self.body_left > 0 || self.continued
    }

    pub fn walk(&mut self, mut input: &[u8]) {
        while !input.is_empty() && !self.lost {
            if self.body_left > 0 {
                let (now, rest) = split_at_most(input, self.body_left as usize);
                self.body_left -= u32::try_from(now.len()).unwrap_or(self.body_left);
                input = rest;
                continue;
            }
            input = if self.head_len > 0 {
                self.gather(input)
            } else {
                self.packet(input)
            };
        }
    }

    /// At the start of a packet: passes its header and head, or keeps what there is of them.
    #[inline]
    fn packet<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        match self
            .wanted(input)
            .and_then(|wanted| input.split_at_checked(wanted))
        {
            Some((seen, rest)) => {
                self.pass(seen);
                rest
            }
            None => self.gather(input),
        }
    }

    /// The slow way, for a head in pieces.
    fn gather<'a>(&mut self, mut input: &'a [u8]) -> &'a [u8] {
        while let Some((byte, rest)) = input.split_first() {
            let at = usize::from(self.head_len);
            if let Some(to) = self.head.get_mut(at) {
                *to = *byte;
                self.head_len += 1;
            }
            input = rest;
            let head = self.head;
            let Some(seen) = head.get(..=at) else {
                // A head longer than any: a bug of ours. Nothing can be said about this stream.
                self.lose();
                return &[];
            };
            if self.wanted(seen) == Some(seen.len()) {
                self.head_len = 0;
                self.pass(seen);
                break;
            }
        }
        input
    }

    /// How many bytes of this packet must be seen, header included; None: not even that can be told
    /// yet.
    #[inline]
    fn wanted(&self, packet: &[u8]) -> Option<usize> {
        let len = Header::parse(packet)?.len as usize;
        if self.continued || len == 0 {
            return Some(HEADER_LEN);
        }
        let first = *packet.get(HEADER_LEN)?;
        let passing = matches!(
            self.stage,
            Stage::Rows | Stage::Columns(_) | Stage::Definitions(_)
        );
        Some(
            HEADER_LEN
                + if passing && first < EOF {
                    1
                } else {
                    len.min(HEAD_MAX)
                },
        )
    }

    #[inline]
    fn pass(&mut self, seen: &[u8]) {
        let Some((header, head)) = Header::split(seen) else {
            return;
        };
        let continuation = self.continued;
        self.body_left = header.len - u32::try_from(head.len()).unwrap_or(header.len);
        self.continued = header.len as usize == PAYLOAD_MAX;
        if !continuation {
            self.read(header, head);
        }
    }

    /// The head of one packet.
    fn read(&mut self, header: Header, head: &[u8]) {
        let len = header.len;
        let Some(asked) = self.outstanding.front().copied() else {
            self.unasked_error |= head.first() == Some(&ERR);
            return if head.first() != Some(&ERR) {
                self.lose()
            };
        };
        self.begun = true;
        if asked.reply == Reply::Text {
            return self.answered();
        }
        let Some(&first) = head.first() else {
            // Only a row of no columns would be empty, and there is none.
            return self.lose();
        };
        if first == ERR {
            if code(head) != Some(PROGRESS) {
                self.answered();
            }
            return;
        }
        match self.stage {
            Stage::Head => self.read_first(asked, header, first, head),
            Stage::Columns(1) => {
                self.stage = if self.deprecate_eof {
                    Stage::Rows
                } else {
                    Stage::ColumnsEnd
                }
            }
            Stage::Columns(left) => self.stage = Stage::Columns(left - 1),
            Stage::ColumnsEnd => match eof_status(head) {
                Some(flags) if asked.cursor && opens_cursor(flags) => self.answered_with(flags),
                Some(flags) => {
                    self.status = flags;
                    self.stage = Stage::Rows;
                }
                None => self.lose(),
            },
            Stage::Rows if first == EOF && self.ends_rows(len) => self.read_end(asked, head),
            Stage::Rows => {}
            Stage::Definitions(1) => self.answered(),
            Stage::Definitions(left) => self.stage = Stage::Definitions(left - 1),
            Stage::File if first == OK => {
                self.file_sequence = None;
                self.read_ok(head);
            }
            Stage::File => self.lose(),
        }
    }

    fn read_first(&mut self, asked: Outstanding, header: Header, first: u8, head: &[u8]) {
        let len = header.len;
        match asked.reply {
            Reply::Results => match first {
                OK => self.read_ok(head),
                LOCAL_INFILE => {
                    self.command_behind_file = self.outstanding.len() > 1 || self.silent_last;
                    self.file_sequence = Some(header.seq.wrapping_add(1));
                    self.stage = Stage::File;
                }
                _ => match Reader::new(head)
                    .lenenc()
                    .ok()
                    .and_then(|n| u32::try_from(n).ok())
                {
                    Some(columns) if first != EOF && columns > 0 => {
                        self.stage = Stage::Columns(columns)
                    }
                    _ => self.lose(),
                },
            },
            Reply::Prepared => match definitions(head, self.deprecate_eof) {
                Some(0) => self.answered(),
                Some(packets) => self.stage = Stage::Definitions(packets),
                None => self.lose(),
            },
            Reply::Rows if first == EOF && self.ends_rows(len) => self.read_end(asked, head),
            Reply::Rows => self.stage = Stage::Rows,
            // Definitions begin with the length of "def".
            Reply::Fields if first == EOF => self.read_end(asked, head),
            Reply::Fields => {}
            Reply::Dialogue if matches!(first, EOF | AUTH_MORE_DATA) => {}
            Reply::One if first == EOF => self.read_end(asked, head),
            Reply::One | Reply::Dialogue if first == OK => self.read_ok(head),
            _ => self.lose(),
        }
    }

    fn ends_rows(&self, len: u32) -> bool {
        if self.deprecate_eof {
            (len as usize) < PAYLOAD_MAX
        } else {
            len < EOF_BELOW
        }
    }

    /// The packet that ends rows: an EOF, or with DEPRECATE_EOF an OK that begins with the EOF's
    /// byte.
    fn read_end(&mut self, asked: Outstanding, head: &[u8]) {
        let flags = if self.deprecate_eof && head.len() > 5 {
            ok_status(head)
        } else {
            eof_status(head)
        };
        match flags {
            Some(flags) if asked.reply == Reply::Results => self.end_result(flags),
            Some(flags) => self.answered_with(flags),
            None => self.lose(),
        }
    }

    fn read_ok(&mut self, head: &[u8]) {
        let one = self
            .outstanding
            .front()
            .is_some_and(|o| o.reply != Reply::Results);
        match ok_status(head) {
            Some(flags) if one => self.answered_with(flags),
            Some(flags) => self.end_result(flags),
            None => self.lose(),
        }
    }

    fn end_result(&mut self, flags: u16) {
        if flags & status::MORE_RESULTS_EXISTS == 0 {
            return self.answered_with(flags);
        }
        self.status = flags;
        self.stage = Stage::Head;
    }

    fn answered_with(&mut self, flags: u16) {
        self.status = flags;
        self.answered();
    }

    fn answered(&mut self) {
        self.outstanding.pop_front();
        self.stage = Stage::Head;
        self.begun = false;
        // After an error the engine reads commands again, also where the file's end is still to
        // come: it has refused a packet of the file, or never read one.
        self.file_sequence = None;
    }
}

fn code(head: &[u8]) -> Option<u16> {
    let [_, a, b, ..] = *head else { return None };
    Some(u16::from_le_bytes([a, b]))
}

/// OK: 0x00 or 0xFE, affected rows, last insert id, status flags.
fn ok_status(head: &[u8]) -> Option<u16> {
    let mut r = Reader::new(head.get(1..)?);
    r.lenenc().ok()?;
    r.lenenc().ok()?;
    r.u16().ok()
}

/// EOF: 0xFE, warnings, status flags.
fn eof_status(head: &[u8]) -> Option<u16> {
    let [EOF, _, _, a, b, ..] = *head else {
        return None;
    };
    Some(u16::from_le_bytes([a, b]))
}

/// In a procedure that uses a cursor of its own, MariaDB leaves CURSOR_EXISTS set before rows that
/// do follow. There MORE_RESULTS_EXISTS is set as well, which a cursor of the client's never has.
fn opens_cursor(flags: u16) -> bool {
    flags & (status::CURSOR_EXISTS | status::MORE_RESULTS_EXISTS) == status::CURSOR_EXISTS
}

/// The packets that follow the OK of a prepared statement: 0x00, statement id, columns, parameters.
fn definitions(head: &[u8], deprecate_eof: bool) -> Option<u32> {
    let [OK, _, _, _, _, c0, c1, p0, p1, ..] = *head else {
        return None;
    };
    let counts = [u16::from_le_bytes([c0, c1]), u16::from_le_bytes([p0, p1])];
    let list = |n: u16| {
        if n == 0 {
            0
        } else {
            u32::from(n) + u32::from(!deprecate_eof)
        }
    };
    Some(counts.into_iter().map(list).sum())
}
