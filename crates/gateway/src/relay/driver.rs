//! Driver of a session: moves bytes between the client and the engine, as `wire::relay` says.
//!
//! A session is one task and has no buffer. It reads from one side only when all that it read
//! before has been sent to the other, which is all the back-pressure that is needed.

use super::client_leg::ClientLeg;
use super::records::LegRead;
use super::reset_watch::ResetWatch;
use super::session_peers::{RelayEnd, SessionPeers};
use super::{EngineLeg, SCRATCH, Scratch};
use crate::endings::{broken_protocol, client_gone, internal_error};
use crate::error_packet::err_packet;
use crate::leg_stream::QUIT;
use crate::tls_stream::ClientParts;
use std::io;
use std::task::{Context, Poll};
use tidegate_model::journal::Ending;
use tidegate_model::{
    Activity, EngineSession, Refusal, RefusalKind, Reporter, SessionId, error_chain,
};
use tidegate_wire::packet::write_packet;
use tidegate_wire::relay::{FromClient, Intercepted, Relay, RelayActivity, RelayError};
use tidegate_wire::slices::{head, tail};
use zeroize::Zeroizing;

/// Largest id of a session that a client can read signed.
const SIGNED_MAX: u64 = i32::MAX as u64;

/// Driver of one session.
pub(crate) struct RelayDriver {
    pub client: ClientLeg,
    pub engine: EngineLeg,
    pub(super) core: Relay,
    peers: SessionPeers,
    reporter: Reporter,
    reported: Activity,
    /// Bytes of the client that must wait until the responses before them are complete.
    stash: Vec<u8>,
    /// The client sent COM_QUIT and closed. The engine finishes the commands before it, and its
    /// answers are discarded.
    discards_answers: bool,
    /// The client closed its side in the middle of a command, and may still read the answer.
    half_closed: Option<ResetWatch>,
    pub bytes_from_client: u64,
    pub bytes_to_client: u64,
    /// Set when the server stops: the session ends at its next boundary.
    pub stopping: bool,
    started: bool,
}

impl RelayDriver {
    pub fn new(
        client: ClientParts,
        engine: EngineLeg,
        core: Relay,
        peers: SessionPeers,
        reporter: Reporter,
    ) -> Self {
        let (client, ahead) = ClientLeg::new(client);
        Self {
            client,
            engine,
            core,
            peers,
            reporter,
            reported: Activity::Busy,
            stash: ahead.to_vec(),
            discards_answers: false,
            half_closed: None,
            bytes_from_client: 0,
            bytes_to_client: 0,
            stopping: false,
            started: false,
        }
    }

    /// Takes the session apart, for a login that begins with the held packet.
    pub fn into_parts(mut self) -> (ClientParts, EngineLeg) {
        self.begin_login();
        let mut ahead = Zeroizing::new(self.core.take_held());
        ahead.append(&mut self.stash);
        (self.client.into_parts(ahead), self.engine)
    }

    pub fn engine_session(&self) -> EngineSession {
        self.peers.engine_session
    }

    /// Whether no byte of a command or of its response is outstanding.
    pub fn at_boundary(&self) -> bool {
        self.core.at_boundary()
            && self.stash.is_empty()
            && self.engine.is_drained()
            && self.client.is_unpacked()
    }

    /// Whether the session may be ended now: no command is running, and no transaction is open that
    /// must be kept.
    pub fn may_yield(&self, past_idle_transaction: bool) -> bool {
        self.at_boundary()
            && (past_idle_transaction || self.core.activity() != RelayActivity::InTransaction)
    }

    /// Relays until one side closes, or until the session must end.
    pub fn poll_relay(&mut self, cx: &mut Context<'_>) -> Poll<RelayEnd> {
        SCRATCH.with_borrow_mut(|scratch| match self.step_all(cx, scratch) {
            Ok(()) => Poll::Pending,
            Err(end) => Poll::Ready(end),
        })
    }

    fn step_all(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Result<(), RelayEnd> {
        self.begin_turn();
        // Bytes that the client sent together with its login are decrypted already. The socket does
        // not report them again.
        if !self.started {
            self.started = true;
            let n = self
                .client
                .buffered(&mut scratch.plain)
                .map_err(|e| client_gone(&e))?;
            let bytes = head(&scratch.plain, n).map_err(internal_error)?;
            match std::mem::take(&mut self.stash) {
                ahead if ahead.is_empty() => self.take_read(cx, bytes)?,
                ahead if self.client.compression.is_some() => {
                    self.take_from_client(cx, &ahead)?;
                    self.take_read(cx, bytes)?;
                }
                ahead => self.take_read(cx, &[&ahead, bytes].concat())?,
            }
        }
        loop {
            let mut moved = false;
            // A client that has quit reads no more, and must not stop the answers before its
            // COM_QUIT.
            let client_drained = self.discards_answers
                || self
                    .client
                    .poll_flush(cx)
                    .map_err(|e| client_gone(&e))?
                    .is_ready();
            let engine_drained = self.engine.flush(cx);
            // A full pool stops reads from both sides, never writes, since those make room.
            let full = self.peers.held.is_full(cx);
            if client_drained && !full {
                moved |= self.step_engine(cx, scratch)?;
            }
            if engine_drained
                && !full
                && self.stash.is_empty()
                && !self.engine.write_failed()
                && !self.discards_answers
                && self.half_closed.is_none()
            {
                moved |= self.step_client(cx, scratch)?;
            }
            self.step_half_closed(cx)?;
            self.report_activity();
            self.check_ends()?;
            let held = self.held_bytes();
            self.peers.held.set_bytes(held, cx);
            if !moved {
                return Ok(());
            }
            if self.ends_turn(cx) {
                return Ok(());
            }
        }
    }

    fn step_engine(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, RelayEnd> {
        let read = self
            .engine
            .poll_read(cx, &mut scratch.cipher, &mut scratch.engine);
        let n = match read {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(LegRead::End)) => return Err(self.engine_closed()),
            Poll::Ready(Ok(LegRead::Plain(n))) => n,
            Poll::Ready(Err(e)) => return Err(self.engine_gone(&e)),
        };
        let bytes = head(&scratch.engine, n).map_err(internal_error)?;
        if self.client.compression.is_some() {
            self.take_answers(bytes)?;
        } else {
            let followed = self.core.from_engine(bytes);
            self.pass_answer(bytes, followed)?;
        }
        if !self.stash.is_empty() {
            // The answers for which these bytes waited may just have been completed.
            let stash = std::mem::take(&mut self.stash);
            self.take_from_client(cx, &stash)?;
        }
        Ok(true)
    }

    /// Sends bytes of the engine to the client, which the relay core has just read. They go before
    /// its result is checked: they may explain why the session ends.
    pub(super) fn pass_answer(
        &mut self,
        bytes: &[u8],
        followed: Result<(), RelayError>,
    ) -> Result<(), Ending> {
        if !self.discards_answers {
            self.send_to_client(bytes).map_err(|e| client_gone(&e))?;
            self.bytes_to_client += bytes.len() as u64;
        }
        followed.map_err(broken_protocol)
    }

    /// Sends bytes of the engine to the client. They pass as they are, with one exception: an error
    /// that says that the engine is read-only gets the reason and the address of its help page.
    fn send_to_client(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some((before, mut seq, mut err)) = self.core.prevented_statement(bytes) else {
            return self.client.seal(bytes);
        };
        // In another character set than UTF-8, nothing can be put behind it.
        let said = std::str::from_utf8(&err.message);
        let text = said
            .ok()
            // A tenant that has set `read_only` itself gets the engine's words.
            .filter(|_| self.peers.at_disk_limit.is_on())
            .and_then(|said| self.peers.wording.read_only_text(said));
        let Some(text) = text else {
            return self.client.seal(bytes);
        };
        err.message = text.into_bytes();
        let mut out = before.to_vec();
        write_packet(&mut seq, &err.encode(), &mut out);
        self.client.seal(&out)
    }

    fn step_client(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, RelayEnd> {
        if self.has_packed() {
            return self.step_unpack(cx, scratch);
        }
        match self
            .client
            .poll_read(cx, &mut scratch.cipher, &mut scratch.plain)
        {
            Poll::Pending => Ok(false),
            // Closing the engine's socket now would abort commands that the client sent before
            // COM_QUIT.
            Poll::Ready(Ok(LegRead::End)) if self.core.quit_seen() && !self.at_boundary() => {
                self.discards_answers = true;
                Ok(true)
            }
            // As a direct connection does: the engine writes the answer of a command whose client
            // has closed its side.
            Poll::Ready(Ok(LegRead::End)) if self.core.owes_answer() => {
                self.half_closed = Some(self.client.watch_reset().map_err(|e| client_gone(&e))?);
                Ok(true)
            }
            Poll::Ready(Ok(LegRead::End)) => Err(self.client_closed(cx).into()),
            Poll::Ready(Err(e)) => Err(client_gone(&e).into()),
            Poll::Ready(Ok(LegRead::Plain(n))) => {
                let bytes = head(&scratch.plain, n).map_err(internal_error)?;
                self.take_read(cx, bytes)?;
                Ok(true)
            }
        }
    }

    /// Ends a session whose client has closed its side: when its last answer is written, or when
    /// the connection is reset.
    fn step_half_closed(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        let Some(watch) = &mut self.half_closed else {
            return Ok(());
        };
        if watch.poll_reset(cx).is_ready() {
            return Err(Ending::ClientGone("its connection was reset".to_owned()));
        }
        // Of a file that the engine asks for now, nothing can come.
        let is_unfinished =
            self.core.owes_answer() || !self.stash.is_empty() || self.client.unsent() > 0;
        match is_unfinished {
            true => Ok(()),
            false => Err(self.client_closed(cx)),
        }
    }

    /// Takes bytes that were read from the client, or keeps them if they are compressed.
    fn take_read(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), RelayEnd> {
        match &mut self.client.compression {
            Some(compression) => {
                compression.keep(bytes);
                Ok(())
            }
            None => {
                self.bytes_from_client += bytes.len() as u64;
                self.take_from_client(cx, bytes)
            }
        }
    }

    /// Sends bytes of the client to the engine, in pieces as the relay core decides.
    pub(super) fn take_from_client(
        &mut self,
        cx: &mut Context<'_>,
        mut bytes: &[u8],
    ) -> Result<(), RelayEnd> {
        while !bytes.is_empty() {
            let taken = match self.core.from_client(bytes).map_err(broken_protocol)? {
                FromClient::Forward(n) => {
                    let forward = head(bytes, n).map_err(internal_error)?;
                    self.send_to_engine(cx, forward)?;
                    n
                }
                FromClient::Hold(n) => n,
                FromClient::Command {
                    consumed,
                    command: Intercepted::ChangeUser,
                } => {
                    // All answers are complete, and the next bytes belong to a login.
                    let rest = tail(bytes, consumed).map_err(internal_error)?;
                    self.stash.extend_from_slice(rest);
                    return Err(RelayEnd::ChangeUser);
                }
                FromClient::Command { consumed, command } => {
                    self.handle_held(cx, command)?;
                    consumed
                }
                FromClient::Wait => {
                    self.stash.extend_from_slice(bytes);
                    return Ok(());
                }
            };
            bytes = tail(bytes, taken).map_err(internal_error)?;
        }
        Ok(())
    }

    /// Handles a packet that the relay holds back. The id of a KILL is replaced by the engine's if
    /// it is a session of the same cluster and user. Any other id goes on: as the engine's own one
    /// of a session that this user may end, or as one that no session of the engine has.
    fn handle_held(&mut self, cx: &mut Context<'_>, command: Intercepted) -> Result<(), Ending> {
        let (id, ends_session) = match command {
            Intercepted::Kill { id, query } => (id, !query),
            Intercepted::ProcessKill { id } => (u64::from(id), true),
            // 0 is no session's id, so it is replaced by none. A change of user has left already.
            Intercepted::Other | Intercepted::ChangeUser => (0, false),
            Intercepted::TlsStatus => {
                let mut out = Vec::new();
                self.core
                    .release_tls_status(&self.client.tls_facts(), &mut out);
                return self.send_to_engine(cx, &out);
            }
        };
        let mapped = SessionId::is_ours(id).and_then(|id| {
            let SessionPeers { cluster, user, .. } = &self.peers;
            let from = self.peers.engine_session;
            self.peers.sessions.kill_target(id, *cluster, user, from)
        });
        // A client that reads ids signed writes a large one as a negative number.
        let unsigned = Some(id).filter(|id| *id > SIGNED_MAX);
        // Before the KILL, since the engine closes the session at once.
        if ends_session {
            let target = mapped.or(unsigned).unwrap_or(id);
            self.note_kill(target);
        }
        let mut out = Vec::new();
        self.core.release_held(mapped.or(unsigned), &mut out);
        self.send_to_engine(cx, &out)
    }

    /// Notes that a KILL of this session of the engine goes there, so that its end is told as one.
    fn note_kill(&self, id: u64) {
        let SessionPeers { cluster, user, .. } = &self.peers;
        let target = EngineSession {
            id,
            ..self.peers.engine_session
        };
        self.peers.sessions.note_kill(*cluster, user, target);
    }

    fn send_to_engine(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), Ending> {
        self.engine.send(cx, bytes).map_err(internal_error)
    }

    /// Reports the activity to the engine's supervisor, which decides by it when to sleep.
    fn report_activity(&mut self) {
        let activity = match self.core.activity() {
            RelayActivity::Idle if self.at_boundary() => Activity::Idle,
            RelayActivity::InTransaction if self.at_boundary() => Activity::InTransaction,
            // Nothing is reported, so that the time of the last work stays.
            RelayActivity::Pinging if self.stash.is_empty() && !self.peers.ping_holds.is_on() => {
                return;
            }
            _ => Activity::Busy,
        };
        if activity != self.reported {
            self.reported = activity;
            self.reporter.report(activity);
        }
    }

    /// Returns the bytes that this session keeps while it waits.
    fn held_bytes(&self) -> usize {
        self.client.held_bytes() + self.engine.unsent() + self.stash.len() + self.core.held_bytes()
    }

    /// Checks whether the session must end although both sides are connected.
    fn check_ends(&self) -> Result<(), Ending> {
        if self.peers.held.is_chosen() {
            let detail = Some(format!(
                "it kept {} bytes, the most of its cluster",
                self.held_bytes()
            ));
            return Err(Ending::Refused {
                kind: RefusalKind::UnreadAnswers,
                detail,
            });
        }
        if self.stopping && self.may_yield(false) {
            return Err(Ending::Shutdown);
        }
        let records = self
            .client
            .records_sealed()
            .max(self.engine.records_sealed());
        if records > self.peers.records_max && self.may_yield(false) {
            return Err(Ending::Refused {
                kind: RefusalKind::RecycleTls12,
                detail: None,
            });
        }
        Ok(())
    }

    fn client_closed(&mut self, cx: &mut Context<'_>) -> Ending {
        if self.core.quit_seen() {
            return Ending::Quit;
        }
        if !self.at_boundary() {
            return Ending::ClientGone("it closed in the middle of a command".to_owned());
        }
        // Without COM_QUIT, the engine would count the session as aborted.
        match self.send_to_engine(cx, &QUIT) {
            Ok(()) => Ending::ClientClosed,
            Err(ending) => ending,
        }
    }

    fn engine_closed(&self) -> RelayEnd {
        if self.core.quit_seen() {
            RelayEnd::Told(Ending::Quit)
        } else {
            RelayEnd::EngineClosed {
                detail: (!self.core.at_boundary())
                    .then(|| "it closed in the middle of a response".to_owned()),
            }
        }
    }

    fn engine_gone(&self, e: &io::Error) -> RelayEnd {
        match e.kind() {
            // The kernel reports the close of a Unix socket with unread bytes as a reset.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.engine_closed(),
            _ => RelayEnd::EngineClosed {
                detail: Some(error_chain(e)),
            },
        }
    }

    /// Adds an error packet to the stream to the client: the last one before the close.
    pub fn seal_error(&mut self, refusal: &Refusal) {
        let mut out = Vec::new();
        let mut seq = self.core.error_sequence();
        write_packet(
            &mut seq,
            &err_packet(refusal, &self.peers.wording, None).encode(),
            &mut out,
        );
        self.begin_last_error();
        // The session ends in any case, so a failure changes nothing.
        let _ = self.client.seal(&out);
    }

    /// Whether an error packet fits into the stream to the client, at a place that is not inside of
    /// a response.
    pub fn error_fits(&self) -> bool {
        self.core.error_fits()
    }

    /// The engine's last packet told the client why its session ends.
    pub fn engine_said_goodbye(&self) -> bool {
        self.core.engine_said_goodbye()
    }
}
