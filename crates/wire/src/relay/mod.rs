//! The relay core: what the bytes of a session mean after its login, in both directions.
//!
//! Bytes pass as they came. The core walks packet headers, status flags and first bytes, so that it
//! knows whether the session is idle, busy or in a transaction; it holds back a packet only where
//! it may be a KILL or a COM_CHANGE_USER. Never reads or writes a socket, never copies or allocates
//! for what merely passes.

mod answers;
pub mod limits;
mod requests;

use crate::capabilities::Capabilities;
use crate::command::Command;
use crate::kill;
use crate::packet::{HEADER_LEN, Header, write_packet};
use crate::response::ErrPacket;
use crate::slices::{OutOfBounds, split_at_most, tail};
use answers::{Answers, Outstanding};
use requests::{Look, Position, Start, look};
use zeroize::Zeroize;

/// What is to be done with bytes from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromClient {
    /// This many go to the engine as they are.
    Forward(usize),
    /// This many were taken into the relay's own buffer.
    Hold(usize),
    /// A held packet: `release_held` or `answer_held` comes next.
    Command {
        consumed: usize,
        command: Intercepted,
    },
    /// Nothing was taken: responses must end first.
    Wait,
}

/// A packet the driver is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intercepted {
    /// One plain KILL.
    Kill {
        id: u64,
        query: bool,
    },
    ProcessKill {
        id: u32,
    },
    ChangeUser,
    /// A packet that came in pieces, was held, and turned out to be something else: it is released
    /// as it came.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayActivity {
    Idle,
    Busy,
    /// Idle, but a transaction is open.
    InTransaction,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    #[error("a change of user with {0} bytes is longer than any login")]
    ChangeUserTooLong(usize),
    #[error("a change of user in a stream that can't be followed")]
    ChangeUserUntracked,
    #[error("a packet of a LOAD DATA file has the sequence number {found} instead of {expected}")]
    FileOutOfOrder { found: u8, expected: u8 },
    #[error(
        "a command was sent behind a LOAD DATA LOCAL INFILE, before the engine's request for the file"
    )]
    CommandBehindFile,
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}

#[derive(Debug)]
pub struct Relay {
    answers: Answers,
    client: Position,
    /// The beginning of a packet, until it is clear what it is. Empty unless a client's packet
    /// comes in pieces.
    held: Held,
    /// In a stream that can't be followed: the next byte begins a packet that may be a command.
    may_be_command: bool,
    quit_seen: bool,
}

/// May carry the proof of a password, so it shows nothing and is wiped.
#[derive(Default)]
struct Held(Vec<u8>);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({} bytes)", self.0.len())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Held {
    /// Takes up to `target` bytes altogether: how many it took.
    fn fill(&mut self, target: usize, input: &[u8]) -> usize {
        let missing = target.saturating_sub(self.0.len());
        let (now, _) = split_at_most(input, missing);
        // In one piece, so that growing leaves no copies behind.
        self.0.reserve_exact(missing);
        self.0.extend_from_slice(now);
        now.len()
    }
}

impl Relay {
    /// `capabilities`: as granted on both legs; `status`: the flags of the OK that ended the login.
    pub fn new(capabilities: Capabilities, status: u16) -> Self {
        Self {
            answers: Answers::new(capabilities, status),
            client: Position::default(),
            held: Held::default(),
            may_be_command: false,
            quit_seen: false,
        }
    }

    /// Says what is to be done with a prefix of `input`; to be called until all of it is consumed
    /// or it must wait.
    pub fn from_client(&mut self, input: &[u8]) -> Result<FromClient, RelayError> {
        if !self.held.0.is_empty() {
            return self.hold(input);
        }
        let mut at = 0;
        loop {
            if let Some(byte) = input.get(at) {
                self.judge_untracked(*byte)?;
            }
            at += self.client.skip(input.len() - at);
            let rest = tail(input, at)?;
            if rest.is_empty() {
                return Ok(FromClient::Forward(at));
            }
            if self.answers.is_lost() && !self.client.continued {
                at += self.pass_untracked(rest);
                continue;
            }
            let data = self.answers.wants_file() || self.answers.in_dialogue() || self.quit_seen;
            if data || self.client.mid_packet() {
                at += self.pass_data(rest)?;
                continue;
            }
            // A refused packet's header is kept: the error that answers it needs its sequence
            // number.
            let seen = look(rest).inspect_err(|_| {
                self.held.fill(HEADER_LEN, rest);
            });
            match seen? {
                Look::Passes(start) if self.answers.has_room() => {
                    self.begin(start, 0);
                    at += HEADER_LEN;
                }
                _ if at > 0 => return Ok(FromClient::Forward(at)),
                Look::Passes(_) => return Ok(FromClient::Wait),
                // Nothing is held before the responses have ended: so there is always room for what
                // is released.
                _ if !self.answers.is_quiet() => return Ok(FromClient::Wait),
                _ => return self.hold(rest),
            }
        }
    }

    /// Takes from `input` until the held packet shows what it is.
    fn hold(&mut self, input: &[u8]) -> Result<FromClient, RelayError> {
        let mut consumed = 0;
        loop {
            match look(&self.held.0)? {
                Look::Needs(target) => {
                    let now = self.held.fill(target, tail(input, consumed)?);
                    consumed += now;
                    if now == 0 {
                        return Ok(FromClient::Hold(consumed));
                    }
                }
                Look::Passes(_) => {
                    return Ok(FromClient::Command {
                        consumed,
                        command: Intercepted::Other,
                    });
                }
                Look::Ours(command) => return Ok(FromClient::Command { consumed, command }),
            }
        }
    }

    /// Passes the header of a packet that begins no command: the continuation of one, a piece of a
    /// file, an authentication answer, or anything behind COM_QUIT, which the engine doesn't read.
    fn pass_data(&mut self, input: &[u8]) -> Result<usize, RelayError> {
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
            self.answers.asked_more(header.seq);
        }
        Ok(taken)
    }

    /// A header in a stream that can't be followed any more.
    fn pass_untracked(&mut self, input: &[u8]) -> usize {
        let (taken, header) = self.client.pass_header(input);
        // A command has the sequence number 0.
        self.may_be_command = header.is_some_and(|header| header.seq == 0 && header.len > 0);
        taken
    }

    /// There everything passes but a change of user.
    fn judge_untracked(&mut self, byte: u8) -> Result<(), RelayError> {
        let judged = std::mem::take(&mut self.may_be_command);
        if judged && Command(byte) == Command::CHANGE_USER {
            return Err(RelayError::ChangeUserUntracked);
        }
        Ok(())
    }

    /// Books a command whose header and `seen` bytes of body have gone to the engine.
    fn begin(&mut self, start: Start, seen: usize) {
        self.client.enter(start.header, seen);
        self.quit_seen |= start.command == Command::QUIT;
        let reply = start.command.reply();
        self.answers.asked(Outstanding {
            reply,
            seq: start.header.seq,
            cursor: start.cursor,
        });
    }

    /// Reads bytes of the engine, all of which go to the client as they are, also those of an
    /// error.
    ///
    /// # Errors
    /// If the engine reads a command of the client's as a file: from there on its packets begin
    /// elsewhere than ours.
    pub fn from_engine(&mut self, input: &[u8]) -> Result<(), RelayError> {
        self.answers.walk(input);
        if self.answers.command_behind_file() {
            Err(RelayError::CommandBehindFile)
        } else {
            Ok(())
        }
    }

    /// Lets the held packet go to the engine, with another id if there is one.
    pub fn release_held(&mut self, rewritten_id: Option<u32>, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let Some((header, body)) = Header::split(&held.0) else {
            return;
        };
        let command = body.first().map_or(Command::SLEEP, |byte| Command(*byte));
        match (rewritten_id, body) {
            (Some(id), [byte, text @ ..]) if command == Command::QUERY => {
                let mut seq = header.seq;
                let mut payload = vec![*byte];
                payload.extend_from_slice(&kill::rewrite(text, u64::from(id)));
                write_packet(&mut seq, &payload, out);
            }
            (Some(id), [byte, _, _, _, _, rest @ ..]) if command == Command::PROCESS_KILL => {
                out.extend_from_slice(&header.encode());
                out.push(*byte);
                out.extend_from_slice(&id.to_le_bytes());
                out.extend_from_slice(rest);
            }
            _ => out.extend_from_slice(&held.0),
        }
        let cursor = matches!(look(&held.0), Ok(Look::Passes(Start { cursor: true, .. })));
        self.begin(
            Start {
                header,
                command,
                cursor,
            },
            body.len(),
        );
    }

    /// Answers the held packet in the engine's place.
    pub fn answer_held(&mut self, err: &ErrPacket, out_to_client: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let Some(header) = Header::parse(&held.0) else {
            return;
        };
        let mut seq = header.seq.wrapping_add(1);
        write_packet(&mut seq, &err.encode(), out_to_client);
    }

    pub fn activity(&self) -> RelayActivity {
        if !self.at_boundary() {
            RelayActivity::Busy
        } else if self.answers.in_transaction() {
            RelayActivity::InTransaction
        } else {
            RelayActivity::Idle
        }
    }

    /// The client has begun a packet and not ended it.
    pub fn client_mid_packet(&self) -> bool {
        self.client.mid_packet() || !self.held.0.is_empty()
    }

    /// Bytes of a packet that is held back.
    pub fn held_bytes(&self) -> usize {
        self.held.0.len()
    }

    /// No byte of a command is outstanding either way, and nothing is held. Commands before a
    /// COM_QUIT are answered like all others: the engine reads it when it is done with them.
    pub fn at_boundary(&self) -> bool {
        self.answers.is_quiet() && !self.client_mid_packet()
    }

    /// The client has sent COM_QUIT.
    pub fn quit_seen(&self) -> bool {
        self.quit_seen
    }

    /// An ERR packet of ours may be put into the stream to the client now.
    pub fn error_fits(&self) -> bool {
        self.answers.error_fits()
    }

    /// The sequence number for that packet.
    pub fn error_sequence(&self) -> u8 {
        match Header::parse(&self.held.0) {
            Some(header) => header.seq.wrapping_add(1),
            None => self.answers.error_sequence(),
        }
    }
}

// A session that waits for nothing should cost next to nothing.
const _: () = assert!(std::mem::size_of::<Relay>() <= 192);
