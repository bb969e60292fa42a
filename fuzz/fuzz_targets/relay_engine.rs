//! The relay core between a client that sends anything and an engine that follows the protocol: it
//! never stalls, never forwards a change of user or a KILL that it has to map, and knows when
//! everything is answered.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::engine::Engine;
use tidegate_fuzz::script::{Script, Side};
use tidegate_fuzz::session::Session;
use tidegate_wire::relay::{RelayActivity, RelayError};

/// Lets the engine answer up to this many packets, in pieces. Returns whether there was anything to
/// answer.
fn answer(
    session: &mut Session,
    engine: &mut Engine,
    packets: usize,
    piece: usize,
) -> Result<bool, RelayError> {
    let mut any = false;
    for _ in 0..packets {
        engine.receive(&mut session.to_engine);
        let Some(bytes) = engine.answer() else { break };
        any = true;
        for now in bytes.chunks(piece) {
            session.relay.from_engine(now)?;
        }
        session.pump()?;
    }
    Ok(any)
}

fn play(script: &Script<'_>, session: &mut Session, engine: &mut Engine) -> Result<(), RelayError> {
    for (side, bytes) in script.steps() {
        match side {
            Side::Client => {
                session.pending.extend_from_slice(bytes);
                session.pump()?;
            }
            Side::Engine => {
                let piece = bytes.first().map_or(usize::MAX, |b| usize::from(*b).max(1));
                answer(session, engine, bytes.len(), piece)?;
            }
        }
    }
    while answer(session, engine, 1, usize::MAX)? {}
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let Some(script) = Script::parse(data) else {
        return;
    };
    let mut session = Session::new(&script);
    let mut engine = Engine::new(&script);
    if play(&script, &mut session, &mut engine).is_err() || engine.gone || engine.file_from_pipeline
    {
        return;
    }
    assert!(
        session.pending.is_empty(),
        "the relay stalls with {} bytes of the client",
        session.pending.len()
    );
    let relay = &session.relay;
    let done = session.held.is_empty() && engine.has_all();
    assert_eq!(relay.at_boundary(), done, "the engine has answered: {done}");
    if done {
        let open = relay.activity() == RelayActivity::InTransaction;
        assert_eq!(open, engine.in_transaction, "whether a transaction is open");
        assert!(relay.error_fits());
    }
});
