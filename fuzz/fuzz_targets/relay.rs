//! The relay core between two sides that send anything, in any pieces: no byte is lost, invented or
//! changed, the relay never stalls while nothing is outstanding, and the pieces make no difference.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::script::{Script, Side};
use tidegate_fuzz::session::Session;
use tidegate_wire::relay::{RelayActivity, RelayError};

/// Result of a run as seen from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    to_engine: Vec<u8>,
    to_client: Vec<u8>,
    waiting: usize,
    activity: RelayActivity,
    at_boundary: bool,
    error_fits: bool,
    ended: Option<RelayError>,
}

fn run(script: &Script<'_>, client_piece: usize, engine_piece: usize) -> Seen {
    let mut run = Session::new(script);
    let mut given = 0;
    let mut ended = None;
    'script: for (side, bytes) in script.steps() {
        let piece = if side == Side::Client {
            client_piece
        } else {
            engine_piece
        };
        for now in bytes.chunks(piece) {
            let step = match side {
                Side::Client => {
                    given += now.len();
                    run.pending.extend_from_slice(now);
                    run.pump()
                }
                // The client may continue once the engine is idle. That happens only at the end of
                // a round, so that both ways of cutting continue at the same place.
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
        assert_eq!(
            given,
            run.to_engine.len() + run.held.len() + run.pending.len(),
            "a byte is lost"
        );
    }
    Seen {
        waiting: run.held.len() + run.pending.len(),
        activity: run.relay.activity(),
        at_boundary: run.relay.at_boundary(),
        error_fits: run.relay.error_fits(),
        to_engine: run.to_engine,
        to_client: run.to_client,
        ended,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(script) = Script::parse(data) else {
        return;
    };
    let whole = run(&script, usize::MAX, usize::MAX);
    assert_eq!(
        run(&script, usize::MAX, 1),
        whole,
        "pieces of the engine's bytes make a difference"
    );
    let pieces = run(&script, 1, usize::MAX);
    // A packet in pieces may have to be held and wait, where a whole one is forwarded immediately.
    if whole.waiting == 0 && pieces.waiting == 0 {
        assert_eq!(
            pieces, whole,
            "pieces of the client's bytes make a difference"
        );
    }
});
