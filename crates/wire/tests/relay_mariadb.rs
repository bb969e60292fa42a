//! Relay between a hand-written client and a real MariaDB server. After each command, a probe shows
//! whether the relay was right about the end of the answer and about an open transaction.

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
fn case_51_and_72_every_simple_command() {
    let engine = Engine::start("simple");
    for capabilities in clients() {
        let mut other = Peer::login(&engine, capabilities);
        let mut peer = Peer::login(&engine, capabilities);
        peer.sql("CREATE DATABASE IF NOT EXISTS test");
        assert_eq!(error_code(&peer.run(&command(2, b"test"))), None);
        peer.sql("CREATE OR REPLACE TABLE t (a INT, b TEXT)");
        for sent in [
            &b"\x04t\0%"[..],
            b"\x04t\0",
            b"\x07\x01",
            b"\x09",
            b"\x0a",
            b"\x0d",
            b"\x0e",
            b"\x1b\0\0",
            b"\x1b\x01\0",
            b"\x1f",
        ] {
            let answer = peer.run(&packet(0, sent));
            let refused = error_code(&answer);
            // CREATE DATABASE and similar commands keep their effect; the reset has left the
            // schema.
            assert!(
                matches!(refused, None | Some(1046 | 1047)),
                "{sent:x?}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        for sent in [
            &b"\x77"[..],
            b"\x00",
            b"\x0b",
            b"\x0f",
            b"\x20",
            b"\xfe\x01\0\0\0\x0e",
            b"\xfa\x63\0\0\0\0\0",
            b"",
            b"\x04none\0",
            b"\x1a\x63\0\0\0",
        ] {
            let answer = peer.run(&packet(0, sent));
            assert!(error_code(&answer).is_some(), "{sent:x?}: {answer:x?}");
        }
        assert_eq!(error_code(&peer.run(&query("KILL 1234567"))), Some(1094));
        assert_eq!(
            error_code(&peer.run(&command(0x0c, &1_234_567u32.to_le_bytes()))),
            Some(1094)
        );
        assert_eq!(
            error_code(&peer.run(&query(&format!(
                "KILL QUERY {}",
                OURS | other.connection_id
            )))),
            None
        );
        assert_eq!(
            error_code(&peer.run(&command(0x0c, &(OURS | other.connection_id).to_le_bytes()))),
            None
        );
        assert!(other.is_closed(), "the other session was killed");
    }
}

/// STMT_EXECUTE; the flags may ask for a cursor.
fn execute(id: [u8; 4], flags: u8) -> Vec<u8> {
    command(0x17, &[&id[..], &[flags, 1, 0, 0, 0]].concat())
}

/// STMT_FETCH of this many rows.
fn fetch(id: [u8; 4], rows: u32) -> Vec<u8> {
    command(0x1c, &[&id[..], &rows.to_le_bytes()].concat())
}

#[test]
fn case_52_53_56_57_prepared_statements() {
    let engine = Engine::start("prepared");
    for capabilities in clients() {
        let mut peer = Peer::login(&engine, capabilities);
        peer.sql("CREATE DATABASE IF NOT EXISTS test");
        peer.sql("USE test");
        peer.sql("CREATE OR REPLACE TABLE t (a INT, b LONGTEXT)");
        for text in [
            "SELECT 1",
            "SELECT ?, ?, ?",
            "DO 1",
            "DO ?",
            "SELECT a, b FROM t WHERE a = ?",
            "INSERT INTO t VALUES (?, ?)",
        ] {
            peer.run(&command(0x16, text.as_bytes()));
        }
        assert!(error_code(&peer.run(&command(0x16, b"SELEC"))).is_some());
        // No rows and some rows. With autocommit off, a prepared statement opens a transaction too.
        let select = statement(&peer.run(&command(0x16, b"SELECT a, b FROM t")));
        peer.run(&execute(select, 0));
        peer.sql("INSERT INTO t SELECT seq, REPEAT('x', seq) FROM seq_1_to_500");
        let answer = peer.run(&execute(select, 0));
        assert!(answer.len() > 125_000);
        peer.sql("SET autocommit=0");
        peer.run(&execute(select, 0));
        peer.sql("COMMIT");
        peer.sql("SET autocommit=1");
        // Case 57: a cursor that is read in parts, with another command in between, and closed.
        peer.uses_cursors = true;
        peer.run(&execute(select, 1));
        for n in [1, 100, 300] {
            assert!(peer.run(&fetch(select, n)).len() > 4);
            assert_eq!(peer.session.state(), InTransaction);
        }
        peer.run(&fetch(select, 1000));
        assert_eq!(peer.session.state(), Idle);
        assert!(
            error_code(&peer.run(&fetch(select, 1))).is_some(),
            "the cursor is at its end"
        );
        peer.run(&execute(select, 1));
        peer.run(&command(0x1a, &select));
        peer.run(&command(0x19, &select));
        assert!(
            error_code(&peer.run(&execute(select, 0))).is_some(),
            "unknown statement"
        );
        // A cursor over no rows, over one row, and for a statement that returns none.
        for text in ["SELECT a FROM t WHERE a < 0", "SELECT 1", "DO 1"] {
            let id = statement(&peer.run(&command(0x16, text.as_bytes())));
            peer.run(&execute(id, 1));
            peer.run(&command(0x1c, &[&id[..], &[5, 0, 0, 0]].concat()));
        }
        peer.uses_cursors = false;
        // Case 53: PREPARE and EXECUTE are sent without waiting for an answer in between.
        let mut batch = command(0x16, b"SELECT a FROM t");
        batch.extend(execute([0xFF; 4], 0));
        batch.extend(command(0x19, &[0xFF; 4]));
        batch.extend(query("SELECT 2"));
        batch.extend(command(0x0e, b""));
        peer.run(&batch);
        peer.run(
            &[
                command(0x16, b"oops"),
                execute([0xFF; 4], 0),
                query("oops"),
                query("BEGIN"),
            ]
            .concat(),
        );
        assert_eq!(peer.session.state(), InTransaction);
        peer.sql("ROLLBACK");
        peer.run(&query("SELECT 3").repeat(300));
    }
}

#[test]
fn case_58_several_results() {
    let engine = Engine::start("results");
    for capabilities in clients() {
        let mut peer = Peer::login(&engine, capabilities);
        peer.sql("CREATE DATABASE IF NOT EXISTS test");
        peer.sql("USE test");
        peer.sql("CREATE OR REPLACE TABLE t (a INT)");
        peer.sql("INSERT INTO t VALUES (1), (2), (3)");
        peer.sql(
            "CREATE OR REPLACE PROCEDURE p(OUT n INT) BEGIN \
             SELECT 1; SELECT a FROM t; SET n = 7; SELECT 3 WHERE 0; END",
        );
        peer.sql(
            "CREATE OR REPLACE PROCEDURE c() BEGIN \
             DECLARE x INT; DECLARE k CURSOR FOR SELECT a FROM t; \
             OPEN k; FETCH k INTO x; SELECT x; SELECT a FROM t; CLOSE k; SELECT 4; END",
        );
        peer.sql(
            "CREATE OR REPLACE PROCEDURE e() BEGIN \
             SELECT 1; SIGNAL SQLSTATE '45000'; SELECT 2; END",
        );
        for text in [
            "SELECT 1; SELECT 2; DO 1; SELECT 3",
            "DO 1; DO 2; DO 3",
            "BEGIN; INSERT INTO t VALUES (4); SELECT * FROM t",
            "COMMIT; SELECT 1",
            "SELECT 1; oops; SELECT 2",
            "SELECT 1; SELECT * FROM none; SELECT 2",
            "CALL p(@n); SELECT @n",
            "CALL c()",
            "CALL e()",
            "CALL c(); CALL e(); SELECT 1",
            "XA START 'x'; SELECT 1",
            "XA END 'x'; XA ROLLBACK 'x'; SELECT 1",
            "SET autocommit=0; INSERT INTO t VALUES (5)",
            "ROLLBACK; SET autocommit=1; START TRANSACTION READ ONLY",
            "COMMIT",
            "SELECT 1;",
            ";",
            "",
        ] {
            peer.run(&query(text));
        }
        for text in ["CALL p(?)", "CALL c()", "CALL e()"] {
            for flags in [0, 1] {
                let answer = peer.run(&command(0x16, text.as_bytes()));
                let id = statement(&answer);
                let parameters: &[u8] = if text.contains('?') {
                    &[0, 1, 3, 0, 1, 0, 0, 0]
                } else {
                    &[]
                };
                peer.run(&command(
                    0x17,
                    &[&id[..], &[flags, 1, 0, 0, 0], parameters].concat(),
                ));
            }
        }
    }
}

#[test]
fn case_52_a_quit_behind_a_running_statement_leaves_it_running() {
    let engine = Engine::start("quit");
    let mut peer = Peer::login(&engine, clients()[0]);
    peer.sql("CREATE DATABASE IF NOT EXISTS test");
    peer.sql("USE test");
    peer.sql("CREATE OR REPLACE TABLE test.t (a INT)");
    peer.sql("LOCK TABLES test.t WRITE");
    let mut other = Peer::login(&engine, clients()[0]);
    other.sql("USE test");
    other.send(&[query("INSERT INTO test.t VALUES (1)"), command(0x01, b"")].concat());
    assert!(other.session.relay.quit_seen());
    assert_eq!(
        other.session.state(),
        Busy,
        "the statement waits for the table"
    );
    peer.sql("UNLOCK TABLES");
    assert_eq!(error_code(&other.answer()), None);
    assert_eq!(other.session.state(), Idle);
    assert!(other.is_closed());
    let counted = peer.sql("SELECT COUNT(*) FROM test.t");
    assert!(counted.windows(2).any(|w| w == b"\x011"));
}
