//! Results that the gateway passes on: rows of every form, prepared statements, cursors, several
//! results of one command.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::session::{Outcome, Row, Session};
use tidegate_e2e::wire::{self, lenenc};
use tidegate_e2e::{Cluster, Server};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| SERVER.create("results"));

const LAST_ROW_SENT: u16 = 0x0080;
const CURSOR_EXISTS: u16 = 0x0040;

fn session(capabilities: u32) -> Session {
    Session::login(&CLUSTER, &CLUSTER.user, &CLUSTER.password, capabilities).unwrap()
}

#[test]
fn case_55_rows_that_begin_like_other_packets() {
    for capabilities in [wire::ORDINARY, wire::ORDINARY | wire::DEPRECATE_EOF] {
        let mut session = session(capabilities);
        for length in [0xff_fffa_usize, 0xff_fffb, 0x100_0000, 0x1ff_fffe, 20 << 20] {
            let rows = session
                .query(&format!("SELECT REPEAT('y', {length}), 2"))
                .text();
            assert_eq!(
                (rows[0][0].len(), rows[0][1].as_str()),
                (length, "2"),
                "{length}"
            );
        }
        assert_eq!(
            session
                .query("SELECT NULL, 1 UNION ALL SELECT 'a', 2")
                .text(),
            [["NULL", "1"], ["a", "2"]]
        );
        assert_eq!(
            session.query("SELECT REPEAT('z', 254)").text()[0][0].len(),
            254
        );
        assert_eq!(session.query("SELECT ''").text(), [[""]]);
        assert!(session.ping());
    }
}

/// Sends COM_STMT_PREPARE. Returns the statement's id, its parameters and its columns.
fn prepare(session: &mut Session, sql: &str) -> (u32, usize, usize) {
    let mut command = vec![0x16];
    command.extend_from_slice(sql.as_bytes());
    session.probe.command(&command);
    let ok = session.probe.expect();
    assert_eq!(ok[0], 0, "{sql}: {ok:?}");
    let id = u32::from_le_bytes(ok[1..5].try_into().unwrap());
    let columns = usize::from(u16::from_le_bytes([ok[5], ok[6]]));
    let params = usize::from(u16::from_le_bytes([ok[7], ok[8]]));
    for count in [params, columns] {
        if count > 0 {
            session.skip_columns(count).unwrap();
        }
    }
    (id, params, columns)
}

/// Returns a COM_STMT_EXECUTE with text parameters.
fn execute(session: &mut Session, id: u32, cursor: u8, params: &[&str]) {
    let mut command = vec![0x17];
    command.extend_from_slice(&id.to_le_bytes());
    command.push(cursor);
    command.extend_from_slice(&1u32.to_le_bytes());
    if !params.is_empty() {
        command.extend(std::iter::repeat_n(0, params.len().div_ceil(8)));
        command.push(1);
        command.extend(params.iter().flat_map(|_| [0xfd, 0]));
        for param in params {
            assert!(param.len() < 251);
            command.push(u8::try_from(param.len()).unwrap());
            command.extend_from_slice(param.as_bytes());
        }
    }
    session.probe.command(&command);
}

/// Returns the bytes of a binary row after the NULL bits.
fn binary_row(packet: &[u8], columns: usize) -> Row {
    assert_eq!(packet[0], 0, "a binary row");
    vec![Some(packet[1 + (columns + 9) / 8..].to_vec())]
}

fn executed(session: &mut Session) -> Outcome {
    let first = session.probe.expect();
    match first[0] {
        0x00 => Outcome::Ok {
            affected: lenenc(&first, &mut 1).unwrap(),
            status: 0,
        },
        0xff => Outcome::Refused(wire::Refused::parse(&first).unwrap()),
        _ => {
            let columns = usize::from(first[0]);
            session.skip_columns(columns).unwrap();
            session.rows(columns, binary_row).unwrap()
        }
    }
}

#[test]
fn case_56_with_and_without_eof_packets_text_and_binary() {
    for capabilities in [wire::ORDINARY, wire::ORDINARY | wire::DEPRECATE_EOF] {
        let mut session = session(capabilities);
        assert_eq!(
            session.query("SELECT 1 FROM dual WHERE FALSE").text().len(),
            0
        );
        assert_eq!(
            session.query("SELECT seq FROM seq_1_to_1000").text().len(),
            1000
        );
        assert_eq!(session.run("DO 1"), 0);
        for (sql, params, columns) in [
            ("SELECT 1, 2", 0, 2),
            ("SELECT CONCAT(?, ?)", 2, 1),
            ("DO ?", 1, 0),
            ("DO 1", 0, 0),
        ] {
            let prepared = prepare(&mut session, sql);
            assert_eq!((prepared.1, prepared.2), (params, columns), "{sql}");
            execute(&mut session, prepared.0, 0, &vec!["ab"; params]);
            match executed(&mut session) {
                Outcome::Rows { rows, .. } => assert_eq!(rows.len(), 1, "{sql}"),
                other => assert!(matches!(other, Outcome::Ok { .. }), "{sql}: {other:?}"),
            }
            // COM_STMT_CLOSE has no answer; the next command must not wait for one.
            let mut close = vec![0x19];
            close.extend_from_slice(&prepared.0.to_le_bytes());
            session.probe.command(&close);
            assert!(session.ping(), "{sql}");
        }
    }
}

#[test]
fn case_57_a_cursor_is_fetched_to_its_last_row() {
    for capabilities in [wire::ORDINARY, wire::ORDINARY | wire::DEPRECATE_EOF] {
        let mut session = session(capabilities);
        let (id, _, columns) = prepare(&mut session, "SELECT seq FROM seq_1_to_25");
        execute(&mut session, id, 1, &[]);
        let first = session.probe.expect();
        assert_eq!(first[0], 1, "one column: {first:?}");
        session.probe.expect();
        let end = session.probe.expect();
        assert_eq!(end[0], 0xfe);
        let status = u16::from_le_bytes([end[3], end[4]]);
        assert_ne!(
            status & CURSOR_EXISTS,
            0,
            "the answer ends after the columns: {end:?}"
        );
        let mut fetched = 0;
        loop {
            let mut fetch = vec![0x1c];
            fetch.extend_from_slice(&id.to_le_bytes());
            fetch.extend_from_slice(&10u32.to_le_bytes());
            session.probe.command(&fetch);
            let Outcome::Rows { rows, status, .. } = session.rows(columns, binary_row).unwrap()
            else {
                panic!()
            };
            fetched += rows.len();
            if status & LAST_ROW_SENT != 0 {
                break;
            }
            assert_eq!(rows.len(), 10);
        }
        assert_eq!(fetched, 25);
        assert!(session.ping());
    }
}

#[test]
fn case_58_several_statements_and_an_error_in_the_middle() {
    let mut session = Session::open(&CLUSTER);
    let results = session.all("SELECT 1; DO 2; SELECT 3 UNION SELECT 4; SELECT nonsense; SELECT 5");
    assert_eq!(results.len(), 4, "an error ends them: {results:?}");
    assert_eq!(results[0].text(), [["1"]]);
    assert!(matches!(results[1], Outcome::Ok { .. }));
    assert_eq!(results[2].text(), [["3"], ["4"]]);
    assert_eq!(results[3].clone().refused().code, 1054);
    assert!(session.ping(), "the session goes on");
}

#[test]
fn case_58_a_procedure_with_several_results() {
    let mut session = Session::open(&CLUSTER);
    session.run(
        "CREATE OR REPLACE PROCEDURE several(n INT) BEGIN SELECT n; SELECT n + 1, 'x'; \
         SELECT 1 FROM dual WHERE FALSE; END",
    );
    let results = session.all("CALL several(7)");
    assert_eq!(
        results.len(),
        4,
        "three results and the call's own OK: {results:?}"
    );
    assert_eq!(results[1].text(), [["8", "x"]]);
    let (id, _, _) = prepare(&mut session, "CALL several(?)");
    execute(&mut session, id, 0, &["3"]);
    let mut seen = 0;
    loop {
        match executed(&mut session) {
            Outcome::Rows { status, .. } => {
                seen += 1;
                assert_ne!(status & tidegate_e2e::session::MORE_RESULTS, 0);
            }
            Outcome::Ok { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, 3);
    assert!(session.ping());
}
