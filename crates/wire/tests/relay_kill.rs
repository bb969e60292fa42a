//! KILL in the core of the relay, which must map session ids, with scripted conversations.

mod relay_script;

use relay_script::*;
use tidegate_wire::relay::Intercepted;

#[test]
fn case_72_kill_by_query_and_by_command() {
    let mut s = Session::new(NEW);
    s.client(&query("/* c */ KILL QUERY 1073741829"));
    assert_eq!(s.to_engine, query("/* c */ KILL QUERY 5"));
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    s.to_engine.clear();
    s.client(&command(0x0c, &(OURS | 5).to_le_bytes()));
    assert_eq!(s.to_engine, command(0x0c, &5u32.to_le_bytes()));
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    s.to_engine.clear();
    assert_eq!(
        s.seen,
        [
            Intercepted::Kill {
                id: (1 << 30) + 5,
                query: true
            },
            Intercepted::ProcessKill { id: OURS + 5 }
        ]
    );
    for foreign in [
        query("KILL 5"),
        query("KILL USER root"),
        command(0x0c, b"\x05\0\0\0"),
        command(0x0c, b"\x05"),
    ] {
        s.to_engine.clear();
        assert_eq!(s.client(&foreign), Busy);
        assert_eq!(s.to_engine, foreign);
        assert_eq!(s.engine(&err(1, 1094)), Idle);
    }
}

#[test]
fn case_72_an_engines_id_of_more_than_32_bits_goes_as_a_statement() {
    let mut s = Session::new(NEW);
    s.engine_bits = 1 << 40;
    s.client(&command(0x0c, &(OURS | 5).to_le_bytes()));
    assert_eq!(s.to_engine, query("KILL 1099511627781"));
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    s.to_engine.clear();
    s.client(&query("KILL QUERY 1073741829"));
    assert_eq!(s.to_engine, query("KILL QUERY 1099511627781"));
    assert_eq!(s.engine(&err(1, 1094)), Idle);
}

#[test]
fn case_72_a_kill_in_pieces_is_held_and_anything_else_is_not() {
    let kill = query("kill /* now */ 1073741829;");
    for cut in 1..kill.len() {
        let mut s = Session::new(NEW);
        // A header alone may be that of a ping.
        let state = if cut <= 4 { Pinging } else { Busy };
        assert_eq!(s.client(&kill[..cut]), state);
        assert!(s.to_engine.is_empty() && s.relay.client_mid_packet() && !s.relay.at_boundary());
        s.client(&kill[cut..]);
        assert_eq!(s.to_engine, query("kill /* now */ 5;"), "cut at {cut}");
        assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    }
    let mut s = Session::new(NEW);
    let select = query("SELECT 'KILL 1073741829'");
    s.client(&select[..7]);
    assert_eq!(s.to_engine, select[..7], "its first letters are enough");
    let mut s = Session::new(NEW);
    let long = query(&format!("KILL /* {} */ 1073741829", "x".repeat(1024)));
    s.client(&long[..9]);
    assert_eq!(s.to_engine, long[..9], "too long to be checked");
}
