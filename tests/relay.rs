//! Traffic of a session after the login: large packets, slow readers and the budget of memory that
//! they share, and the end of a session.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::net::Shutdown;
use std::sync::LazyLock;
use tidegate_e2e::limits::soon;
use tidegate_e2e::not_run;
use tidegate_e2e::probe::{frame, is_timeout};
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire;
use tidegate_e2e::{Cluster, Options, Server, processes};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| SERVER.create("relay"));

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

/// Changes of user without an end. Each costs what a login costs that is not complete.
#[test]
fn case_50_endless_changes_of_user_take_nothing_of_their_clusters_budget() {
    let options = Options {
        config: "[gateway]\nheld_per_cluster = \"1M\"\n".into(),
        ..Options::default()
    };
    let server = Server::with(options);
    let cluster = server.create("holding");
    let mut others = [
        Session::open(&cluster),
        Session::open(&server.create("other")),
    ];
    let mut sessions: Vec<_> = (0..8).map(|_| Session::open(&cluster)).collect();
    let packet = frame(0, &[&[0x11], &vec![b'u'; 600_000][..]].concat());
    for session in &mut sessions {
        // Less than is kept of a login, so that the rest is waited for.
        session.probe.raw(&packet[..16_000]).unwrap();
        for other in &mut others {
            assert_eq!(other.value("SELECT REPEAT('x', 100000) = 1"), "0");
        }
    }
    for session in &mut sessions {
        // No more than is read: the answer to a longer packet may be lost to a reset.
        session.probe.raw(&packet[16_000..16_500]).unwrap();
        assert_eq!(session.outcome().unwrap().refused().code, 1153);
        for other in &mut others {
            assert_eq!(other.value("SELECT 1"), "1");
        }
    }
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
fn an_answer_is_written_to_a_client_that_has_closed_its_side() {
    let mut session = Session::open(&CLUSTER);
    session.send("SELECT SLEEP(1), 5");
    session.probe.tcp().shutdown(Shutdown::Write).unwrap();
    let Ok(Outcome::Rows { rows, .. }) = session.outcome() else {
        panic!("the answer");
    };
    assert_eq!(rows[0][1].as_deref(), Some(&b"5"[..]));
    assert_eq!(session.probe.until_closed(), b"", "and nothing after it");
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
    leaver.probe.reset();
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
