//! kill -9 at any moment: no committed row is lost, the next login works, no process is left, and a
//! data directory never has two engines.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tidegate_e2e::limits::soon;
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire::{self, Refused};
use tidegate_e2e::{Cluster, Server, processes};

/// Logs in. While the cluster recovers, the only other answer allowed is "try again".
fn login_soon(server: &Server, cluster: &Cluster) -> Session {
    soon("a login after the crash", || {
        match Session::login(cluster, &cluster.user, &cluster.password, wire::ORDINARY) {
            Ok(session) => Some(session),
            Err(refused) => {
                assert_eq!(
                    refused.code,
                    1040,
                    "only `try again` is allowed meanwhile: {refused:?}\n{}",
                    server.log()
                );
                None
            }
        }
    })
}

/// Inserts 1, 2, 3 ... each in its own transaction, until it is told to stop or disconnected.
/// Returns how many were acknowledged.
fn write_until(cluster: &Cluster, acknowledged: &AtomicU64, stop: &AtomicBool) {
    let Ok(mut session) = Session::login(cluster, &cluster.user, &cluster.password, wire::ORDINARY)
    else {
        return;
    };
    while !stop.load(Ordering::Relaxed) {
        let next = acknowledged.load(Ordering::Relaxed) + 1;
        match session.try_query(&format!("INSERT INTO t VALUES ({next})")) {
            Ok(Outcome::Ok { .. }) => acknowledged.store(next, Ordering::Relaxed),
            // Written, but its acknowledgement was lost in an earlier round.
            Ok(Outcome::Refused(refused)) if refused.code == 1062 => {
                acknowledged.store(next, Ordering::Relaxed)
            }
            _ => return,
        }
    }
}

/// Checks that every acknowledged row exists, without a gap, and that the tables are intact.
fn all_there(server: &Server, cluster: &Cluster, acknowledged: u64) {
    let mut session = login_soon(server, cluster);
    let rows = session
        .query("SELECT COUNT(*), COALESCE(MAX(n), 0) FROM t")
        .text();
    let count: u64 = rows[0][0].parse().unwrap();
    let max: u64 = rows[0][1].parse().unwrap();
    assert_eq!(count, max, "a gap");
    assert!(
        // The last insert may be committed without its acknowledgement having arrived.
        max == acknowledged || max == acknowledged + 1,
        "{max} rows, {acknowledged} acknowledged"
    );
    assert_eq!(session.query("CHECK TABLE t").text()[0][3], "OK");
}

/// Runs `harm` while rows are written; every acknowledged row must exist afterwards.
fn harmed(server: &mut Server, rounds: u32, harm: fn(&mut Server)) {
    let cluster = server.create("crash");
    Session::open(&cluster).run("CREATE TABLE t (n BIGINT PRIMARY KEY)");
    let acknowledged = AtomicU64::new(0);
    for round in 0..rounds {
        let stop = AtomicBool::new(false);
        let before = acknowledged.load(Ordering::Relaxed);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| write_until(&cluster, &acknowledged, &stop));
            // Another number in each round, so that the kill comes at another moment.
            let enough = before + 20 + u64::from(round) * 13;
            soon("some rows", || {
                (acknowledged.load(Ordering::Relaxed) >= enough).then_some(())
            });
            harm(server);
            stop.store(true, Ordering::Relaxed);
            writer.join().expect("the writer");
        });
        all_there(server, &cluster, acknowledged.load(Ordering::Relaxed));
        assert_eq!(server.engines().len(), 1, "one engine: {}", server.log());
    }
}

#[test]
fn kill_9_of_the_engine_loses_no_committed_row() {
    let mut server = Server::start();
    harmed(&mut server, 4, |server| processes::kill9(server.engine()));
    assert_eq!(server.stop(), 0);
    assert_eq!(server.engines(), Vec::<u32>::new());
}

#[test]
fn kill_9_of_the_server_takes_its_engines_along_and_loses_nothing() {
    let mut server = Server::start();
    harmed(&mut server, 3, |server| {
        server.kill9();
        soon("engines end with their server", || {
            server.engines().is_empty().then_some(())
        });
        server.run();
    });
}

#[test]
fn kill_9_of_both_loses_nothing() {
    let mut server = Server::start();
    harmed(&mut server, 3, |server| {
        let engine = server.engine();
        processes::kill9(engine);
        server.kill9();
        // Immediately: the dead engine's files must not prevent the next start.
        server.run();
    });
}

#[test]
fn kill_9_while_an_engine_starts_leaves_one_engine_that_works() {
    let server = Server::start();
    let cluster = server.create("young");
    Session::open(&cluster).run("CREATE TABLE t (n INT PRIMARY KEY)");
    Session::open(&cluster).run("INSERT INTO t VALUES (1)");
    for round in 0..5u64 {
        server.sleep("young");
        let waker = {
            let cluster = cluster.clone();
            std::thread::spawn(move || {
                Session::login(&cluster, &cluster.user, &cluster.password, wire::ORDINARY).is_ok()
            })
        };
        let engine = soon("an engine that starts", || {
            server.engines().first().copied()
        });
        // Not asserted: it only spreads the kill over the time of the start.
        std::thread::sleep(Duration::from_millis(round * 12));
        processes::kill9(engine);
        let _ = waker.join();
        assert_eq!(login_soon(&server, &cluster).value("SELECT n FROM t"), "1");
        assert_eq!(server.engines().len(), 1);
    }
}

#[test]
fn case_71_a_session_whose_engine_dies_between_commands_is_told() {
    let server = Server::start();
    let cluster = server.create("told");
    let mut session = Session::open(&cluster);
    session.value("SELECT 1");
    processes::kill9(server.engine());
    let notice = Refused::parse(&session.probe.expect()).expect("an error packet");
    assert!([1053, 1105].contains(&notice.code), "{notice:?}");
    session.probe.until_closed();
}

#[test]
fn case_71_a_session_whose_engine_dies_in_a_query_is_closed() {
    let server = Server::start();
    let cluster = server.create("amid");
    let mut session = Session::open(&cluster);
    session.send("SELECT SLEEP(1000)");
    soon("the query runs", || {
        let mut other = Session::open(&cluster);
        let n = other.value(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE \
             'SELECT SLEEP(1000)'",
        );
        (n == "1").then_some(())
    });
    processes::kill9(server.engine());
    // An error packet or a closed connection. Both come promptly, neither is a row.
    match session.probe.payload() {
        Ok(Some(packet)) => assert!(Refused::parse(&packet).is_some(), "{packet:?}"),
        Ok(None) => {}
        Err(e) => assert!(
            !matches!(
                e.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ),
            "{e}"
        ),
    }
}

#[test]
fn sigterm_and_sigint_stop_everything_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        let cluster = server.create("order");
        let mut idle = Session::open(&cluster);
        idle.run("CREATE TABLE t (n INT)");
        let engine = server.engine();
        processes::kill(server.pid(), signal);
        let notice = Refused::parse(&idle.probe.expect()).expect("sessions are told");
        assert_eq!(notice.code, 1053, "{notice:?}");
        soon("the engine's end", || {
            (!processes::alive(engine)).then_some(())
        });
        assert_eq!(server.stop(), 0, "{}", server.log());
        server.run();
        assert_eq!(
            login_soon(&server, &cluster)
                .query("SELECT * FROM t")
                .text()
                .len(),
            0
        );
    }
}

#[test]
fn an_engine_that_cannot_start_says_so_to_client_and_log() {
    let server = Server::start();
    let cluster = server.create("broken");
    Session::open(&cluster).run("CREATE TABLE t (n INT)");
    server.sleep("broken");
    // The system tablespace of the only cluster, not of the template.
    let mut spoiled = 0;
    let mut folders = vec![server.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if name.ends_with("/ibdata1") && !name.contains("template") {
                std::fs::write(&path, [0xa5; 65536]).unwrap();
                spoiled += 1;
            }
        }
    }
    assert_eq!(
        spoiled,
        1,
        "system tablespaces under {}",
        server.data().display()
    );
    let refused = Session::login(&cluster, &cluster.user, &cluster.password, wire::ORDINARY)
        .err()
        .expect("no engine");
    assert!([1105, 1040].contains(&refused.code), "{refused:?}");
    server.wait_state("broken", "failed");
    let refused = Session::login(&cluster, &cluster.user, &cluster.password, wire::ORDINARY)
        .err()
        .expect("no engine");
    assert_eq!(refused.code, 1105, "{refused:?}");
    assert!(refused.message.contains("can't start"), "{refused:?}");
    soon("the engine's own words in the log", || {
        let log = server.log();
        (log.to_lowercase().contains("innodb") || log.contains("ibdata1")).then_some(())
    });
    assert_eq!(server.engines(), Vec::<u32>::new());
}

#[test]
fn a_login_in_flight_at_a_crash_gets_a_lease_on_the_next_run() {
    let server = Server::start();
    let cluster = server.create("flight");
    Session::open(&cluster).value("SELECT 1");
    let engine = server.engine();
    // The kernel still accepts connections for a stopped engine, but nothing answers them.
    processes::kill(engine, Signal::STOP);
    let login = {
        let cluster = cluster.clone();
        std::thread::spawn(move || Session::open(&cluster))
    };
    soon("a login that waits in the engine's socket", || {
        let list = server.json(&["session", "list", "--cluster", "flight"]);
        let sessions = list
            .as_array()
            .or_else(|| list["sessions"].as_array())
            .expect("a list")
            .len();
        (sessions == 1).then_some(())
    });
    // Not asserted: the connection to the engine follows the proof within microseconds.
    std::thread::sleep(Duration::from_millis(200));
    processes::kill9(engine);
    let mut session = login.join().expect("a login");
    session.send("SELECT SLEEP(600)");
    let mut other = Session::open(&cluster);
    soon("the query runs", || {
        let n = other.value(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE \
             'SELECT SLEEP(600)'",
        );
        (n == "1").then_some(())
    });
    drop(other);
    let out = server.cli(&["cluster", "sleep", "flight"]);
    assert_eq!(
        out.status.code(),
        Some(1),
        "its session is busy, and the engine's side knows: {out:?}"
    );
}

#[test]
fn wrong_passwords_leave_a_saturated_engine_alone() {
    let server = Server::start();
    let cluster = server.create("burst");
    let mut sessions: Vec<_> = (0..40).map(|_| Session::open(&cluster)).collect();
    for session in &mut sessions {
        session.send("SELECT BENCHMARK(4000000000, MD5(1))");
    }
    let engine = server.engine();
    // Longer than the limit of the server's own statements.
    let until = std::time::Instant::now() + Duration::from_secs(14);
    while std::time::Instant::now() < until {
        let refused =
            Session::login(&cluster, &cluster.login("nobody"), "wrong", wire::ORDINARY).err();
        let code = refused.expect("nobody by that name").code;
        assert!([1045, 1040].contains(&code), "{code}");
    }
    assert_eq!(
        server.engine(),
        engine,
        "the same engine still runs: {}",
        server.log()
    );
}
