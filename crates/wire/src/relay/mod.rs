//! Core of the relay: the meaning of a session's bytes after its login, in both directions.
//!
//! Bytes pass unchanged. The core reads packet headers, status flags and first bytes, and so knows
//! whether the session is idle, busy or in a transaction. It holds back a packet only if it may be
//! a KILL, a COM_CHANGE_USER or a question about the connection's TLS. It does no I/O, and neither
//! copies nor allocates for bytes that pass.

mod answers;
mod cursors;
mod heads;
pub mod limits;
mod requests;

use crate::capabilities::Capabilities;
use crate::command::Command;
use crate::kill;
use crate::packet::{HEADER_LEN, Header, write_packet};
use crate::response::ErrPacket;
use crate::slices::{OutOfBounds, split_at_most, tail};
use crate::tls_status::{self, TlsFacts};
use answers::{Answers, Outstanding};
use requests::{CommandStart, PacketStart, StreamPosition, read_start, write_process_kill};
use zeroize::Zeroize;

/// Decision on bytes from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromClient {
    /// This many bytes go to the engine unchanged.
    Forward(usize),
    /// This many bytes were taken into the relay's buffer.
    Hold(usize),
    /// A packet is held back. [`Relay::release_held`] must be called next, except where
    /// [`Intercepted`] says otherwise.
    Command {
        consumed: usize,
        command: Intercepted,
    },
    /// No bytes were taken: responses must be complete first.
    Wait,
}

/// Packet that is held back, for the driver to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intercepted {
    /// Plain KILL statement.
    Kill {
        id: u64,
        query: bool,
    },
    ProcessKill {
        id: u32,
    },
    /// Beginning of a COM_CHANGE_USER. [`Relay::take_held`] must be called next: the session does
    /// not go on in this relay.
    ChangeUser,
    /// Statement that asks whether the connection is encrypted, as text or to be prepared.
    /// [`Relay::release_tls_status`] must be called next.
    TlsStatus,
    /// Packet that arrived in pieces, was held back, and turned out to be something else. It is
    /// released unchanged.
    Other,
}

/// Activity of a session, as far as its packets tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayActivity {
    Idle,
    Busy,
    /// Idle, but a transaction or a cursor is open.
    InTransaction,
    /// Nothing is in progress but pings, whose only purpose may be to keep the connection open.
    Pinging,
}

/// Reason why a session can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    #[error("COM_CHANGE_USER in a stream that could not be tracked any more")]
    ChangeUserUntracked,
    #[error("packet of a LOAD DATA file with sequence number {found} instead of {expected}")]
    FileOutOfOrder { found: u8, expected: u8 },
    #[error("command sent after LOAD DATA LOCAL INFILE, before the engine asked for the file")]
    CommandBehindFile,
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}

/// Core of one session's relay.
#[derive(Debug)]
pub struct Relay {
    answers: Answers,
    client: StreamPosition,
    /// Beginning of a packet that can't be decided on yet. Empty unless a packet arrives in pieces.
    held: HeldPacket,
    /// In a stream that can't be tracked any more: the next byte begins a packet that may be a
    /// command.
    may_be_command: bool,
    quit_seen: bool,
    /// Sequence number of the frame that the client's next bytes came in, if it compresses.
    frame: u8,
}

/// Bytes of a packet that is held back. They may contain the proof of a password, so they are not
/// shown, and are wiped when they are dropped.
#[derive(Default)]
struct HeldPacket(Vec<u8>);

impl std::fmt::Debug for HeldPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldPacket({} bytes)", self.0.len())
    }
}

impl Drop for HeldPacket {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl HeldPacket {
    /// Takes bytes until there are `target`. Returns how many it took.
    fn fill(&mut self, target: usize, input: &[u8]) -> usize {
        let missing = target.saturating_sub(self.0.len());
        let (now, _) = split_at_most(input, missing);
        // Allocated at once: growing would leave copies of the bytes behind.
        self.0.reserve_exact(missing);
        self.0.extend_from_slice(now);
        now.len()
    }
}

impl Relay {
    /// Starts after a login. `capabilities` are those granted to client and gateway alike; `status`
    /// are the flags of the OK that ended the login.
    pub fn new(capabilities: Capabilities, status: u16) -> Self {
        Self {
            answers: Answers::new(capabilities, status),
            client: StreamPosition::default(),
            held: HeldPacket::default(),
            may_be_command: false,
            quit_seen: false,
            frame: 0,
        }
    }

    /// Decides on the first bytes of `input`. Must be called until all of it is consumed, or until
    /// it has to wait.
    pub fn from_client(&mut self, input: &[u8]) -> Result<FromClient, RelayError> {
        if !self.held.0.is_empty() {
            return self.hold(input);
        }
        let mut at = 0;
        loop {
            if let Some(byte) = input.get(at) {
                self.check_untracked(*byte)?;
            }
            at += self.client.skip(input.len() - at);
            let rest = tail(input, at)?;
            if rest.is_empty() {
                return Ok(FromClient::Forward(at));
            }
            if self.answers.is_untracked() && !self.client.continued {
                at += self.pass_untracked(rest);
                continue;
            }
            // None of these packets begins a command, whatever its first byte is.
            let data = self.answers.wants_file() || self.answers.in_dialogue() || self.quit_seen;
            if data || self.client.mid_packet() {
                at += self.pass_data(rest)?;
                continue;
            }
            // The header of a refused packet is kept: the error that answers it needs its sequence
            // number.
            let start = read_start(rest).inspect_err(|_| {
                self.held.fill(HEADER_LEN, rest);
            });
            match start? {
                PacketStart::Passes(start) if self.answers.has_room() => {
                    self.begin_command(start, 0);
                    at += HEADER_LEN;
                }
                // The bytes before this packet go first. It is decided on in the next call.
                _ if at > 0 => return Ok(FromClient::Forward(at)),
                PacketStart::Passes(_) => return Ok(FromClient::Wait),
                // A packet is held back only when all responses are complete, so that there is
                // always room for it when it is released.
                _ if !self.answers.is_quiet() => return Ok(FromClient::Wait),
                _ => return self.hold(rest),
            }
        }
    }

    /// Takes bytes into the held packet until it can be decided on.
    fn hold(&mut self, input: &[u8]) -> Result<FromClient, RelayError> {
        let mut consumed = 0;
        loop {
            match read_start(&self.held.0)? {
                PacketStart::Needs(target) => {
                    let now = self.held.fill(target, tail(input, consumed)?);
                    consumed += now;
                    if now == 0 {
                        return Ok(FromClient::Hold(consumed));
                    }
                }
                PacketStart::Passes(_) => {
                    return Ok(FromClient::Command {
                        consumed,
                        command: Intercepted::Other,
                    });
                }
                PacketStart::Intercepted(command) => {
                    return Ok(FromClient::Command { consumed, command });
                }
            }
        }
    }

    /// Passes the header of a packet that begins no command: the continuation of one, a part of a
    /// file, an answer in an authentication dialogue, or anything behind COM_QUIT, which no engine
    /// reads.
    fn pass_data(&mut self, input: &[u8]) -> Result<usize, RelayError> {
        // Read first, because the header changes it.
        let continuation = self.client.continued;
        let (taken, header) = self.client.pass_header(input);
        if let Some(header) = header {
            let expected = self.answers.error_sequence();
            if !self.answers.file_packet(header, continuation) {
                return Err(RelayError::FileOutOfOrder {
                    found: header.seq,
                    expected,
                });
            }
            self.answers.continue_command(header.seq);
        }
        Ok(taken)
    }

    /// Passes a header in a stream that can't be tracked any more.
    fn pass_untracked(&mut self, input: &[u8]) -> usize {
        let (taken, header) = self.client.pass_header(input);
        // A command has the sequence number 0.
        self.may_be_command = header.is_some_and(|header| header.seq == 0 && header.len > 0);
        taken
    }

    /// Checks the first byte of a packet in such a stream, where everything passes but a change of
    /// user.
    fn check_untracked(&mut self, byte: u8) -> Result<(), RelayError> {
        let begins_command = std::mem::take(&mut self.may_be_command);
        if begins_command && Command(byte) == Command::CHANGE_USER {
            return Err(RelayError::ChangeUserUntracked);
        }
        Ok(())
    }

    /// Records a command whose header and `seen` bytes of body have gone to the engine.
    fn begin_command(&mut self, start: CommandStart, seen: usize) {
        self.client.enter(start.header, seen);
        self.quit_seen |= start.command == Command::QUIT;
        let reply = start.command.reply();
        match start.command {
            // Executing a statement again closes the cursor that it has.
            Command::STMT_EXECUTE | Command::STMT_CLOSE | Command::STMT_RESET => {
                self.answers.cursors.close(start.statement);
            }
            Command::RESET_CONNECTION => self.answers.cursors.close_all(),
            _ => {}
        }
        self.answers.add_command(Outstanding {
            reply,
            seq: start.header.seq,
            cursor: start.cursor,
            statement: start.statement,
            ping: start.command == Command::PING,
            frame: self.frame,
        });
    }

    /// Reads bytes of the engine. All of them go to the client unchanged, also if this fails.
    ///
    /// # Errors
    /// If the engine reads a command of the client as part of a file: from then on, it sees packets
    /// at other positions than the relay.
    pub fn from_engine(&mut self, input: &[u8]) -> Result<(), RelayError> {
        self.answers.read_bytes(input);
        if self.answers.command_behind_file() {
            Err(RelayError::CommandBehindFile)
        } else {
            Ok(())
        }
    }

    /// As [`Self::from_engine`], up to the end of an answer. Returns how many bytes it read: the
    /// next answer may belong to another frame of the client.
    ///
    /// # Errors
    /// As [`Self::from_engine`].
    pub fn from_engine_answer(&mut self, input: &[u8]) -> (usize, Result<(), RelayError>) {
        let read = self.answers.read_answer(input);
        match self.answers.command_behind_file() {
            true => (read, Err(RelayError::CommandBehindFile)),
            false => (read, Ok(())),
        }
    }

    /// Returns the error that ends `input`, with the bytes before it and its sequence number, if it
    /// is the whole error of a statement that a setting of the engine prevents (1290). `input` are
    /// the bytes that [`Self::from_engine`] has just read. Any other answer costs one comparison.
    pub fn prevented_statement<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], u8, ErrPacket)> {
        let (before, packet) = self.answers.split_prevented(input)?;
        let (header, payload) = Header::split(packet)?;
        Some((before, header.seq, ErrPacket::parse(payload).ok()?))
    }

    /// Writes the held packet for the engine, with another session id if one is given.
    pub fn release_held(&mut self, rewritten_id: Option<u64>, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let Some((header, body)) = Header::split(&held.0) else {
            return;
        };
        let command = body.first().map_or(Command::SLEEP, |byte| Command(*byte));
        match (rewritten_id, body) {
            (Some(id), [byte, text @ ..]) if command == Command::QUERY => {
                let mut seq = header.seq;
                // The new id may have another length, so the packet gets a new header.
                let mut payload = vec![*byte];
                payload.extend_from_slice(&kill::rewrite(text, id));
                write_packet(&mut seq, &payload, out);
            }
            (Some(id), [_, _, _, _, _, rest @ ..]) if command == Command::PROCESS_KILL => {
                write_process_kill(header, id, rest, out);
            }
            _ => out.extend_from_slice(&held.0),
        }
        let start = match read_start(&held.0) {
            Ok(PacketStart::Passes(start)) => start,
            _ => CommandStart::new(header, command),
        };
        self.begin_command(start, body.len());
    }

    /// Writes the held question about TLS for the engine, so that it answers with these facts.
    pub fn release_tls_status(&mut self, facts: &TlsFacts, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let Some((header, body)) = Header::split(&held.0) else {
            return;
        };
        let Some((byte, text)) = body.split_first() else {
            return;
        };
        match tls_status::rewrite(text, facts) {
            Some(statement) => {
                let mut seq = header.seq;
                write_packet(&mut seq, &[&[*byte][..], &statement].concat(), out);
            }
            None => out.extend_from_slice(&held.0),
        }
        let start = CommandStart::new(header, Command(*byte));
        self.begin_command(start, body.len());
    }

    /// Takes the beginning of a COM_CHANGE_USER out of the relay. The engine never gets it.
    pub fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held.0)
    }

    pub fn activity(&self) -> RelayActivity {
        if !self.at_boundary() {
            match self.is_pinging() {
                true => RelayActivity::Pinging,
                false => RelayActivity::Busy,
            }
        } else if self.answers.in_transaction() || !self.answers.cursors.is_empty() {
            RelayActivity::InTransaction
        } else {
            RelayActivity::Idle
        }
    }

    /// Whether nothing but pings is in progress. The header of a packet does not tell yet which
    /// command it is.
    fn is_pinging(&self) -> bool {
        let only_header = (1..=HEADER_LEN).contains(&self.held.0.len());
        let only_pings = self.answers.has_only_pings();
        !self.client.mid_packet()
            && (only_pings || self.answers.is_quiet())
            && (only_header || self.held.0.is_empty())
    }

    /// Whether the client is in the middle of a packet.
    pub fn client_mid_packet(&self) -> bool {
        self.client.mid_packet() || !self.held.0.is_empty()
    }

    /// Returns the number of bytes that are held back.
    pub fn held_bytes(&self) -> usize {
        self.held.0.len()
    }

    /// Sets the sequence number of the frame that the client's next bytes came in.
    pub fn set_frame(&mut self, seq: u8) {
        self.frame = seq;
        // A command is answered behind the frame of its last byte.
        if self.client.mid_packet() {
            self.answers.continue_in_frame(seq);
        }
    }

    /// Returns the sequence number that the client's next frame must have, if that is known:
    /// `answered` is the number behind the last frame sent to it.
    pub fn expected_frame(&self, answered: u8) -> Option<u8> {
        if self.answers.is_untracked() || self.quit_seen {
            None
        } else if self.client_mid_packet() {
            Some(self.frame.wrapping_add(1))
        } else if self.expects_data() {
            Some(answered)
        } else {
            Some(0)
        }
    }

    /// Returns the sequence number of the client's next packet, if it begins no command.
    pub fn data_sequence(&self) -> Option<u8> {
        let wants_file = self.answers.wants_file();
        wants_file.then(|| self.answers.error_sequence())
    }

    fn expects_data(&self) -> bool {
        self.answers.wants_file() || self.answers.in_dialogue()
    }

    /// Returns the sequence number of the first frame of the engine's next answer, if the engine's
    /// next byte begins one.
    pub fn answer_frame(&self) -> Option<u8> {
        self.answers
            .next_answer()
            .map(|frame| frame.wrapping_add(1))
    }

    /// Returns the sequence number of the frame that an error of the gateway begins with now, or
    /// `None` in the middle of an answer.
    pub fn own_answer_frame(&self) -> Option<u8> {
        match self.answers.is_quiet() {
            true => Some(self.frame.wrapping_add(1)),
            false => self.answer_frame(),
        }
    }

    /// Whether the engine's stream can't be followed any more.
    pub fn is_untracked(&self) -> bool {
        self.answers.is_untracked()
    }

    /// Whether no command is in progress, in either direction. Commands before a COM_QUIT are in
    /// progress too: the engine answers them before it reads COM_QUIT.
    pub fn at_boundary(&self) -> bool {
        self.answers.is_quiet() && !self.client_mid_packet()
    }

    /// Whether the engine has an answer to write although the client sends nothing more: a whole
    /// command is in progress, and it waits for no file and no password.
    pub fn owes_answer(&self) -> bool {
        // The answers of a stream that can't be tracked have no end, as those of a replica.
        let waits =
            self.answers.wants_file() || self.answers.in_dialogue() || self.answers.is_untracked();
        !self.answers.is_quiet() && !self.client_mid_packet() && !waits
    }

    /// Whether the client has sent COM_QUIT.
    pub fn quit_seen(&self) -> bool {
        self.quit_seen
    }

    /// Whether an error packet of the gateway fits into the stream to the client now.
    pub fn error_fits(&self) -> bool {
        self.answers.error_fits()
    }

    /// Whether the engine has told the client why it ends this session.
    pub fn engine_said_goodbye(&self) -> bool {
        self.answers.said_goodbye()
    }

    /// Returns the sequence number for that packet.
    pub fn error_sequence(&self) -> u8 {
        match Header::parse(&self.held.0) {
            Some(header) => header.seq.wrapping_add(1),
            None => self.answers.error_sequence(),
        }
    }
}

// Each open session has one, idle ones too.
const _: () = assert!(std::mem::size_of::<Relay>() <= 192);
