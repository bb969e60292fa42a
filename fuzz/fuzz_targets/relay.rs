//! The relay core between two sides that say anything, in any pieces: no byte is lost, invented or changed, it never
//! stands still while nothing is outstanding, and how the bytes were cut makes no difference.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::script::{Script, Side};
use tidegate_wire::packet::HEADER_LEN;
use tidegate_wire::relay::{FromClient, Intercepted, Relay, RelayActivity, RelayError, SessionState};
use tidegate_wire::response::ErrPacket;

/// An id of an engine, as a KILL gets it.
const ENGINE_ID: u32 = 77;

/// What is to be seen of a run from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    to_engine: Vec<u8>,
    to_client: Vec<u8>,
    waiting: usize,
    activity: RelayActivity,
    at_boundary: bool,
    error_fits: bool,
    state: SessionState,
    ended: Option<RelayError>,
}

struct Run {
    relay: Relay,
    map_kills: bool,
    to_engine: Vec<u8>,
    to_client: Vec<u8>,
    pending: Vec<u8>,
    held: Vec<u8>,
}

impl Run {
    /// Offers what the client has sent so far, until the relay wants no more of it.
    fn pump(&mut self) -> Result<(), RelayError> {
        while !self.pending.is_empty() {
            match self.relay.from_client(&self.pending)? {
                FromClient::Forward(n) => {
                    assert!(n > 0 && self.held.is_empty(), "nothing may overtake a held packet");
                    self.to_engine.extend(self.pending.drain(..n));
                }
                FromClient::Hold(n) => {
                    assert_eq!(n, self.pending.len(), "what is held short is still in need of more");
                    self.held.append(&mut self.pending);
                    assert!(self.relay.client_mid_packet() && !self.relay.at_boundary());
                }
                FromClient::Command { consumed, command } => {
                    self.held.extend(self.pending.drain(..consumed));
                    self.decide(command);
                }
                FromClient::Wait => {
                    // What follows a goodbye may wait for ever.
                    let owed = !self.relay.at_boundary() || self.relay.quit_seen();
                    assert!(owed, "waits for an answer that nobody owes");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self, command: Intercepted) {
        let held = std::mem::take(&mut self.held);
        let id = match command {
            Intercepted::ChangeUser => {
                let before = self.to_client.len();
                self.relay.answer_held(&ErrPacket::new(1235, "42000", "no"), &mut self.to_client);
                assert_eq!(self.to_client[before + 3], held[3].wrapping_add(1), "the answer's sequence number");
                return;
            }
            Intercepted::Kill { id, .. } => id,
            Intercepted::ProcessKill { id } => u64::from(id),
        };
        let before = self.to_engine.len();
        if self.map_kills && id & 1 << 31 != 0 && u32::try_from(id).is_ok() {
            self.relay.release_held(Some(ENGINE_ID), &mut self.to_engine);
            let packet = &self.to_engine[before..];
            let len = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
            assert_eq!((packet.len(), packet[3]), (HEADER_LEN + len, held[3]), "a mapped KILL is one whole packet");
        } else {
            self.relay.release_held(None, &mut self.to_engine);
            assert_eq!(&self.to_engine[before..], held, "what is released is what was held");
        }
    }
}

fn run(script: &Script<'_>, client_piece: usize, engine_piece: usize) -> Seen {
    let mut run = Run {
        relay: Relay::new(script.capabilities, script.status),
        map_kills: script.map_kills,
        to_engine: Vec::new(),
        to_client: Vec::new(),
        pending: Vec::new(),
        held: Vec::new(),
    };
    let mut given = 0;
    let mut ended = None;
    'script: for (side, bytes) in script.steps() {
        let piece = if side == Side::Client { client_piece } else { engine_piece };
        for now in bytes.chunks(piece) {
            let step = match side {
                Side::Client => {
                    given += now.len();
                    run.pending.extend_from_slice(now);
                    run.pump()
                }
                // What has become quiet may let the client go on, whether the rest has come or not: only at the end,
                // so that both ways of cutting go on at the same place.
                Side::Engine => run.relay.from_engine(now),
            };
            ended = step.err();
            if ended.is_some() {
                break 'script;
            }
        }
        ended = run.pump().err();
        if ended.is_some() {
            break;
        }
    }
    if ended.is_none() && !script.map_kills && run.to_client.is_empty() {
        assert_eq!(given, run.to_engine.len() + run.held.len() + run.pending.len(), "a byte is lost");
    }
    Seen {
        waiting: run.held.len() + run.pending.len(),
        activity: run.relay.activity(),
        at_boundary: run.relay.at_boundary(),
        error_fits: run.relay.error_fits(),
        state: run.relay.session_state(),
        to_engine: run.to_engine,
        to_client: run.to_client,
        ended,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(script) = Script::parse(data) else { return };
    let whole = run(&script, usize::MAX, usize::MAX);
    assert_eq!(run(&script, usize::MAX, 1), whole, "pieces of the engine's bytes make a difference");
    let pieces = run(&script, 1, usize::MAX);
    // A packet in pieces may have to be held, and so may have to wait, where a whole one is seen through at once.
    if whole.waiting == 0 && pieces.waiting == 0 {
        assert_eq!(pieces, whole, "pieces of the client's bytes make a difference");
    }
});
