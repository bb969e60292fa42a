//! Conversations cut into pieces at any place: states and passed bytes are the same for all cuts.

mod relay_script;

use proptest::prelude::*;
use relay_script::*;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::relay::RelayActivity;

#[derive(Clone)]
enum Step {
    Client(Vec<u8>),
    Engine(Vec<u8>),
}

/// Returns an EOF, or nothing where DEPRECATE_EOF was agreed on.
fn eof_if_old(capabilities: Capabilities, seq: u8) -> Vec<u8> {
    if capabilities == OLD {
        eof(seq, AUTOCOMMIT)
    } else {
        vec![]
    }
}

/// Returns the answer to STMT_PREPARE with this many columns and parameters.
fn prepared(capabilities: Capabilities, columns: u8, parameters: u8) -> Vec<u8> {
    let mut out = packet(1, &[0, 1, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0]);
    for n in [parameters, columns].into_iter().filter(|n| *n > 0) {
        (0..n).for_each(|i| out.extend(column(2 + i)));
        out.extend(eof_if_old(capabilities, 9));
    }
    out
}

/// Conversation with every kind of answer, in one session.
fn conversation(capabilities: Capabilities) -> Vec<Step> {
    use Step::{Client, Engine};
    let cursor_open = match capabilities {
        OLD => columns(OLD, 1, AUTOCOMMIT | CURSOR),
        _ => [columns(NEW, 1, 0), end(NEW, 4, AUTOCOMMIT | CURSOR)].concat(),
    };
    vec![
        Client(query("SELECT 1")),
        Engine(result(
            capabilities,
            &[b"\x011", b"\xfb", b"\xfc\x03\0abc"],
            AUTOCOMMIT,
        )),
        Client([query("BEGIN"), command(0x0e, b"")].concat()),
        Engine([ok(1, AUTOCOMMIT | IN_TRANS), ok(1, AUTOCOMMIT | IN_TRANS)].concat()),
        Client(query("KILL QUERY 1073741829")),
        Engine(err(1, 1094)),
        Client(command(0x0c, &(OURS | 9).to_le_bytes())),
        Engine(ok(1, AUTOCOMMIT)),
        Client(
            [
                command(0x16, b"SELECT ?"),
                command(0x17, b"\xff\xff\xff\xff\0\x01\0\0\0"),
            ]
            .concat(),
        ),
        Engine(
            [
                prepared(capabilities, 2, 1),
                result(capabilities, &[b"\0\0\x01"], AUTOCOMMIT | MORE),
                ok(8, AUTOCOMMIT),
            ]
            .concat(),
        ),
        Client(
            [
                command(0x18, b"\x01\0\0\0\0\0xx"),
                command(0x17, b"\x01\0\0\0\x01\x01\0\0\0"),
            ]
            .concat(),
        ),
        Engine(cursor_open),
        Client(command(0x1c, b"\x01\0\0\0\x09\0\0\0")),
        Engine(
            [
                packet(1, b"\0\0\x01"),
                end(capabilities, 2, AUTOCOMMIT | LAST_ROW),
            ]
            .concat(),
        ),
        Client(query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t")),
        Engine(packet(1, b"\xfbf")),
        Client(
            [
                packet(2, b"\x03KILL 1073741829"),
                packet(3, b"\x11"),
                packet(4, b""),
            ]
            .concat(),
        ),
        Engine(ok(5, AUTOCOMMIT)),
        Client(query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t")),
        Engine(packet(1, b"\xfbf")),
        Client(packet(2, b"\x11root\0")),
        Engine(err(3, 1030)),
        Client(command(0x11, b"root\0\0test\0")),
        Client(
            [
                command(9, b""),
                command(4, b"t\0%"),
                command(0x0d, b""),
                packet(0, b""),
            ]
            .concat(),
        ),
        Engine(
            [
                packet(1, b"Uptime"),
                column(1),
                end(capabilities, 2, AUTOCOMMIT),
            ]
            .concat(),
        ),
        Engine([end(capabilities, 1, AUTOCOMMIT), err(1, 1047)].concat()),
        Client(query("/* trace */ -- x\n ALTER TABLE t")),
        Engine(
            [
                packet(1, b"\xff\xff\xff\x01\x01\x02\x10\x27\x00\x05stage"),
                ok(2, AUTOCOMMIT),
            ]
            .concat(),
        ),
        Engine(err(0, 1053)),
        Client([query("DO 1"), command(0x01, b"")].concat()),
        Engine(ok(1, AUTOCOMMIT)),
    ]
}

/// Plays a conversation, with each step cut into chunks of these lengths in turn. Returns the state
/// after each step, and all bytes that passed.
fn play(capabilities: Capabilities, lengths: &[usize]) -> (Vec<RelayActivity>, Vec<u8>, Vec<u8>) {
    let mut session = Session::new(capabilities);
    let mut lengths = lengths.iter().cycle();
    let mut states = Vec::new();
    for step in conversation(capabilities) {
        let (Step::Client(bytes) | Step::Engine(bytes)) = &step;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let now = lengths.next().map_or(rest.len(), |n| (*n).min(rest.len()));
            let (chunk, after) = rest.split_at(now);
            match step {
                Step::Client(_) => session.client(chunk),
                Step::Engine(_) => session.engine(chunk),
            };
            rest = after;
        }
        states.push(session.state());
    }
    (states, session.to_engine, session.to_client)
}

#[test]
fn the_whole_conversation_is_followed() {
    for capabilities in [OLD, NEW] {
        let (states, ..) = play(capabilities, &[]);
        let expected = conversation(capabilities).into_iter().zip(&states);
        for (i, (step, state)) in expected.enumerate() {
            let wanted = match (i, step) {
                // The last one has opened a cursor.
                (3 | 5 | 11, _) => InTransaction,
                // A file is asked for, a change of user is answered by the gateway, a batch is half
                // answered.
                (15 | 19 | 24, _) => Busy,
                (22, _) | (_, Step::Engine(_)) => Idle,
                (_, Step::Client(_)) => Busy,
            };
            assert_eq!(*state, wanted, "step {i}, {capabilities:?}");
        }
    }
}

#[test]
fn single_bytes_are_followed_as_well() {
    for capabilities in [OLD, NEW] {
        for len in 1..12 {
            assert_eq!(
                play(capabilities, &[len]),
                play(capabilities, &[]),
                "chunks of {len}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_session(
        lengths in prop::collection::vec(1usize..60, 1..40),
        old in any::<bool>(),
    ) {
        let capabilities = if old { OLD } else { NEW };
        prop_assert_eq!(play(capabilities, &lengths), play(capabilities, &[]));
    }

    /// Random bytes from both sides cause no panic, and none is lost on the way to the client.
    #[test]
    fn any_bytes_at_all_pass(
        client in prop::collection::vec(any::<u8>(), 0..200),
        engine in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut relay = tidegate_wire::relay::Relay::new(NEW, AUTOCOMMIT);
        let mut rest = &client[..];
        while !rest.is_empty() {
            use tidegate_wire::relay::FromClient;
            let taken = match relay.from_client(rest) {
                Ok(FromClient::Forward(n) | FromClient::Hold(n)) => n,
                Ok(FromClient::Command { consumed, .. }) => {
                    relay.release_held(Some(1), &mut Vec::new());
                    consumed
                }
                Ok(FromClient::Wait) | Err(_) => break,
            };
            rest = &rest[taken..];
            if let Err(error) = relay.from_engine(&engine) {
                prop_assert_eq!(error, tidegate_wire::relay::RelayError::CommandBehindFile);
                break;
            }
            prop_assert!(taken > 0, "the relay takes no bytes: an endless loop");
        }
    }

    /// Whole packets of any content pass in order, whatever the relay takes them for.
    #[test]
    fn any_packets_pass_as_they_came(
        packets in prop::collection::vec(
            (any::<bool>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..30)),
            0..60,
        ),
    ) {
        let mut session = Session::new(NEW);
        let mut from_client = Vec::new();
        let mut from_engine = Vec::new();
        for (client, first, rest) in packets {
            let sent = packet(0, &[&[first & 0x1F], &rest[..]].concat());
            // Without requests for files, which `relay_files.rs` tests: these packets would be no
            // file.
            let first = if first | 0xF0 == 0xFB { 0xF0 } else { first };
            if client && first & 0x1F != 0x11 {
                session.client(&sent);
                from_client.extend(sent);
            } else if !client {
                session.engine(&packet(1, &[&[first | 0xF0], &rest[..]].concat()));
                from_engine.extend(packet(1, &[&[first | 0xF0], &rest[..]].concat()));
            }
        }
        let ours = session
            .seen
            .iter()
            .any(|c| matches!(c, tidegate_wire::relay::Intercepted::ProcessKill { .. }));
        prop_assert!(ours || from_client.starts_with(&session.to_engine));
        prop_assert!(session.waits() || session.to_engine.len() == from_client.len());
        prop_assert_eq!(session.to_client, from_engine);
    }
}
