//! End of the results of queries and prepared statements, one case of the protocol per test.

mod relay_script;

use relay_script::*;
use tidegate_wire::packet::PAYLOAD_MAX;

#[test]
fn case_55_length_decides_what_a_first_byte_is() {
    for capabilities in [OLD, NEW] {
        let mut s = Session::new(capabilities);
        s.client(&query("SELECT a"));
        assert_eq!(s.engine(&columns(capabilities, 1, AUTOCOMMIT)), Busy);
        // 16 MiB in the first column: 0xFE and eight bytes of length. The continuation begins like
        // an error.
        let mut huge = vec![0xFE, 0, 0, 0, 1, 0, 0, 0, 0];
        huge.resize(9 + (1 << 24), 0xFF);
        for chunk in packet(4, &huge).chunks(100_000) {
            assert_eq!(s.engine(chunk), Busy);
        }
        // A row of exactly one full packet, whose continuation is empty.
        huge.truncate(PAYLOAD_MAX);
        huge[1..9].copy_from_slice(&(PAYLOAD_MAX as u64 - 9).to_le_bytes());
        assert_eq!(s.engine(&packet(6, &huge)), Busy);
        for row in [&b"\xfb"[..], b"\xfb\x01\xff", b"\x02\xff\xff", b"\x00"] {
            assert_eq!(s.engine(&packet(7, row)), Busy, "{row:x?}");
        }
        assert_eq!(s.engine(&end(capabilities, 8, AUTOCOMMIT)), Idle);
    }
}

#[test]
fn case_56_results_with_and_without_eof() {
    for capabilities in [OLD, NEW] {
        let mut s = Session::new(capabilities);
        for rows in [&[][..], &[&b"\x011"[..]], &[&b"\0\0\x01"[..], b"\0\x04"]] {
            s.client(&query("SELECT 1"));
            let answer = result(capabilities, rows, AUTOCOMMIT);
            let (all_but_end, end) = answer.split_at(answer.len() - 1);
            assert_eq!(s.engine(all_but_end), Busy);
            assert_eq!(s.engine(end), Idle);
        }
        s.client(&query("BEGIN"));
        assert_eq!(s.engine(&ok(1, AUTOCOMMIT | IN_TRANS)), InTransaction);
        s.client(&query("SELECT 1"));
        assert_eq!(
            s.engine(&result(capabilities, &[b"\x011"], AUTOCOMMIT | IN_TRANS)),
            InTransaction
        );
        s.client(&query("oops"));
        assert_eq!(
            s.engine(&err(1, 1064)),
            InTransaction,
            "an error says nothing about the transaction"
        );
        s.client(&query("COMMIT"));
        assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    }
}

#[test]
fn case_56_prepare_with_and_without_parameters_and_columns() {
    for capabilities in [OLD, NEW] {
        for (columns, parameters) in [(0u8, 0u8), (2, 0), (0, 3), (2, 3)] {
            let mut s = Session::new(capabilities);
            s.client(&command(0x16, b"SELECT"));
            let mut answer = packet(1, &[0, 1, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0]);
            for n in [parameters, columns].into_iter().filter(|n| *n > 0) {
                (0..n).for_each(|i| answer.extend(column(2 + i)));
                if capabilities == OLD {
                    answer.extend(eof(9, AUTOCOMMIT));
                }
            }
            let (all_but_end, end) = answer.split_at(answer.len() - 1);
            assert_eq!(s.engine(all_but_end), Busy, "{columns} {parameters}");
            assert_eq!(s.engine(end), Idle, "{columns} {parameters}");
        }
        let mut s = Session::new(capabilities);
        s.client(&command(0x16, b"oops"));
        assert_eq!(s.engine(&err(1, 1064)), Idle);
    }
}

#[test]
fn case_57_a_cursor_ends_the_answer_after_the_columns() {
    let mut s = Session::new(OLD);
    s.client(&command(0x17, b"\x01\0\0\0\x01\x01\0\0\0"));
    assert_eq!(
        s.engine(&columns(OLD, 2, AUTOCOMMIT | CURSOR)),
        InTransaction
    );
    for (flags, rows, after) in [(CURSOR, 2, InTransaction), (CURSOR | LAST_ROW, 0, Idle)] {
        assert_eq!(s.client(&command(0x1c, b"\x01\0\0\0\x02\0\0\0")), Busy);
        for _ in 0..rows {
            assert_eq!(s.engine(&packet(1, b"\0\0\x01\x01")), Busy);
        }
        assert_eq!(s.engine(&eof(3, AUTOCOMMIT | flags)), after);
    }
    let mut s = Session::new(NEW);
    s.client(&command(0x17, b"\x01\0\0\0\x01\x01\0\0\0"));
    assert_eq!(s.engine(&columns(NEW, 2, 0)), Busy);
    assert_eq!(s.engine(&end(NEW, 4, AUTOCOMMIT | CURSOR)), InTransaction);
    s.client(&command(0x1c, b"\x01\0\0\0\x02\0\0\0"));
    assert_eq!(s.engine(&end(NEW, 1, AUTOCOMMIT | LAST_ROW)), Idle);
}

/// A cursor is lost with its session, so it holds the session like a transaction.
#[test]
fn open_cursors_hold_their_session_until_each_is_closed() {
    let closes = [
        (command(0x19, b"\x01\0\0\0"), None),
        (command(0x1a, b"\x01\0\0\0"), Some(ok(1, AUTOCOMMIT))),
        (command(0x1f, b""), Some(ok(1, AUTOCOMMIT))),
        (
            command(0x17, b"\x01\0\0\0\x00\x01\0\0\0"),
            Some(ok(1, AUTOCOMMIT)),
        ),
        (command(0x1c, b"\x01\0\0\0\x02\0\0\0"), Some(err(1, 1421))),
    ];
    for (close, answer) in closes {
        for piece in [1, 3, 100] {
            let mut s = Session::new(OLD);
            s.client(&command(0x17, b"\x01\0\0\0\x01\x01\0\0\0"));
            let open = columns(OLD, 2, AUTOCOMMIT | CURSOR);
            assert_eq!(s.engine(&open), InTransaction);
            assert_eq!(s.client(&query("SELECT 1")), Busy);
            assert_eq!(
                s.engine(&ok(1, AUTOCOMMIT)),
                InTransaction,
                "another command"
            );
            for part in close.chunks(piece) {
                s.client(part);
            }
            if let Some(answer) = &answer {
                s.engine(answer);
            }
            assert_eq!(s.relay.activity(), Idle, "{close:?}");
        }
    }
    let mut s = Session::new(OLD);
    for id in [1, 2] {
        s.client(&command(0x17, &[id, 0, 0, 0, 1, 1, 0, 0, 0]));
        s.engine(&columns(OLD, 1, AUTOCOMMIT | CURSOR));
    }
    assert_eq!(s.client(&command(0x19, b"\x02\0\0\0")), InTransaction);
    assert_eq!(s.client(&command(0x19, b"\x01\0\0\0")), Idle);
}

#[test]
fn case_57_a_cursor_flag_without_a_request_means_nothing() {
    let mut s = Session::new(OLD);
    for sent in [
        command(0x17, b"\x01\0\0\0\x00\x01\0\0\0"),
        query("CALL p()"),
    ] {
        s.client(&sent);
        assert_eq!(s.engine(&columns(OLD, 1, AUTOCOMMIT | CURSOR)), Busy);
        assert_eq!(s.engine(&packet(4, b"\0\0\x01")), Busy);
        assert_eq!(s.engine(&eof(5, AUTOCOMMIT)), Idle);
    }
}

/// Answer of MariaDB 10.11 to a CALL with a cursor, of a procedure that uses a cursor itself.
#[test]
fn case_57_a_cursor_inside_a_procedure_is_none_of_the_clients() {
    let mut s = Session::new(OLD);
    s.client(&command(0x17, b"\x01\0\0\0\x01\x01\0\0\0"));
    assert_eq!(s.engine(&columns(OLD, 1, AUTOCOMMIT | CURSOR | MORE)), Busy);
    assert_eq!(s.engine(&packet(4, b"\0\0\x01")), Busy);
    assert_eq!(s.engine(&eof(5, AUTOCOMMIT | CURSOR | MORE)), Busy);
    assert_eq!(s.engine(&ok(6, AUTOCOMMIT)), Idle);
}

#[test]
fn case_58_several_results_are_one_answer() {
    for capabilities in [OLD, NEW] {
        let mut s = Session::new(capabilities);
        for sent in [
            query("SELECT 1; SELECT 2"),
            command(0x17, b"\x01\0\0\0\0\x01\0\0\0"),
        ] {
            s.client(&sent);
            assert_eq!(
                s.engine(&result(capabilities, &[b"\x011"], AUTOCOMMIT | MORE)),
                Busy
            );
            assert!(
                !s.relay.error_fits(),
                "between two results an error would be taken for the second"
            );
            assert_eq!(s.engine(&ok(9, AUTOCOMMIT | MORE)), Busy);
            assert_eq!(
                s.engine(&result(capabilities, &[], AUTOCOMMIT | MORE)),
                Busy
            );
            assert_eq!(s.engine(&ok(9, AUTOCOMMIT)), Idle);
            s.client(&sent);
            assert_eq!(
                s.engine(&result(capabilities, &[b"\x011"], AUTOCOMMIT | MORE)),
                Busy
            );
            assert_eq!(s.engine(&err(9, 1064)), Idle, "an error ends them all");
            s.client(&sent);
            s.engine(&columns(capabilities, 1, AUTOCOMMIT));
            s.engine(&packet(4, b"\x011"));
            assert_eq!(s.engine(&err(5, 1317)), Idle, "in the middle of rows, too");
        }
    }
}
