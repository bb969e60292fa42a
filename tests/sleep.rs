//! Sleep and wake of a cluster: the effects on sessions, waiting logins and data.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::Probe;
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Options, Server, tls};

/// Server whose clusters sleep after a second, so each test has its own cluster.
static SLEEPY: LazyLock<Server> = LazyLock::new(|| Server::with(Options::sleepy()));
/// Server whose clusters sleep only on command.
static CALM: LazyLock<Server> = LazyLock::new(Server::start);

#[test]
fn an_unused_cluster_goes_to_sleep_and_keeps_its_rows() {
    let cluster = SLEEPY.create("nap");
    mariadb(&cluster, "CREATE TABLE t (n INT); INSERT INTO t VALUES (7)").expect();
    SLEEPY.wait_state("nap", "asleep");
    assert_eq!(mariadb(&cluster, "SELECT n FROM t").expect(), "7");
}

#[test]
fn case_70_an_idle_session_gets_4031_and_then_the_end() {
    let cluster = SLEEPY.create("idle");
    let mut session = Session::open(&cluster);
    assert_eq!(session.value("SELECT 1"), "1");
    let notice = Refused::parse(&session.probe.expect()).expect("an error packet, not a reset");
    assert_eq!((notice.code, notice.state.as_str()), (4031, "HY000"));
    assert_eq!(
        session
            .probe
            .frame()
            .expect("an end in order, with close_notify"),
        None
    );
}

#[test]
fn case_47_many_waiting_logins_cause_one_start() {
    let cluster = CALM.create("crowd");
    CALM.sleep("crowd");
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let cluster = cluster.clone();
            std::thread::spawn(move || Session::open(&cluster).value("SELECT 1"))
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), "1");
    }
    let mut session = Session::open(&cluster);
    // This counter begins at 0 with each run of the engine.
    let uptime = session
        .query("SHOW GLOBAL STATUS LIKE 'Connections'")
        .text();
    assert!(
        uptime[0][1].parse::<u32>().unwrap() >= 21,
        "all of them in one run of the engine: {uptime:?}"
    );
}

#[test]
fn case_47_a_client_that_leaves_while_waiting_frees_its_place() {
    let cluster = CALM.create("leaver");
    CALM.sleep("leaver");
    for _ in 0..10 {
        let mut probe = Probe::secured(cluster.addr(), tls::verified(&cluster.ca, tls::BOTH));
        probe.write(2, &Response::new(&cluster.user).bytes());
        assert_eq!(probe.expect(), [1, 4]);
        probe.answer(format!("{}\0", cluster.password).as_bytes());
        probe.vanish();
    }
    assert_eq!(mariadb(&cluster, "SELECT 1").expect(), "1");
    soon("no session left", || {
        let list = CALM.json(&["session", "list", "--cluster", "leaver"]);
        let sessions = list
            .as_array()
            .or_else(|| list["sessions"].as_array())
            .expect("a list")
            .len();
        (sessions == 0).then_some(())
    });
}

#[test]
fn an_open_transaction_and_a_running_query_keep_their_cluster_awake() {
    let cluster = SLEEPY.create("busy");
    let mut session = Session::open(&cluster);
    session.run("CREATE TABLE t (n INT)");
    session.run("BEGIN");
    session.run("INSERT INTO t VALUES (1)");
    // Several times the idle time of a cluster.
    assert_eq!(mariadb(&cluster, "SELECT SLEEP(4)").expect(), "0");
    assert_eq!(
        session.value("SELECT COUNT(*) FROM t"),
        "1",
        "the transaction is still there"
    );
    session.run("COMMIT");
    drop(session);
    SLEEPY.wait_state("busy", "asleep");
}

#[test]
fn an_open_cursor_keeps_its_cluster_awake_until_its_last_row() {
    let cluster = SLEEPY.create("cursor");
    let mut session = Session::open(&cluster);
    session.probe.command(b"\x16SELECT seq FROM seq_1_to_3");
    let prepared = session.probe.expect();
    assert_eq!(prepared[0], 0);
    session.skip_columns(1).unwrap();
    // STMT_EXECUTE with a cursor, and STMT_FETCH of one row.
    let id = &prepared[1..5];
    let execute = [&[0x17], id, &[1, 1, 0, 0, 0]].concat();
    let fetch = [&[0x1c], id, &[1, 0, 0, 0]].concat();
    session.probe.command(&execute);
    assert_eq!(session.probe.expect(), [1], "one column");
    session.skip_columns(1).unwrap();
    for row in 1..=3 {
        // Several times the idle time of a cluster.
        assert_eq!(mariadb(&cluster, "SELECT SLEEP(2)").expect(), "0");
        session.probe.command(&fetch);
        let got = session.probe.expect();
        assert_eq!(got[..3], [0, 0, row], "{got:?}");
        assert_eq!(session.probe.expect()[0], 0xfe);
    }
    session.probe.command(&fetch);
    let end = session.probe.expect();
    assert_eq!(end[0], 0xfe, "{end:?}");
    // It stays connected, and is nothing to wait for any more.
    SLEEPY.wait_state("cursor", "asleep");
}

#[test]
fn sleep_by_command_refuses_while_a_transaction_is_open() {
    let cluster = CALM.create("held");
    let mut session = Session::open(&cluster);
    session.run("BEGIN");
    let out = CALM.cli(&["cluster", "sleep", "held"]);
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    assert!(!out.stderr.is_empty());
    session.run("COMMIT");
    CALM.sleep("held");
}

#[test]
fn a_thousand_rows_survive_many_sleeps() {
    let cluster = CALM.create("often");
    mariadb(&cluster, "CREATE TABLE t (n INT PRIMARY KEY)").expect();
    for round in 0..5 {
        let sql = format!(
            "INSERT INTO t SELECT seq FROM seq_{}_to_{}",
            round * 200,
            round * 200 + 199
        );
        match Session::open(&cluster).query(&sql) {
            Outcome::Ok { affected, .. } => assert_eq!(affected, 200),
            other => panic!("{other:?}"),
        }
        CALM.sleep("often");
    }
    assert_eq!(
        mariadb(&cluster, "SELECT COUNT(*), SUM(n) FROM t").expect(),
        "1000\t499500"
    );
}

fn log_in(cluster: &Cluster) -> Result<Session, Refused> {
    Session::login(cluster, &cluster.user, &cluster.password, wire::ORDINARY)
}

#[test]
fn new_limits_apply_to_the_next_login_and_to_sleep() {
    let cluster = CALM.create("limited");
    let mut first = Session::open(&cluster);
    assert!(
        CALM.cli(&["cluster", "set", "limited", "--connections-max", "1"])
            .status
            .success()
    );
    let refused = log_in(&cluster)
        .err()
        .expect("the only connection is in use");
    assert_eq!(
        (refused.code, refused.state.as_str()),
        (1040, "08004"),
        "{refused:?}"
    );
    assert_eq!(first.value("SELECT 1"), "1", "open sessions stay");
    assert!(
        CALM.cli(&["cluster", "set", "limited", "--connections-max", "2"])
            .status
            .success()
    );
    assert_eq!(
        log_in(&cluster).expect("a second place").value("SELECT 2"),
        "2"
    );
    // Until now it waited for five minutes.
    let shown = CALM.json(&["cluster", "set", "limited", "--sleep-after", "1s"]);
    assert_eq!(
        (
            &shown["limits"]["sleep_after_seconds"],
            &shown["limits"]["connections_max"]
        ),
        (&1.into(), &2.into())
    );
    CALM.wait_state("limited", "asleep");
    let nothing = CALM.cli(&["cluster", "set", "limited"]);
    assert_eq!(
        nothing.status.code(),
        Some(2),
        "a command without a change is a usage error"
    );
    assert_eq!(
        CALM.cli(&["cluster", "set", "limited", "--connections-max", "0"])
            .status
            .code(),
        Some(2)
    );
}
