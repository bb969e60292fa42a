//! Relay between a hand-written client and a real MariaDB server: large packets, and files of LOAD
//! DATA LOCAL.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of a test"
)]

mod relay_engine;
mod relay_script;

use relay_engine::*;
use relay_script::*;

#[test]
fn case_54_55_59_large_packets_and_files() {
    let engine = Engine::start("large");
    for capabilities in clients() {
        let mut peer = Peer::login(&engine, capabilities);
        peer.sql("CREATE DATABASE IF NOT EXISTS test");
        peer.sql("USE test");
        peer.sql("CREATE OR REPLACE TABLE t (a LONGTEXT)");
        // Rows of about one and two full packets, of bytes that look like errors and EOFs, as text
        // and as binary rows.
        let full = 0xFF_FFFF;
        for len in [
            full - 10,
            full - 9,
            full - 4,
            full - 1,
            full,
            full + 1,
            2 * full - 9,
            2 * full,
        ] {
            for byte in ["0xFF", "0xFE"] {
                let sql = format!(
                    "SELECT REPEAT(_binary {byte}, {len}) UNION ALL SELECT NULL UNION ALL SELECT 1"
                );
                assert!(peer.sql(&sql).len() > len);
            }
        }
        let id = statement(&peer.run(&command(0x16, b"SELECT REPEAT(_binary 0xFE, 16777210), 1")));
        peer.run(&command(0x17, &[&id[..], &[0, 1, 0, 0, 0]].concat()));
        // Parameters: commands of one full packet exactly, and of more.
        for len in [full - 1, full, full + 5, 2 * full, 40 << 20] {
            let head = b"INSERT INTO t VALUES ('";
            let fill = len - 1 - head.len() - 2;
            peer.run(&packet(
                0,
                &[&[3], &head[..], &vec![b'x'; fill], b"')"].concat(),
            ));
        }
        let insert = statement(&peer.run(&command(0x16, b"INSERT INTO t VALUES (?)")));
        for _ in 0..3 {
            peer.send(&command(
                0x18,
                &[&insert[..], &[0, 0], &vec![b'y'; 17 << 20]].concat(),
            ));
            assert_eq!(peer.session.state(), Idle);
        }
        peer.run(&command(
            0x17,
            &[&insert[..], &[0, 1, 0, 0, 0, 0, 1, 0xFC, 0]].concat(),
        ));
        assert!(
            error_code(&peer.run(&packet(
                0,
                &[&b"\x03SELECT '"[..], &vec![b'x'; 17 << 20]].concat()
            )))
            .is_some()
        );
        // Case 59: an empty, a small and a large file, one inside several statements, an error in
        // the middle, and no file at all.
        peer.sql("CREATE OR REPLACE TABLE n (a INT PRIMARY KEY)");
        let load = "LOAD DATA LOCAL INFILE 'f' INTO TABLE n";
        // A single line, so that the engine has little work.
        let large = vec![b'7'; full + 9];
        for (text, file) in [
            (load.to_owned(), &[][..]),
            (load.to_owned(), &[b"1\n2\n".to_vec(), b"3\n".to_vec()]),
            (format!("SELECT 1; {load}; SELECT 2"), &[b"4\n".to_vec()]),
            (
                format!("BEGIN; {load}"),
                &[b"KILL 5\nnonsense\n".to_vec(), b"6\n".to_vec()],
            ),
            (format!("COMMIT; {load}"), &[large]),
        ] {
            peer.send(&query(&text));
            let asked = loop {
                let answer = peer.receive();
                if answer.ends_with(b"\xfbf") {
                    break answer;
                }
            };
            assert_eq!(peer.session.state(), Busy);
            let mut seq = asked[asked.len() - 3];
            for data in file {
                peer.send(&packet(seq.wrapping_add(1), data));
                seq = seq.wrapping_add(u8::try_from(data.len() / full + 1).unwrap());
            }
            assert_eq!(peer.session.state(), Busy);
            peer.run(&packet(seq.wrapping_add(1), b""));
        }
        assert!(
            error_code(&peer.run(&query("LOAD DATA LOCAL INFILE 'f' INTO TABLE none"))).is_some()
        );
    }
}

/// Shows how the engine reads a file whose packets are out of order, which a relay that let them
/// pass would not see.
#[test]
fn case_59_the_engine_loses_its_place_in_a_file_out_of_order() {
    let engine = Engine::start("order");
    let load = query("LOAD DATA LOCAL INFILE 'f' INTO TABLE test.t");
    let mut peer = Peer::login(&engine, clients()[1]);
    peer.sql("CREATE DATABASE IF NOT EXISTS test");
    peer.sql("USE test");
    peer.sql("CREATE OR REPLACE TABLE test.t (a TEXT)");
    // The relay refuses such a packet, so it is sent without the relay.
    peer.send(&load);
    assert!(peer.receive().ends_with(b"\xfbf"));
    peer.send(&packet(2, b"1\n"));
    // The engine takes the body of four bytes for a header, which it refuses too.
    peer.send_unseen(&packet(7, b"abc\n"));
    let answer = peer.receive();
    assert_eq!(
        error_code(&answer),
        Some(1156),
        "answered before the file's end"
    );
    assert_eq!(peer.session.state(), Idle);
    peer.probe();
}

/// Relay and engine agree that a packet with a sequence number other than 0 is no command.
#[test]
fn case_59_the_engine_executes_no_command_out_of_order() {
    let engine = Engine::start("number");
    for sent in [
        command(0x0e, b""),
        query("CREATE DATABASE hidden"),
        command(0x11, b"root\0\0\0"),
        command(0x01, b""),
    ] {
        let mut peer = Peer::login(&engine, clients()[0]);
        let mut sent = sent;
        sent[3] = 5;
        peer.send(&sent);
        assert_eq!(error_code(&peer.answer()), Some(1156), "{sent:x?}");
        assert!(peer.is_closed(), "{sent:x?}");
        assert!(peer.session.seen.is_empty() && !peer.session.relay.quit_seen());
    }
    let mut peer = Peer::login(&engine, clients()[0]);
    assert_eq!(
        error_code(&peer.run(&command(2, b"hidden"))),
        Some(1049),
        "it was not created"
    );
}

/// A long file reaches the sequence number of a command twice, each time with a chunk that begins
/// like one.
#[test]
fn case_59_a_file_of_many_chunks() {
    let engine = Engine::start("chunks");
    for capabilities in clients() {
        let mut peer = Peer::login(&engine, capabilities);
        peer.sql("CREATE DATABASE IF NOT EXISTS test");
        peer.sql("USE test");
        peer.sql("CREATE OR REPLACE TABLE test.t (a TEXT)");
        // A command without an answer precedes the load; nothing follows it.
        let id = statement(&peer.run(&command(0x16, b"DO 1")));
        peer.send(
            &[
                query("DO 1"),
                command(0x19, &id),
                query("LOAD DATA LOCAL INFILE 'f' INTO TABLE test.t"),
            ]
            .concat(),
        );
        while !peer.receive().ends_with(b"\xfbf") {}
        let mut seq = 2u8;
        for _ in 0..600 {
            peer.send(&packet(seq, b"\x11root\0\0\n"));
            seq = seq.wrapping_add(1);
        }
        peer.run(&packet(seq, b""));
        assert!(peer.session.seen.is_empty());
        let counted = peer.sql("SELECT COUNT(*) FROM test.t WHERE a LIKE '\x11root%'");
        assert!(
            counted.windows(4).any(|w| w == b"\x03600"),
            "{}",
            String::from_utf8_lossy(&counted)
        );
    }
}
