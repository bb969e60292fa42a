//! LOAD DATA LOCAL INFILE: which packets of the client are the file, and where commands begin
//! again. `relay_mariadb.rs` shows how MariaDB 10.11 reads each of them.

mod relay_script;

use proptest::prelude::*;
use relay_script::*;
use tidegate_wire::packet::PAYLOAD_MAX;
use tidegate_wire::relay::{Intercepted, RelayError};

const LOAD: &str = "LOAD DATA LOCAL INFILE 'f' INTO TABLE t";

/// Returns a session whose engine has asked for the file. The first packet of the file has the
/// sequence number 2.
fn asked() -> Session {
    let mut s = Session::new(OLD);
    s.client(&query(LOAD));
    assert_eq!(s.engine(&packet(1, b"\xfbf")), Busy);
    s
}

#[test]
fn case_59_the_clients_packets_are_a_file_up_to_an_empty_one() {
    let mut s = Session::new(NEW);
    let kill_as_data = query("KILL 1073741829");
    for file in [
        &[][..],
        &[b"1\n".to_vec()],
        &[
            kill_as_data[4..].to_vec(),
            b"\x11root\0".to_vec(),
            b"\x01".to_vec(),
        ],
    ] {
        s.client(&query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t; SELECT 1"));
        assert_eq!(s.engine(&packet(1, b"\xfbf")), Busy);
        let mut seq = 2;
        for data in file {
            assert_eq!(s.client(&packet(seq, data)), Busy);
            seq += 1;
        }
        assert_eq!(s.client(&packet(seq, b"")), Busy);
        assert_eq!(s.engine(&ok(seq + 1, AUTOCOMMIT | MORE)), Busy);
        assert_eq!(s.engine(&result(NEW, &[], AUTOCOMMIT)), Idle);
    }
    assert!(s.seen.is_empty());
    assert!(
        s.client(&query("SELECT 1")) == Busy && s.engine(&ok(1, AUTOCOMMIT)) == Idle,
        "commands again"
    );
}

#[test]
fn case_59_a_full_packet_of_a_file_does_not_end_it() {
    let mut s = asked();
    assert_eq!(s.client(&packet(2, &vec![b'1'; PAYLOAD_MAX])), Busy);
    assert_eq!(s.client(&packet(4, b"\x03more")), Busy);
    assert_eq!(s.client(&packet(5, b"")), Busy);
    assert_eq!(s.engine(&ok(6, AUTOCOMMIT)), Idle);
}

/// Sequence numbers wrap: the 255th packet of a file has that of a command, and may begin like one.
#[test]
fn case_59_a_chunk_with_the_number_of_a_command_is_a_chunk() {
    for first in [0x11, 0x01, 0x03, 0x0c] {
        let mut s = asked();
        let mut seq = 2u8;
        let mut sent = s.to_engine.clone();
        for _ in 0..600 {
            let chunk = packet(seq, &[&[first], &b"KILL 1073741829\n"[..]].concat());
            assert_eq!(s.client(&chunk), Busy);
            sent.extend(chunk);
            seq = seq.wrapping_add(1);
        }
        assert!(s.seen.is_empty() && !s.relay.quit_seen());
        assert_eq!(s.to_engine, sent);
        assert_eq!(s.client(&packet(seq, b"")), Busy);
        assert_eq!(s.engine(&ok(seq.wrapping_add(1), AUTOCOMMIT)), Idle);
    }
}

/// Batch with a command without answer before the load. Nothing follows the load, so it can be
/// tracked.
#[test]
fn case_59_a_load_at_the_end_of_a_batch_is_followed() {
    let mut s = Session::new(OLD);
    s.client(&[query("DO 1"), command(0x19, b"\x01\0\0\0"), query(LOAD)].concat());
    assert_eq!(
        s.engine(&[ok(1, AUTOCOMMIT), packet(1, b"\xfbf")].concat()),
        Busy
    );
    let mut seq = 2u8;
    for _ in 0..300 {
        assert_eq!(s.client(&packet(seq, b"\x11root\0\0\n")), Busy);
        seq = seq.wrapping_add(1);
    }
    s.client(&packet(seq, b""));
    assert_eq!(s.engine(&ok(seq.wrapping_add(1), AUTOCOMMIT)), Idle);
}

#[test]
fn case_59_after_an_early_error_the_engine_reads_commands_again() {
    let mut s = asked();
    s.client(&packet(2, b"1\n"));
    assert_eq!(
        s.engine(&err(3, 1030)),
        Idle,
        "the rest of the file is not needed"
    );
    assert_eq!(s.client(&query("SELECT 1")), Busy);
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    s.client(&command(0x11, b"root\0"));
    assert_eq!(s.seen, [Intercepted::ChangeUser], "never forwarded");
    assert_eq!(s.client(&query("KILL 1073741829")), Busy);
    assert!(s.to_engine.ends_with(&query("KILL 5")));
}

#[test]
fn case_59_an_early_error_between_two_halves_of_a_chunk() {
    let chunk = packet(2, b"\x11root\0");
    for cut in 1..chunk.len() {
        let mut s = asked();
        s.client(&chunk[..cut]);
        assert_eq!(
            s.engine(&err(2, 1030)),
            Busy,
            "the client is in the middle of a packet"
        );
        assert_eq!(s.client(&chunk[cut..]), Idle);
        s.client(&command(0x11, b"root\0"));
        assert_eq!(s.seen, [Intercepted::ChangeUser], "cut at {cut}");
    }
}

/// Packets of a file that has failed are no commands, by their sequence numbers. MariaDB refuses
/// them.
#[test]
fn case_59_the_rest_of_a_failed_file_is_not_read_as_commands() {
    for rest in [
        &b"\x03KILL 1073741829"[..],
        b"\x11root\0",
        b"\x01",
        b"1\n",
        b"",
    ] {
        let mut s = asked();
        s.engine(&err(2, 1030));
        let rest = packet(3, rest);
        assert_eq!(s.client(&rest), Busy);
        assert!(s.seen.is_empty() && !s.relay.quit_seen() && s.to_engine.ends_with(&rest));
        assert_eq!(s.engine(&err(0, 1156)), Idle);
    }
}

#[test]
fn case_59_an_answer_before_the_files_end_ends_it_too() {
    let mut s = Session::new(NEW);
    s.client(&query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t; SELECT 1"));
    s.engine(&packet(1, b"\xfbf"));
    assert_eq!(s.engine(&ok(2, AUTOCOMMIT | MORE)), Busy);
    assert_eq!(s.engine(&result(NEW, &[], AUTOCOMMIT)), Idle);
}

/// MariaDB reads the header of a packet with a wrong number, and takes its body for headers. The
/// body could then contain commands that the relay has not seen.
#[test]
fn case_59_a_file_out_of_order_ends_the_session() {
    for wrong in [0u8, 1, 3, 255] {
        for body in [&b"\x0e"[..], b"\x11root\0", b""] {
            let mut s = asked();
            let error = s.relay.from_client(&packet(wrong, body)).unwrap_err();
            assert_eq!(
                error,
                RelayError::FileOutOfOrder {
                    found: wrong,
                    expected: 2
                }
            );
            assert!(
                s.relay.error_fits(),
                "the client waits for the answer to its file"
            );
            assert_eq!(s.relay.error_sequence(), wrong.wrapping_add(1));
            let mut s = asked();
            s.client(&packet(2, b"1\n"));
            assert!(
                s.relay
                    .from_client(&packet(wrong.wrapping_add(1), body))
                    .is_err()
            );
        }
    }
}

#[test]
fn case_59_a_command_behind_a_load_ends_the_session() {
    let long = command(0x18, &[b'x'; 100]);
    for behind in [
        &command(0x0e, b""),
        &command(0x19, b"\x01\0\0\0"),
        &query("SELECT 1"),
        &long[..50].to_vec(),
    ] {
        let mut s = Session::new(OLD);
        s.client(&[&query(LOAD), &behind[..]].concat());
        let error = s.relay.from_engine(&packet(1, b"\xfbf")).unwrap_err();
        assert_eq!(error, RelayError::CommandBehindFile);
        assert!(s.relay.error_fits());
        assert_eq!(s.relay.error_sequence(), 2);
    }
    // If the command has not been forwarded when the engine asks, it is read as part of the file,
    // with a wrong number.
    let mut s = Session::new(OLD);
    s.client(&[&query(LOAD), &[1, 0][..]].concat());
    assert!(s.relay.from_engine(&packet(1, b"\xfbf")).is_ok());
    assert!(s.relay.from_client(&[1, 0, 0, 0, 0x0e]).is_err());
}

/// Sends bytes of the client, cut into pieces of these lengths.
fn send_cut(session: &mut Session, lengths: &mut impl Iterator<Item = usize>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = lengths.next().map_or(1, |n| n.min(rest.len()));
        let (now, behind) = rest.split_at(length);
        session.client(now);
        rest = behind;
    }
}

proptest! {
    /// A load, a file of any chunks that fails at any place, and more packets, all cut at any
    /// place: a change of user never reaches the engine as a command, and relay and engine agree on
    /// where commands begin.
    #[test]
    fn case_59_no_cut_lets_a_change_of_user_through(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9), 0..12),
        fails_after in 0usize..12,
        lengths in prop::collection::vec(1usize..7, 1..20),
    ) {
        let mut s = Session::new(OLD);
        let mut lengths = lengths.into_iter().cycle();
        send_cut(&mut s, &mut lengths, &query(LOAD));
        s.engine(&packet(1, b"\xfbf"));
        let mut seq = 2;
        let sent = chunks.len().min(fails_after);
        for chunk in &chunks[..sent] {
            send_cut(&mut s, &mut lengths, &packet(seq, chunk));
            seq += 1;
        }
        prop_assert_eq!(s.engine(&err(seq, 1030)), Idle);
        let before = s.to_engine.len();
        send_cut(&mut s, &mut lengths, &command(0x11, b"root\0"));
        s.seen.retain(|c| *c != Intercepted::Other);
        prop_assert_eq!(&s.seen, &[Intercepted::ChangeUser]);
        prop_assert_eq!(s.to_engine.len(), before);
        send_cut(&mut s, &mut lengths, &command(0x0e, b""));
        prop_assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    }
}
