//! Engine's side of the relay: reads packet headers and the first bytes of packets, and so knows
//! where each answer ends. It changes no byte, and keeps only the head of a packet that arrives in
//! pieces.

mod results;

use super::cursors::Cursors;
use super::heads::EOF;
use super::limits::{HEAD_MAX, OUTSTANDING_MAX};
use crate::capabilities::Capabilities;
use crate::command::ReplyShape;
use crate::packet::{HEADER_LEN, Header, PAYLOAD_MAX};
use crate::response::status;
use crate::slices::split_at_most;
use std::collections::VecDeque;

/// Command that the engine has not answered yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outstanding {
    pub reply: ReplyShape,
    /// Sequence number of its last packet.
    pub seq: u8,
    /// STMT_EXECUTE asks for a cursor: the rows may come with STMT_FETCH instead.
    pub cursor: bool,
    /// Statement of STMT_EXECUTE and STMT_FETCH.
    pub statement: u32,
    /// COM_PING.
    pub ping: bool,
    /// Sequence number of the frame that its last packet came in, if the client compresses.
    pub frame: u8,
}

/// Position of the engine in the answer to the first outstanding command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerStage {
    /// The next packet decides what kind of result this is.
    Head,
    /// This many column definitions follow.
    Columns(u32),
    /// The EOF behind the column definitions follows.
    ColumnsEnd,
    Rows,
    /// This many packets follow: definitions of a prepared statement, and their EOFs.
    Definitions(u32),
    /// The client sends a file; then OK or ERR follows.
    File,
}

/// Tracker of the engine's answers.
#[derive(Debug)]
pub(super) struct Answers {
    deprecate_eof: bool,
    /// A byte behind the number of columns says whether their definitions follow.
    cache_metadata: bool,
    /// Status flags of the last OK or EOF.
    status: u16,
    outstanding: VecDeque<Outstanding>,
    pub cursors: Cursors,
    stage: AnswerStage,
    /// A packet of the current answer has passed.
    begun: bool,
    /// Bytes of the current packet that have not arrived yet.
    body_left: u32,
    /// The current packet is full: the next one continues it, so that its first byte has no
    /// meaning.
    continued: bool,
    head: [u8; HEADER_LEN + HEAD_MAX],
    head_len: u8,
    /// The engine sent something that this code does not understand. Everything still passes, but
    /// nothing is known about the session from here on.
    untracked: bool,
    /// The engine sent an error without a command before it.
    unasked_error: bool,
    /// The last packet is an error after which the engine closes the session.
    said_goodbye: bool,
    /// Length of the last packet, if it is the error of a statement that a setting prevents, or 0.
    prevented: u32,
    /// Sequence number of the next packet of the file that the engine has asked for. `None` while
    /// the engine reads commands.
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
            cache_metadata: capabilities.contains(Capabilities::MARIADB_CACHE_METADATA),
            status,
            outstanding: VecDeque::new(),
            cursors: Cursors::default(),
            stage: AnswerStage::Head,
            begun: false,
            body_left: 0,
            continued: false,
            head: [0; HEADER_LEN + HEAD_MAX],
            head_len: 0,
            untracked: false,
            unasked_error: false,
            said_goodbye: false,
            prevented: 0,
            file_sequence: None,
            command_behind_file: false,
            silent_last: false,
        }
    }

    /// Whether the stream can't be tracked any more.
    pub fn is_untracked(&self) -> bool {
        self.untracked
    }

    pub fn in_transaction(&self) -> bool {
        self.status & status::IN_TRANS != 0
    }

    /// Whether no answer is outstanding, and no packet is in progress.
    pub fn is_quiet(&self) -> bool {
        self.outstanding.is_empty()
            && !self.mid_packet()
            && !self.untracked
            && self.file_sequence.is_none()
    }

    /// Whether a command is not answered yet, and each of those is a ping.
    pub fn has_only_pings(&self) -> bool {
        !self.outstanding.is_empty()
            && self.file_sequence.is_none()
            && self.outstanding.iter().all(|command| command.ping)
    }

    /// Whether the client's next packets are a file, up to an empty one.
    pub fn wants_file(&self) -> bool {
        self.file_sequence.is_some()
    }

    pub fn command_behind_file(&self) -> bool {
        self.command_behind_file
    }

    /// Records a packet of the file. Returns false if its sequence number is not the next one.
    /// MariaDB reads the header of such a packet and takes its body for the next header, so that
    /// its packets begin at other positions than the client's from there on.
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

    /// Whether one more command may go to the engine.
    pub fn has_room(&self) -> bool {
        self.outstanding.len() < OUTSTANDING_MAX
    }

    /// Whether the client's next packets belong to an authentication dialogue.
    pub fn in_dialogue(&self) -> bool {
        self.outstanding
            .back()
            .is_some_and(|o| o.reply == ReplyShape::Dialogue)
    }

    /// Whether an error packet of the gateway fits before the engine's next packet.
    pub fn error_fits(&self) -> bool {
        let expected = !self.begun || self.stage == AnswerStage::File;
        expected && !self.untracked && !self.mid_packet() && !self.unasked_error
    }

    /// Whether the engine's last packet is the error that ends this session.
    pub fn said_goodbye(&self) -> bool {
        self.said_goodbye
    }

    /// Splits bytes that were read before the packet that ends them, if that is the whole error of
    /// a statement that a setting of the engine prevents.
    pub fn split_prevented<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        if self.prevented == 0 || self.untracked || self.mid_packet() {
            return None;
        }
        let packet = HEADER_LEN + self.prevented as usize;
        input.split_at_checked(input.len().checked_sub(packet)?)
    }

    /// Returns the sequence number of such a packet.
    pub fn error_sequence(&self) -> u8 {
        match self.file_sequence {
            Some(next) => next,
            None => self
                .outstanding
                .front()
                .map_or(0, |o| o.seq.wrapping_add(1)),
        }
    }

    /// Records a command that has gone to the engine.
    pub fn add_command(&mut self, command: Outstanding) {
        self.silent_last = command.reply == ReplyShape::None;
        // COM_STMT_CLOSE and the like have no answer to wait for.
        if !self.silent_last && !self.untracked {
            self.outstanding.push_back(command);
        }
    }

    /// Records a further packet of the last command.
    pub fn continue_command(&mut self, seq: u8) {
        if let Some(last) = self.outstanding.back_mut().filter(|_| !self.silent_last) {
            last.seq = seq;
        }
    }

    /// Records that the last command goes on in a further frame.
    pub fn continue_in_frame(&mut self, frame: u8) {
        if let Some(last) = self.outstanding.back_mut().filter(|_| !self.silent_last) {
            last.frame = frame;
        }
    }

    /// Returns the frame that the next answer answers, if no packet of that answer has passed.
    pub fn next_answer(&self) -> Option<u8> {
        let next = self.outstanding.front().filter(|_| !self.begun);
        next.filter(|_| !self.mid_packet()).map(|o| o.frame)
    }

    /// Stops tracking: from here on everything passes unread.
    fn stop_tracking(&mut self) {
        self.untracked = true;
        // Frees the memory: nothing is added any more.
        self.outstanding = VecDeque::new();
    }

    fn mid_packet(&self) -> bool {
        self.head_len > 0 || self.body_left > 0 || self.continued
    }

    /// Reads bytes of the engine.
    pub fn read_bytes(&mut self, mut input: &[u8]) {
        while !input.is_empty() && !self.untracked {
            input = self.read_part(input);
        }
    }

    /// Reads bytes of the engine up to the end of an answer. Returns how many it read.
    pub fn read_answer(&mut self, input: &[u8]) -> usize {
        let before = self.outstanding.len();
        let mut rest = input;
        while !rest.is_empty() && !self.untracked {
            rest = self.read_part(rest);
            if self.outstanding.len() < before && !self.mid_packet() {
                break;
            }
        }
        match self.untracked {
            true => input.len(),
            false => input.len() - rest.len(),
        }
    }

    /// Reads a part of a packet. Returns the bytes behind it.
    #[inline]
    fn read_part<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        if self.body_left > 0 {
            let (now, rest) = split_at_most(input, self.body_left as usize);
            self.body_left -= u32::try_from(now.len()).unwrap_or(self.body_left);
            rest
        } else if self.head_len > 0 {
            self.gather_head(input)
        } else {
            self.read_packet(input)
        }
    }

    /// Reads the header and head of a packet, or keeps the part of them that has arrived. Returns
    /// the bytes behind them.
    #[inline]
    fn read_packet<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        match self
            .head_length(input)
            .and_then(|length| input.split_at_checked(length))
        {
            Some((head, rest)) => {
                self.pass_head(head);
                rest
            }
            None => self.gather_head(input),
        }
    }

    /// Collects a head that arrives in pieces.
    fn gather_head<'a>(&mut self, mut input: &'a [u8]) -> &'a [u8] {
        while let Some((byte, rest)) = input.split_first() {
            let at = usize::from(self.head_len);
            if let Some(to) = self.head.get_mut(at) {
                *to = *byte;
                self.head_len += 1;
            }
            input = rest;
            let head = self.head;
            let Some(seen) = head.get(..=at) else {
                // Only a bug could make a head longer than the longest one.
                self.stop_tracking();
                return &[];
            };
            if self.head_length(seen) == Some(seen.len()) {
                self.head_len = 0;
                self.pass_head(seen);
                break;
            }
        }
        input
    }

    /// Returns the number of bytes of this packet that must be read, including the header. `None`
    /// if more bytes are needed to tell.
    #[inline]
    fn head_length(&self, packet: &[u8]) -> Option<usize> {
        let len = Header::parse(packet)?.len as usize;
        if self.continued || len == 0 {
            return Some(HEADER_LEN);
        }
        let first = *packet.get(HEADER_LEN)?;
        let passing = matches!(
            self.stage,
            AnswerStage::Rows | AnswerStage::Columns(_) | AnswerStage::Definitions(_)
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

    /// Reads a complete header and head.
    #[inline]
    fn pass_head(&mut self, seen: &[u8]) {
        let Some((header, head)) = Header::split(seen) else {
            return;
        };
        let continuation = self.continued;
        self.body_left = header.len - u32::try_from(head.len()).unwrap_or(header.len);
        self.continued = header.len as usize == PAYLOAD_MAX;
        if !continuation {
            self.read_head(header, head);
        }
    }
}
