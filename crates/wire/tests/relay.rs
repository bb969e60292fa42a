//! Core of the relay with scripted conversations, one case of the protocol per test.

mod relay_script;

use relay_script::*;
use tidegate_wire::packet::PAYLOAD_MAX;
use tidegate_wire::relay::Intercepted;

#[test]
fn case_51_commands_with_one_packet_end_with_it() {
    for capabilities in [OLD, NEW] {
        let mut s = Session::new(capabilities);
        let ok_commands: [&[u8]; 6] = [
            b"\x02test",
            b"\x07\x01",
            b"\x0e",
            b"\x1f",
            b"\x1a\x01\0\0\0",
            b"\x15abc",
        ];
        for sent in ok_commands {
            let busy = if sent == b"\x0e" { Pinging } else { Busy };
            assert_eq!(s.client(&packet(0, sent)), busy, "{sent:x?}");
            assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle, "{sent:x?}");
        }
        // SET_OPTION and DEBUG: EOF.
        for sent in [&b"\x1b\x00\x00"[..], b"\x0d"] {
            assert_eq!(s.client(&packet(0, sent)), Busy);
            assert_eq!(s.engine(&end(capabilities, 1, AUTOCOMMIT)), Idle);
            assert_eq!(s.client(&packet(0, sent)), Busy);
            assert_eq!(s.engine(&eof(1, AUTOCOMMIT)), Idle);
        }
        // An unknown byte, the byte of MULTI, and an empty packet, which is COM_SLEEP to MariaDB.
        for sent in [&b"\x77"[..], b"\xfe\x01\0\0\0\x0e", b""] {
            assert_eq!(s.client(&packet(0, sent)), Busy);
            assert_eq!(s.engine(&err(1, 1047)), Idle);
        }
    }
}

/// Returns the length of the bytes before the error of a prevented statement, its sequence number
/// and its code.
fn found(s: &Session, bytes: &[u8]) -> Option<(usize, u8, u16)> {
    let (before, seq, err) = s.relay.prevented_statement(bytes)?;
    Some((before.len(), seq, err.code))
}

#[test]
fn an_error_1290_is_found_where_it_ends_what_was_read_and_nowhere_else() {
    const PREVENTED: u16 = 1290;
    let mut s = Session::new(NEW);
    let insert = query("INSERT INTO t VALUES (1)");
    s.client(&insert);
    let alone = err(1, PREVENTED);
    s.engine(&alone);
    assert_eq!(found(&s, &alone), Some((0, 1, PREVENTED)));
    // Behind the first result of a statement with several.
    s.client(&query("DO 1; INSERT INTO t VALUES (1)"));
    let first = ok(1, AUTOCOMMIT | MORE);
    let both = [&first[..], &err(2, PREVENTED)].concat();
    s.engine(&both);
    assert_eq!(found(&s, &both), Some((first.len(), 2, PREVENTED)));
    // Another error, a row with these bytes, and what was read before another packet.
    s.client(&insert);
    s.engine(&err(1, 1146));
    assert_eq!(found(&s, &err(1, 1146)), None);
    s.client(&query("SELECT 1"));
    let row = result(NEW, &[&[&[10][..], &alone[4..14]].concat()], AUTOCOMMIT);
    s.engine(&row);
    assert_eq!(found(&s, &row), None);
    s.client(&[&insert[..], &query("DO 1")].concat());
    let both = [&alone[..], &ok(1, AUTOCOMMIT)].concat();
    s.engine(&both);
    assert_eq!(found(&s, &both), None);
    // In pieces, wherever it is cut.
    for cut in 1..alone.len() {
        s.client(&insert);
        for piece in [&alone[..cut], &alone[cut..]] {
            s.engine(piece);
            assert_eq!(found(&s, piece), None, "cut at {cut}");
        }
        assert_eq!(s.state(), Idle);
    }
}

#[test]
fn case_51_statistics_is_a_bare_string_whatever_it_begins_with() {
    let mut s = Session::new(NEW);
    for text in [&b"Uptime: 1"[..], b"\x00", b"\xFE....", b"\xFB", b""] {
        s.client(&command(9, b""));
        assert_eq!(s.engine(&packet(1, text)), Idle, "{text:x?}");
    }
}

#[test]
fn case_51_field_list_and_process_info() {
    for capabilities in [OLD, NEW] {
        let mut s = Session::new(capabilities);
        s.client(&command(4, b"t\0%"));
        assert_eq!(s.engine(&column(1)), Busy);
        assert_eq!(s.engine(&column(2)), Busy);
        assert_eq!(s.engine(&end(capabilities, 3, AUTOCOMMIT)), Idle);
        s.client(&command(4, b"none\0%"));
        assert_eq!(s.engine(&err(1, 1146)), Idle);
        s.client(&command(10, b""));
        assert_eq!(
            s.engine(&result(capabilities, &[b"\x011"], AUTOCOMMIT)),
            Idle
        );
    }
}

#[test]
fn case_51_an_endless_stream_is_busy_and_passes() {
    let dump = command(0x12, b"\x04\0\0\0\0\0\x01\0\0\0");
    for cut in 1..9 {
        let mut s = Session::new(NEW);
        s.client(&dump);
        assert_eq!(
            s.engine(&err(1, 1227)),
            Idle,
            "a refusal is an answer like any other"
        );
        s.client(&dump);
        assert_eq!(s.engine(&packet(1, b"\0event")), Busy);
        assert_eq!(s.engine(&end(NEW, 2, AUTOCOMMIT)), Busy);
        assert!(!s.relay.error_fits());
        s.client(&query("KILL 1073741829"));
        assert!(
            s.to_engine.ends_with(b"KILL 1073741829"),
            "nothing is rewritten in a stream that can't be tracked"
        );
        let change = command(0x11, b"root\0");
        let (head, tail) = change.split_at(cut);
        let refused = s.relay.from_client(head).is_err() || s.relay.from_client(tail).is_err();
        assert!(refused, "a change of user never passes, cut at {cut}");
    }
}

#[test]
fn case_50_a_change_of_user_leaves_the_relay_with_its_first_byte() {
    for rest in [&[][..], b"root\0", &vec![b'x'; PAYLOAD_MAX - 2]] {
        let change = command(0x11, rest);
        for cut in 1..change.len().min(8) {
            let mut s = Session::new(NEW);
            let (head, tail) = change.split_at(cut);
            s.client(head);
            assert_eq!(s.relay.held_bytes(), if cut < 5 { cut } else { 0 });
            if cut < 5 {
                assert_eq!(s.relay.error_sequence(), if cut < 4 { 0 } else { 1 });
            }
            s.client(tail);
            assert_eq!(s.seen, [Intercepted::ChangeUser], "cut at {cut}");
            assert!(s.to_engine.is_empty() && s.to_client.is_empty());
        }
    }
}

#[test]
fn case_52_commands_without_reply() {
    let mut s = Session::new(OLD);
    assert_eq!(s.client(&command(0x18, b"\x01\0\0\0\0\0data")), Idle);
    assert_eq!(s.client(&command(0x18, b"\x01\0\0\0\x01\0data")), Idle);
    assert_eq!(s.client(&command(0x19, b"\x02\0\0\0")), Idle);
    assert_eq!(s.client(&command(0x17, b"\x01\0\0\0\0\x01\0\0\0")), Busy);
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    assert!(!s.relay.quit_seen());
    s.client(&query("SELECT 1"));
    s.client(&command(0x01, b"extra"));
    assert!(
        s.relay.quit_seen() && !s.relay.at_boundary(),
        "the query before it is still running"
    );
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    assert!(s.relay.at_boundary());
}

#[test]
fn case_52_bytes_behind_a_quit_are_no_command() {
    let mut s = Session::new(NEW);
    s.client(&query("INSERT INTO t VALUES (1)"));
    let behind = [
        command(0x01, b""),
        query("SELECT 1"),
        command(0x11, b"root\0"),
        query("KILL 1073741829"),
    ]
    .concat();
    assert_eq!(
        s.client(&behind),
        Busy,
        "the query before it is still running"
    );
    assert!(
        s.seen.is_empty() && s.to_engine.ends_with(&behind),
        "the engine doesn't read behind COM_QUIT"
    );
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    assert!(s.relay.quit_seen());
}

#[test]
fn case_52_a_quit_in_a_transaction_or_behind_several_commands() {
    let mut s = Session::new(OLD);
    s.client(&query("BEGIN"));
    s.engine(&ok(1, AUTOCOMMIT | IN_TRANS));
    assert_eq!(
        s.client(
            &[
                query("SELECT 1; DO 1"),
                command(0x19, b"\x01\0\0\0"),
                command(0x01, b"")
            ]
            .concat()
        ),
        Busy
    );
    assert_eq!(
        s.engine(&result(OLD, &[b"\x011"], AUTOCOMMIT | IN_TRANS | MORE)),
        Busy
    );
    assert_eq!(s.engine(&ok(9, AUTOCOMMIT | IN_TRANS)), InTransaction);
}

#[test]
fn case_53_answers_to_a_batch_are_counted_off_in_order() {
    let mut s = Session::new(NEW);
    let mut batch = command(0x16, b"SELECT ?");
    batch.extend(command(
        0x17,
        b"\xff\xff\xff\xff\x00\x01\0\0\0\0\x01\x08\0\x01\0\0\0\0\0\0\0",
    ));
    batch.extend(command(0x19, b"\x01\0\0\0"));
    batch.extend(command(0x0e, b""));
    assert_eq!(s.client(&batch), Busy);
    assert_eq!(s.to_engine, batch);
    let mut prepared = packet(1, b"\0\x01\0\0\0\x01\0\x01\0\0\0\0");
    prepared.extend(column(2));
    prepared.extend(column(3));
    assert_eq!(s.engine(&prepared), Busy);
    assert!(s.relay.error_fits(), "EXECUTE is not answered yet");
    assert_eq!(
        s.engine(&result(NEW, &[b"\0\0\x01\0\0\0"], AUTOCOMMIT)),
        Pinging
    );
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT | IN_TRANS)), InTransaction);
}

#[test]
fn case_53_commands_above_the_bound_wait_and_then_go_on() {
    let mut s = Session::new(NEW);
    let ping = command(0x0e, b"");
    let all = ping.repeat(1000);
    assert_eq!(s.client(&all), Busy);
    assert!(s.waits());
    assert_eq!(s.to_engine.len(), ping.len() * 256);
    for _ in 0..999 {
        let state = s.engine(&ok(1, AUTOCOMMIT));
        assert_eq!(state, if s.waits() { Busy } else { Pinging });
    }
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    assert_eq!(s.to_engine, all);
}

#[test]
fn a_ping_is_no_work_and_a_command_beside_it_is() {
    for (status, rest) in [(AUTOCOMMIT, Idle), (AUTOCOMMIT | IN_TRANS, InTransaction)] {
        let mut s = Session::new(NEW);
        s.client(&query("BEGIN"));
        s.engine(&ok(1, status));
        let ping = command(0x0e, b"");
        assert_eq!(s.client(&ping), Pinging);
        assert_eq!(s.engine(&ok(1, status)), rest);
        // In pieces, both ways.
        for byte in &ping {
            assert_eq!(s.client(&[*byte]), Pinging);
        }
        assert_eq!(s.engine(&ok(1, status)[..5]), Pinging);
        assert_eq!(s.engine(&ok(1, status)[5..]), rest);
        // Before and behind a query.
        assert_eq!(s.client(&ping), Pinging);
        assert_eq!(s.client(&query("SELECT 1")), Busy);
        assert_eq!(s.client(&ping), Busy);
        assert_eq!(s.engine(&ok(1, status)), Busy);
        assert_eq!(s.engine(&ok(1, status)), Pinging);
        assert_eq!(s.engine(&ok(1, status)), rest);
        // A packet that turns out to be no ping.
        let [header @ .., last] = &query("DO 1")[..] else {
            panic!("a packet")
        };
        assert_eq!(s.client(&header[..4]), Pinging);
        assert_eq!(s.client(&header[4..]), Busy);
        s.client(&[*last]);
        assert_eq!(s.engine(&ok(1, status)), rest);
    }
}

#[test]
fn case_53_an_intercepted_packet_waits_for_the_answers_before_it() {
    let mut s = Session::new(NEW);
    let mut batch = query("SELECT 1");
    batch.extend(command(0x11, b"root\0"));
    batch.extend(query("SELECT 2"));
    assert_eq!(s.client(&batch), Busy);
    assert_eq!(s.to_engine, query("SELECT 1"));
    let one = result(NEW, &[b"\x011"], AUTOCOMMIT);
    let (first, last) = one.split_at(one.len() - 1);
    assert_eq!(s.engine(first), Busy);
    assert!(
        s.seen.is_empty(),
        "the last byte of the answer before it is still to come"
    );
    assert_eq!(s.engine(last), Busy);
    assert_eq!(s.seen, [Intercepted::ChangeUser]);
    assert_eq!(s.to_client, one);
    assert_eq!(
        s.to_engine,
        [query("SELECT 1"), query("SELECT 2")].concat(),
        "nothing of it reaches the engine"
    );
}

#[test]
fn case_54_full_packets_are_continued() {
    for len in [
        PAYLOAD_MAX - 1,
        PAYLOAD_MAX,
        PAYLOAD_MAX + 1,
        2 * PAYLOAD_MAX,
        64 << 20,
    ] {
        let mut s = Session::new(OLD);
        let mut payload = vec![0x11; len];
        payload[0] = 3;
        let sent = packet(0, &payload);
        for chunk in sent.chunks(1 << 22) {
            assert_eq!(s.client(chunk), Busy);
        }
        assert_eq!(s.to_engine.len(), sent.len());
        assert!(!s.relay.client_mid_packet(), "{len}");
        let packets = u8::try_from(len / PAYLOAD_MAX).unwrap() + 1;
        assert_eq!(s.relay.error_sequence(), packets);
        assert_eq!(s.engine(&ok(packets, AUTOCOMMIT)), Idle, "{len}");
    }
}

#[test]
fn case_54_an_error_to_a_client_still_sending() {
    let mut s = Session::new(OLD);
    let sent = packet(0, &[&[3][..], &vec![b'x'; PAYLOAD_MAX]].concat());
    let (first, rest) = sent.split_at(1000);
    s.client(first);
    assert_eq!(
        s.engine(&err(1, 1153)),
        Busy,
        "the client is in the middle of its packet"
    );
    assert_eq!(s.client(rest), Idle);
}

#[test]
fn case_62_a_progress_report_is_no_error() {
    let mut s = Session::new(NEW);
    s.client(&query("ALTER TABLE t ENGINE=Aria"));
    let progress = packet(1, b"\xff\xff\xff\x01\x01\x02\x10\x27\x00\x05stage");
    assert_eq!(s.engine(&progress), Busy);
    assert_eq!(s.engine(&progress), Busy);
    assert!(!s.relay.error_fits());
    assert_eq!(s.engine(&ok(3, AUTOCOMMIT)), Idle);
}

#[test]
fn case_77_an_error_without_a_command_passes() {
    for (login, rest) in [(AUTOCOMMIT, Idle), (AUTOCOMMIT | IN_TRANS, InTransaction)] {
        let mut s = Session::new(NEW);
        s.client(&query("BEGIN"));
        s.engine(&ok(1, login));
        assert!(s.relay.error_fits());
        assert_eq!(s.relay.error_sequence(), 0);
        let shutdown = err(0, 1053);
        s.to_client.clear();
        assert_eq!(s.engine(&shutdown[..7]), Busy);
        assert!(!s.relay.error_fits());
        assert_eq!(s.engine(&shutdown[7..]), rest);
        assert_eq!(s.to_client, shutdown);
        assert!(!s.relay.error_fits(), "the engine has sent its last packet");
    }
}

#[test]
fn an_error_of_ours_fits_where_no_response_has_begun() {
    let mut s = Session::new(NEW);
    s.client(&query("SELECT 1"));
    assert!(s.relay.error_fits());
    assert_eq!(s.relay.error_sequence(), 1);
    s.engine(&[1]);
    assert!(!s.relay.error_fits());
    s.engine(&[0, 0, 1, 1]);
    assert!(!s.relay.error_fits());
}

#[test]
fn an_untracked_stream_stays_busy_and_still_passes() {
    let nonsense = [
        packet(1, b"\xfe12345678"),
        packet(1, b""),
        packet(1, b"\xfc"),
        packet(1, b"\x00"),
    ];
    for sent in nonsense {
        let mut s = Session::new(NEW);
        s.client(&query("SELECT 1"));
        assert_eq!(s.engine(&sent), Busy);
        s.engine(b"whatever");
        s.client(b"else");
        assert!(s.to_client.ends_with(b"whatever") && s.to_engine.ends_with(b"else"));
        assert_eq!(s.state(), Busy);
    }
    let mut s = Session::new(NEW);
    assert_eq!(
        s.engine(&ok(0, AUTOCOMMIT)),
        Busy,
        "an OK that answers nothing"
    );
}
