//! Files of LOAD DATA LOCAL on their way from the client to the engine: of every size, refused, out
//! of order.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::probe::frame;
use tidegate_e2e::session::{Outcome, Session, almighty};
use tidegate_e2e::{Cluster, Server};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| SERVER.create("files"));

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

/// Loads a file of so many chunks into a table whose rows a trigger refuses.
fn load_refused_rows(session: &mut Session, chunks: usize) {
    let wants = session.query("LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE refusing");
    assert_eq!(wants, Outcome::WantsFile("mine.txt".into()));
    let mut seq = session.probe.seq;
    for _ in 0..chunks {
        seq = seq.wrapping_add(1);
        // The first byte of a change of user, also in the chunks with the sequence number 0.
        session.probe.write(seq, b"\x11root\0\0\n");
    }
    session.probe.write(seq.wrapping_add(1), &[]);
}

/// The engine asked for the file, and its answer is an error: in the first row, while the client
/// sends hundreds of chunks.
#[test]
fn case_59_a_file_that_the_engine_answers_by_an_error_leaves_the_session_usable() {
    let cluster = SERVER.create("early");
    let mut session = Session::open(&cluster);
    session.run("CREATE TABLE refusing (line TEXT)");
    session.run(
        "CREATE TRIGGER refuse BEFORE INSERT ON refusing FOR EACH ROW SIGNAL SQLSTATE '45000' SET \
         MESSAGE_TEXT = 'not this one'",
    );
    for chunks in [1, 600] {
        load_refused_rows(&mut session, chunks);
        let refused = session.outcome().unwrap().refused();
        assert_eq!(refused.code, 1644, "{refused:?}");
        // Nothing waits for a file any more: the next packets are commands, KILL and a change of
        // user too.
        assert_eq!(session.value("SELECT 41 + 1"), "42");
        let unknown = session.query("KILL 2147483653").refused();
        assert_eq!(unknown.code, 1094, "{unknown:?}");
        assert!(session.ping());
    }
    assert_eq!(session.value("SELECT COUNT(*) FROM refusing"), "0");
    // Idle for the server too: a session that still waited for a file would keep it awake.
    SERVER.sleep("early");
}

/// The engine refuses the statement before it asks for the file.
#[test]
fn case_59_a_file_that_the_engine_never_asks_for_is_refused_and_the_session_goes_on() {
    let cluster = SERVER.create("never");
    let mut admin = almighty(&cluster);
    admin.run("SET GLOBAL local_infile = 0");
    let mut session = Session::open(&cluster);
    session.run("CREATE TABLE loaded (line TEXT)");
    for sql in [
        "LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE loaded",
        "LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE no_such_table",
    ] {
        let refused = session.query(sql).refused();
        assert!([1148, 4166, 1146].contains(&refused.code), "{refused:?}");
        assert_eq!(session.value("SELECT 41 + 1"), "42");
        assert!(session.ping());
    }
    drop(admin);
    SERVER.sleep("never");
}
