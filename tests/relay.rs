//! Traffic of a session after the login: large packets, many results, cursors, files, slow readers.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::io::ErrorKind;
use std::sync::LazyLock;
use tidegate_e2e::limits::{READ_WAIT, soon};
use tidegate_e2e::not_run;
use tidegate_e2e::probe::{frame, is_timeout};
use tidegate_e2e::session::{Outcome, Row, Session};
use tidegate_e2e::wire::{self, lenenc};
use tidegate_e2e::{Cluster, Options, Server, processes};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| SERVER.create("relay"));

const LAST_ROW_SENT: u16 = 0x0080;
const CURSOR_EXISTS: u16 = 0x0040;

fn session(capabilities: u32) -> Session {
    Session::login(&CLUSTER, &CLUSTER.user, &CLUSTER.password, capabilities).unwrap()
}

#[test]
fn case_54_commands_at_the_edges_of_a_packet() {
    let mut session = Session::open(&CLUSTER);
    let around = "SELECT LENGTH('')".len() + 1; // and the command byte
    for payload in [0xff_fffe, 0xff_ffff, 0x100_0000, 0x1ff_fffe, 40 << 20] {
        let length = payload - around;
        let sql = format!("SELECT LENGTH('{}')", "x".repeat(length));
        assert_eq!(
            session.value(&sql),
            length.to_string(),
            "a payload of {payload}"
        );
    }
}

#[test]
fn case_54_a_command_beyond_the_engines_limit_is_refused_and_disturbs_no_other() {
    let mut session = Session::open(&CLUSTER);
    let max: usize = session
        .value("SELECT @@max_allowed_packet")
        .parse()
        .unwrap();
    if max > 512 << 20 {
        not_run(&format!("the engine takes {max} bytes"));
        return;
    }
    let mut command = vec![3];
    command.resize(max + (2 << 20), b' ');
    // The engine may answer while the client still sends; the client sees 1153 or the end.
    let sent = session.probe.raw(&tidegate_e2e::probe::frames(&command));
    match session.probe.payload() {
        Ok(Some(packet)) => assert_eq!(
            wire::Refused::parse(&packet).expect("an error packet").code,
            1153
        ),
        Ok(None) => {}
        Err(error) => assert!(!is_timeout(&error), "no end after {sent:?}"),
    }
    assert_eq!(Session::open(&CLUSTER).value("SELECT 1"), "1");
}

/// The engine refuses such a packet and ends that session. Nothing else has ended, so nothing else
/// may be said.
#[test]
fn a_wrong_sequence_number_is_answered_by_one_error_and_the_end() {
    let mut session = Session::open(&CLUSTER);
    let mut other = Session::open(&CLUSTER);
    session.probe.raw(&frame(5, b"\x03SELECT 1")).unwrap();
    let refused = wire::Refused::parse(&session.probe.expect()).expect("an error packet");
    assert_eq!(refused.code, 1156, "{refused:?}");
    let more = session.probe.payload();
    assert!(!matches!(more, Ok(Some(_))), "said behind it: {more:?}");
    assert!(other.ping(), "the engine still runs");
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

fn rows_of_file(n: usize) -> Vec<u8> {
    "row\n".repeat(n).into_bytes()
}

#[test]
fn case_59_local_infile_of_every_size() {
    let mut session = Session::open(&CLUSTER);
    session.run("CREATE OR REPLACE TABLE loaded (line LONGTEXT)");
    let huge = [vec![b'h'; 17 << 20], vec![b'\n']].concat();
    for (chunks, rows) in [
        (vec![rows_of_file(3)], 3),
        (vec![], 0),
        (vec![rows_of_file(1000), rows_of_file(1000)], 2000),
        (vec![huge], 1),
    ] {
        session.run("TRUNCATE loaded");
        let wants = session.query("LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE loaded");
        assert_eq!(wants, Outcome::WantsFile("mine.txt".into()));
        let mut seq = session.probe.seq;
        for chunk in chunks {
            for part in tidegate_e2e::probe::parts(&chunk) {
                seq = seq.wrapping_add(1);
                session.probe.write(seq, part);
            }
        }
        session.probe.write(seq.wrapping_add(1), &[]);
        match session.outcome().unwrap() {
            Outcome::Ok { affected, .. } => assert_eq!(affected, rows),
            other => panic!("{rows} rows: {other:?}"),
        }
        assert!(session.ping());
    }
}

#[test]
fn case_59_local_infile_the_server_refuses_early() {
    let mut session = Session::open(&CLUSTER);
    let refused = session
        .query("LOAD DATA LOCAL INFILE 'x' INTO TABLE no_such_table")
        .refused();
    assert_eq!(refused.code, 1146);
    assert!(session.ping());
}

/// MariaDB answers a file that is out of order immediately and continues with commands, at a
/// position in the stream that only it knows.
#[test]
fn case_59_a_file_out_of_order_is_refused_and_ends_the_session() {
    let cluster = SERVER.create("order");
    let mut watcher = Session::open(&cluster);
    watcher.run("CREATE TABLE loaded (line TEXT)");
    watcher.run("CREATE USER other IDENTIFIED BY 'pw'");
    let change_user = [&b"\x11other\0"[..], &[0, 0]].concat();
    for wrong in [&[][..], b"1\n2\n", &change_user] {
        let mut session = Session::open(&cluster);
        let wants = session.query("LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE loaded");
        assert_eq!(wants, Outcome::WantsFile("mine.txt".into()));
        session
            .probe
            .write(session.probe.seq.wrapping_add(1), b"1\n");
        session.probe.write(0, wrong);
        let refused = session.outcome().unwrap().refused();
        assert_eq!(refused.code, 1156, "{refused:?}");
        assert!(
            refused.message.contains("packets-out-of-order"),
            "{refused:?}"
        );
        assert!(session.try_query("SELECT 1").is_err(), "it has ended");
    }
    // A command after the load, which the engine reads as the file.
    let mut session = Session::open(&cluster);
    let load = [
        &b"\x03"[..],
        b"LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE loaded",
    ]
    .concat();
    session
        .probe
        .raw(&[frame(0, &load), frame(0, &change_user)].concat())
        .unwrap();
    assert_eq!(
        session.outcome().unwrap(),
        Outcome::WantsFile("mine.txt".into())
    );
    assert_eq!(session.outcome().unwrap().refused().code, 1156);
    assert_eq!(
        watcher.value("SELECT COUNT(*) FROM loaded"),
        "0",
        "nothing of it was loaded"
    );
    drop(watcher);
    SERVER.sleep("order");
}

/// The chunk has the sequence number of a command after 254 others, and its first byte is that of a
/// change of user.
#[test]
fn case_59_a_file_of_many_chunks_is_loaded_whole() {
    let mut session = Session::open(&CLUSTER);
    session.run("CREATE OR REPLACE TABLE chunks (line TEXT)");
    let wants = session.query("LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE chunks");
    assert_eq!(wants, Outcome::WantsFile("mine.txt".into()));
    let mut seq = session.probe.seq;
    for _ in 0..600 {
        seq = seq.wrapping_add(1);
        session.probe.write(seq, b"\x11root\0\0\n");
    }
    session.probe.write(seq.wrapping_add(1), &[]);
    assert!(matches!(
        session.outcome().unwrap(),
        Outcome::Ok { affected: 600, .. }
    ));
    assert!(session.ping());
}

/// Two ways of disconnecting: one waits for the engine's close, the other does not.
#[test]
fn case_52_a_statement_before_a_quit_is_finished_before_its_cluster_sleeps() {
    let cluster = SERVER.create("quitting");
    let mut lock = Session::open(&cluster);
    lock.run("CREATE TABLE late (a INT)");
    for close in [false, true] {
        lock.run("LOCK TABLES late WRITE");
        let mut leaver = Session::open(&cluster);
        let insert = frame(0, b"\x03INSERT INTO late VALUES (1)");
        leaver
            .probe
            .raw(&[insert, frame(0, b"\x01")].concat())
            .unwrap();
        if close {
            leaver
                .probe
                .tcp()
                .shutdown(std::net::Shutdown::Write)
                .unwrap();
        }
        let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'INSERT \
                       INTO late%'";
        soon("the statement waits for its table", || {
            (lock.value(waiting) == "1").then_some(())
        });
        let asked = SERVER.cli(&["cluster", "sleep", "quitting"]);
        assert!(!asked.status.success(), "a statement is running: {asked:?}");
        assert_eq!(lock.value(waiting), "1", "it was not cut");
        lock.run("UNLOCK TABLES");
        soon("the statement is done", || {
            (lock.value(waiting) == "0").then_some(())
        });
    }
    assert_eq!(lock.value("SELECT COUNT(*) FROM late"), "2");
    lock.quit();
    SERVER.sleep("quitting");
}

/// Sessions whose clients read nothing or do not finish a packet: more than the budget of their
/// cluster allows.
const STUBBORN: usize = 60;

/// Waits until the server has ended some of these sessions and returns how many.
fn ended(server: &Server, at_least: usize) -> usize {
    soon("sessions of the full pool end", || {
        let count = server
            .log()
            .lines()
            .filter(|line| line.contains("unread-answers"))
            .count();
        (count >= at_least).then_some(count)
    })
}

#[test]
fn case_68_clients_that_never_read_end_sessions_of_their_own_cluster_only() {
    let options = Options {
        config: "[gateway]\nheld_per_cluster = \"1M\"\n".into(),
        ..Options::default()
    };
    let server = Server::with(options);
    let stubborn = server.create("stubborn");
    let other = server.create("other");
    let mut neighbour = Session::open(&other);
    let mut neighbours_slow = Session::open(&other);
    neighbours_slow.send("SELECT REPEAT('n', 1000000) FROM seq_1_to_20");
    let mut sessions: Vec<_> = (0..STUBBORN).map(|_| Session::open(&stubborn)).collect();
    let before = processes::resident_kb(server.pid());
    for session in &mut sessions {
        // More than the kernel's buffers hold.
        session.send("SELECT REPEAT('s', 1000000) FROM seq_1_to_40");
    }
    let ended = ended(&server, 1);
    for _ in 0..50 {
        assert_eq!(neighbour.value("SELECT 1"), "1");
    }
    let grown = processes::resident_kb(server.pid()).saturating_sub(before);
    assert!(
        grown < 16 << 10,
        "{grown} kB more with {STUBBORN} readers that wait"
    );
    assert!(ended < STUBBORN, "only the largest sessions end: {ended}");
    // The others continue, also the neighbour, which is as slow and has its own pool.
    let Outcome::Rows { rows, .. } = neighbours_slow.outcome().unwrap() else {
        panic!("rows")
    };
    assert_eq!(rows.len(), 20);
    let whole = sessions
        .iter_mut()
        .filter_map(|session| session.outcome().ok())
        .count();
    assert!(whole > 0 && whole < STUBBORN, "{whole} read to the end");
    // The pool has room again.
    assert_eq!(Session::open(&stubborn).value("SELECT 1"), "1");
}

/// A change of user is held until it is complete: a megabyte each, whose last byte is never sent.
#[test]
fn case_50_packets_held_back_share_the_budget_of_their_cluster() {
    let options = Options {
        config: "[gateway]\nheld_per_cluster = \"1M\"\n".into(),
        ..Options::default()
    };
    let server = Server::with(options);
    let stubborn = server.create("holding");
    let other = server.create("other");
    let mut neighbour = Session::open(&other);
    let mut sessions: Vec<_> = (0..8).map(|_| Session::open(&stubborn)).collect();
    let packet = frame(0, &[&[0x11], &vec![b'u'; 600_000][..]].concat());
    for session in &mut sessions {
        // The server may have stopped reading.
        session.probe.raw(&packet[..400_000]).unwrap();
        assert_eq!(neighbour.value("SELECT 1"), "1");
    }
    assert!(ended(&server, 1) < sessions.len());
    let mut codes = Vec::new();
    for session in &mut sessions {
        // Read before writing: a reset would destroy received data. Sessions that continue send
        // nothing yet.
        session
            .probe
            .tcp()
            .set_read_timeout(Some(std::time::Duration::from_millis(200)))
            .unwrap();
        let told = session.outcome();
        session
            .probe
            .tcp()
            .set_read_timeout(Some(READ_WAIT))
            .unwrap();
        let answer = match told {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => session
                .probe
                .raw(&packet[400_000..])
                .and_then(|()| session.outcome()),
            told => told,
        };
        match answer {
            Ok(Outcome::Refused(refused)) => codes.push(refused.code),
            other => panic!("{other:?} after {codes:?}"),
        }
    }
    assert!(
        codes.contains(&1161),
        "a session that reads is told why it ends: {codes:?}"
    );
    assert!(codes.contains(&1235), "the others go on: {codes:?}");
    assert_eq!(neighbour.value("SELECT 1"), "1");
}

/// Bytes of the large result: more than all buffers on the way together, few enough for a small
/// machine.
const LARGE_MB: usize = 256;
/// Environment variable by which `script/test all` requests a whole gigabyte.
const LARGE_MB_VARIABLE: &str = "TIDEGATE_TEST_LARGE_MB";
/// Most memory that a slow session may cost the gateway. The result is eight times as large.
const GROWTH_MAX_KB: u64 = 32 << 10;

#[test]
fn case_68_a_large_result_to_a_slow_reader_in_flat_memory() {
    // A separate server, because its memory is measured.
    let large_mb =
        std::env::var(LARGE_MB_VARIABLE).map_or(LARGE_MB, |mb| mb.parse().expect("a number"));
    let server = Server::start();
    let cluster = server.create("slow");
    let mut slow = Session::open(&cluster);
    let mut other = Session::open(&cluster);
    let before = processes::resident_kb(server.pid());
    slow.send(&format!(
        "SELECT REPEAT('r', {}) FROM seq_1_to_{large_mb}",
        1 << 20
    ));
    // While this session reads nothing, all others are served.
    for _ in 0..50 {
        assert_eq!(other.value("SELECT 1"), "1");
    }
    let held = processes::resident_kb(server.pid());
    assert!(
        held < before + GROWTH_MAX_KB,
        "{before} kB before, {held} kB with a reader that waits"
    );
    let Outcome::Rows { rows, .. } = slow.outcome().unwrap() else {
        panic!("rows")
    };
    assert_eq!(
        rows.iter()
            .map(|r| r[0].as_ref().unwrap().len())
            .sum::<usize>(),
        large_mb << 20
    );
    let after = processes::resident_kb(server.pid());
    assert!(
        after < before + GROWTH_MAX_KB,
        "{before} kB before, {after} kB after"
    );
    assert!(slow.ping());
}

#[test]
fn case_69_a_client_that_disappears_stops_its_query() {
    let mut watcher = Session::open(&CLUSTER);
    let count =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(3333)'";
    let mut leaver = Session::open(&CLUSTER);
    leaver.send("SELECT SLEEP(3333)");
    soon("the query runs", || {
        (watcher.value(count) == "1").then_some(())
    });
    leaver.probe.vanish();
    soon("the query is gone", || {
        (watcher.value(count) == "0").then_some(())
    });
}

fn aborted_clients(session: &mut Session) -> String {
    session
        .query("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
        .text()[0][1]
        .clone()
}

#[test]
fn case_21_closes_of_all_kinds_leave_no_aborted_client() {
    let cluster = SERVER.create("goodbye");
    let mut watcher = Session::open(&cluster);
    let before = aborted_clients(&mut watcher);
    for _ in 0..5 {
        Session::open(&cluster).quit();
        // COM_QUIT, then a disconnect without close_notify.
        let mut rude = Session::open(&cluster);
        rude.probe.command(&[1]);
        rude.probe.vanish();
    }
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'root'";
    soon("they are gone", || {
        (watcher.value(count) == "1").then_some(())
    });
    assert_eq!(
        aborted_clients(&mut watcher),
        before,
        "the engine got COM_QUIT each time"
    );
}
