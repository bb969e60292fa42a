//! Moves bytes between the two legs, under the rules of `wire::relay`.
//!
//! One task, no buffer of its own: it reads from a side only when what it read before has gone to
//! the other. That is all the back-pressure there is, and all that is needed.

use super::client_leg::Arrived;
use super::{ClientLeg, EngineLeg, SCRATCH, Scratch};
use crate::endings::{client_gone, internal_error};
use crate::error_packet::err_packet;
use crate::held::HeldShare;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use tidegate_model::journal::Ending;
use tidegate_model::{
    Activity, ClusterId, EngineSessionId, Refusal, RefusalKind, Reporter, Sessions, Wording,
    error_chain,
};
use tidegate_wire::relay::{FromClient, Intercepted, Relay, RelayActivity, RelayError};
use tidegate_wire::slices::{head, tail};

/// A COM_QUIT packet, for an engine whose client left without a word.
const QUIT: [u8; 5] = [1, 0, 0, 0, 1];

/// Who talks to whom, for mapping a KILL; and in which words we speak ourselves.
pub(crate) struct Peers {
    pub cluster: ClusterId,
    pub user: String,
    pub engine_session: EngineSessionId,
    pub sessions: Sessions,
    pub wording: Arc<Wording>,
    /// Its share of the cluster's budget.
    pub held: HeldShare,
}

pub(crate) struct Driver {
    pub client: ClientLeg,
    pub engine: EngineLeg,
    core: Relay,
    peers: Peers,
    reporter: Reporter,
    reported: Activity,
    /// Client bytes that must wait until the responses before them have ended.
    stash: Vec<u8>,
    records_max: u64,
    /// The client closed behind its COM_QUIT: the engine finishes what was sent before, and nobody
    /// reads its answers.
    unread: bool,
    pub bytes_from_client: u64,
    pub bytes_to_client: u64,
    /// Set when the server stops: the session ends at its next boundary.
    pub stopping: bool,
    started: bool,
}

impl Driver {
    pub fn new(
        client: ClientLeg,
        engine: EngineLeg,
        core: Relay,
        peers: Peers,
        reporter: Reporter,
        records_max: u64,
    ) -> Self {
        Self {
            client,
            engine,
            core,
            peers,
            reporter,
            reported: Activity::Busy,
            stash: Vec::new(),
            records_max,
            unread: false,
            bytes_from_client: 0,
            bytes_to_client: 0,
            stopping: false,
            started: false,
        }
    }

    pub fn engine_session(&self) -> EngineSessionId {
        self.peers.engine_session
    }

    /// No byte of a command is outstanding on either side.
    pub fn at_boundary(&self) -> bool {
        self.core.at_boundary() && self.stash.is_empty() && self.engine.is_drained()
    }

    /// Whether the session may be ended without taking anything from its user but what ends with
    /// any session.
    pub fn may_yield(&self, past_idle_transaction: bool) -> bool {
        self.at_boundary()
            && (past_idle_transaction || self.core.activity() != RelayActivity::InTransaction)
    }

    /// Relays until one side ends it, or something ends it at a boundary.
    pub fn poll_relay(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        SCRATCH.with_borrow_mut(|scratch| match self.step_all(cx, scratch) {
            Ok(()) => Poll::Pending,
            Err(ending) => Poll::Ready(ending),
        })
    }

    fn step_all(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Result<(), Ending> {
        if !self.started {
            self.started = true;
            let n = self
                .client
                .buffered(&mut scratch.plain)
                .map_err(|e| client_gone(&e))?;
            let bytes = head(&scratch.plain, n).map_err(internal_error)?;
            self.take_from_client(cx, bytes)?;
        }
        loop {
            let mut moved = false;
            let client_drained = self.unread
                || self
                    .client
                    .poll_flush(cx)
                    .map_err(|e| client_gone(&e))?
                    .is_ready();
            let engine_drained = self.engine.flush(cx);
            let full = self.peers.held.is_full(cx);
            if client_drained && !full {
                moved |= self.step_engine(cx, scratch)?;
            }
            if engine_drained
                && !full
                && self.stash.is_empty()
                && !self.engine.is_deaf()
                && !self.unread
            {
                moved |= self.step_client(cx, scratch)?;
            }
            self.report();
            self.check_ends()?;
            let held = self.held_bytes();
            self.peers.held.set(held, cx);
            if !moved {
                return Ok(());
            }
        }
    }

    fn step_engine(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Result<bool, Ending> {
        let n = match self.engine.poll_read(cx, &mut scratch.engine) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(self.engine_closed()),
            Poll::Ready(Ok(n)) => n,
            Poll::Ready(Err(e)) => return Err(self.engine_gone(&e)),
        };
        let bytes = head(&scratch.engine, n).map_err(internal_error)?;
        let followed = self.core.from_engine(bytes);
        if !self.unread {
            self.client.seal(bytes).map_err(|e| client_gone(&e))?;
            self.bytes_to_client += n as u64;
        }
        followed.map_err(refused)?;
        if !self.stash.is_empty() {
            let stash = std::mem::take(&mut self.stash);
            self.take_from_client(cx, &stash)?;
        }
        Ok(true)
    }

    fn step_client(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Result<bool, Ending> {
        match self
            .client
            .poll_read(cx, &mut scratch.cipher, &mut scratch.plain)
        {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(Arrived::End)) if self.core.quit_seen() && !self.at_boundary() => {
                self.unread = true;
                Ok(true)
            }
            Poll::Ready(Ok(Arrived::End)) => Err(self.client_closed(cx)),
            Poll::Ready(Err(e)) => Err(client_gone(&e)),
            Poll::Ready(Ok(Arrived::Plain(n))) => {
                self.bytes_from_client += n as u64;
                let bytes = head(&scratch.plain, n).map_err(internal_error)?;
                self.take_from_client(cx, bytes)?;
                Ok(true)
            }
        }
    }

    fn take_from_client(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> Result<(), Ending> {
        while !bytes.is_empty() {
            let taken = match self.core.from_client(bytes).map_err(refused)? {
                FromClient::Forward(n) => {
                    let forward = head(bytes, n).map_err(internal_error)?;
                    self.send_to_engine(cx, forward)?;
                    n
                }
                FromClient::Hold(n) => n,
                FromClient::Command { consumed, command } => {
                    self.command(cx, command)?;
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

    /// A held packet: KILL with one of our ids is rewritten within cluster and user; any other goes
    /// on as it came, and the engine, which has no session with bit 31, judges it.
    fn command(&mut self, cx: &mut Context<'_>, command: Intercepted) -> Result<(), Ending> {
        let id = match command {
            Intercepted::Kill { id, .. } => id,
            Intercepted::ProcessKill { id } => u64::from(id),
            // No id at all is mapped to none.
            Intercepted::Other => 0,
            Intercepted::ChangeUser => {
                let refusal = Refusal::new(RefusalKind::ChangeUser);
                let mut out = Vec::new();
                self.core
                    .answer_held(&err_packet(&refusal, &self.peers.wording, None), &mut out);
                return self.client.seal(&out).map_err(|e| client_gone(&e));
            }
        };
        let ours = tidegate_model::SessionId::is_ours(id);
        let mapped = ours.and_then(|id| {
            self.peers
                .sessions
                .engine_id(id, self.peers.cluster, &self.peers.user)
        });
        let mut out = Vec::new();
        self.core.release_held(mapped.map(|id| id.0), &mut out);
        self.send_to_engine(cx, &out)
    }

    fn send_to_engine(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), Ending> {
        self.engine.send(cx, bytes).map_err(internal_error)
    }

    fn report(&mut self) {
        let activity = match self.core.activity() {
            RelayActivity::Idle if self.at_boundary() => Activity::Idle,
            RelayActivity::InTransaction if self.at_boundary() => Activity::InTransaction,
            _ => Activity::Busy,
        };
        if activity != self.reported {
            self.reported = activity;
            self.reporter.report(activity);
        }
    }

    /// Bytes that this session keeps from one turn to the next.
    fn held_bytes(&self) -> usize {
        self.client.unsent() + self.engine.unsent() + self.stash.len() + self.core.held_bytes()
    }

    fn check_ends(&self) -> Result<(), Ending> {
        if self.peers.held.is_chosen() {
            let detail = Some(format!(
                "it held {} bytes, the most of its cluster",
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
        if self.client.records_sealed() > self.records_max && self.may_yield(false) {
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
            return Ending::ClientGone("closed in the middle of a command".to_owned());
        }
        // The engine counts a session that ends without COM_QUIT as aborted.
        match self.send_to_engine(cx, &QUIT) {
            Ok(()) => Ending::ClientClosed,
            Err(ending) => ending,
        }
    }

    fn engine_closed(&self) -> Ending {
        if self.core.quit_seen() {
            Ending::Quit
        } else if self.core.at_boundary() {
            Ending::EngineClosed
        } else {
            Ending::EngineGone("closed in the middle of a response".to_owned())
        }
    }

    fn engine_gone(&self, e: &io::Error) -> Ending {
        match e.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.engine_closed(),
            _ => Ending::EngineGone(error_chain(e)),
        }
    }

    /// An error packet that answers nothing: the last thing a client reads before the close.
    pub fn seal_error(&mut self, refusal: &Refusal) {
        let mut out = Vec::new();
        let mut seq = self.core.error_sequence();
        tidegate_wire::packet::write_packet(
            &mut seq,
            &err_packet(refusal, &self.peers.wording, None).encode(),
            &mut out,
        );
        let _ = self.client.seal(&out);
    }

    /// Whether an error packet can be put into the stream without falling into the middle of a
    /// response.
    pub fn may_speak(&self) -> bool {
        self.core.error_fits()
    }
}

/// A client that broke the protocol is told so, where an error packet fits into its stream.
fn refused(error: RelayError) -> Ending {
    let kind = match error {
        RelayError::ChangeUserTooLong(_) | RelayError::ChangeUserUntracked => {
            RefusalKind::ChangeUser
        }
        RelayError::FileOutOfOrder { .. } | RelayError::CommandBehindFile => {
            RefusalKind::PacketsOutOfOrder
        }
        RelayError::OutOfBounds(e) => return internal_error(e),
    };
    Ending::Refused {
        kind,
        detail: Some(error.to_string()),
    }
}
