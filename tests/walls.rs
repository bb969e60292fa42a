//! Isolation of an engine, tested from inside through the endpoint by an account with SUPER and
//! FILE: SQL rights are not a security boundary, the process is.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use tidegate_e2e::Server;
use tidegate_e2e::not_run;
use tidegate_e2e::session::{Outcome, Session, almighty};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

#[test]
fn root_administers_its_cluster_and_no_more() {
    let cluster = SERVER.create("admin");
    let mut root = Session::open(&cluster);
    for sql in [
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (n INT)",
        "CREATE USER app@'%' IDENTIFIED BY 'x'",
        "GRANT SELECT, INSERT ON shop.* TO app@'%'",
        "CREATE EVENT shop.e ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.t",
        "CREATE TRIGGER shop.tr BEFORE INSERT ON shop.t FOR EACH ROW SET NEW.n = NEW.n + 1",
        "DROP USER app@'%'",
        "DROP DATABASE shop",
    ] {
        root.run(sql);
    }
    for sql in [
        "SELECT LOAD_FILE('/etc/hostname')",
        "SELECT 1 INTO OUTFILE '/tmp/tidegate-e2e-out'",
    ] {
        match root.query(sql) {
            Outcome::Rows { rows, .. } => assert_eq!(rows[0][0], None, "{sql}"),
            other => drop(other.refused()),
        }
    }
    root.query("SHUTDOWN").refused();
    root.query("SET GLOBAL general_log_file = '/tmp/tidegate-e2e-log'")
        .refused();
}

#[test]
fn with_everything_granted_no_file_outside_is_read_or_made() {
    let cluster = SERVER.create("evil");
    let neighbour = SERVER.create("neighbour");
    Session::open(&neighbour).run("CREATE TABLE secret (n INT)");
    let mut evil = almighty(&cluster);
    let outside = tempfile::tempdir().unwrap();
    fs::set_permissions(
        outside.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let bait = outside.path().join("bait");
    fs::write(&bait, "secret words").unwrap();
    fs::set_permissions(&bait, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let read = [
        bait.display().to_string(),
        cluster.ca.display().to_string(),
        "/etc/hostname".into(),
    ];
    for path in &read {
        match evil.query(&format!("SELECT LOAD_FILE('{path}')")) {
            Outcome::Rows { rows, .. } => assert_eq!(rows[0][0], None, "{path}"),
            other => drop(other.refused()),
        }
        evil.run("CREATE OR REPLACE TABLE test.taken (line TEXT)");
        evil.query(&format!("LOAD DATA INFILE '{path}' INTO TABLE test.taken"))
            .refused();
        assert_eq!(evil.value("SELECT COUNT(*) FROM test.taken"), "0", "{path}");
    }
    let made = outside.path().join("made");
    evil.query(&format!("SELECT 'x' INTO OUTFILE '{}'", made.display()))
        .refused();
    evil.query(&format!("SELECT 'x' INTO DUMPFILE '{}'", made.display()))
        .refused();
    for variable in ["general_log_file", "slow_query_log_file"] {
        // Whether or not the setting is accepted, nothing is created and nothing is changed.
        for path in [&made, &bait] {
            let _ = evil.query(&format!("SET GLOBAL {variable} = '{}'", path.display()));
            let _ = evil.query("SET GLOBAL general_log = 1");
            let _ = evil.query("SET GLOBAL slow_query_log = 1");
            let _ = evil.query("SELECT 'noted'");
            let _ = evil.query("SET GLOBAL general_log = 0");
        }
    }
    evil.query(&format!(
        "CREATE TABLE test.elsewhere (n INT) DATA DIRECTORY '{}'",
        outside.path().display()
    ));
    let found: Vec<PathBuf> = fs::read_dir(outside.path())
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    assert_eq!(found, std::slice::from_ref(&bait), "nothing was made");
    assert_eq!(fs::read_to_string(&bait).unwrap(), "secret words");
}

#[test]
fn with_everything_granted_no_code_is_loaded_and_no_network_opened() {
    let cluster = SERVER.create("code");
    let mut evil = almighty(&cluster);
    for sql in [
        "INSTALL SONAME 'auth_ed25519'",
        "INSTALL SONAME '../../../usr/lib/x86_64-linux-gnu/libc.so.6'",
        "CREATE FUNCTION sys_exec RETURNS INT SONAME 'lib_mysqludf_sys.so'",
    ] {
        evil.query(sql).refused();
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let _ = evil.query(&format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='x'"
    ));
    let _ = evil.query("START SLAVE");
    // The engine reports that it can't connect.
    let tried = tidegate_e2e::limits::soon("what the replication thread says", || {
        let status = evil.query("SHOW SLAVE STATUS");
        let Outcome::Rows { rows, .. } = status else {
            return Some("refused".to_owned());
        };
        let text: Vec<_> = rows
            .first()?
            .iter()
            .flatten()
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect();
        text.into_iter()
            .find(|c| c.contains("error connecting") || c.contains("socket"))
    });
    println!("{tried}");
    assert_eq!(
        listener.accept().err().map(|e| e.kind()),
        Some(std::io::ErrorKind::WouldBlock),
        "nobody called"
    );
    let _ = evil.query("STOP SLAVE");
}

/// Returns the lines of the network's sockets that a process has open.
fn network_sockets(pid: u32) -> Vec<String> {
    let mut own = Vec::new();
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let target = fs::read_link(fd.path()).unwrap_or_default();
        let socket = target.to_str().and_then(|to| to.strip_prefix("socket:["));
        own.extend(socket.map(|inode| inode.trim_end_matches(']').to_owned()));
    }
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] {
        let all = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        let is_own = |line: &&str| {
            let inode = line.split_whitespace().nth(9);
            inode.is_some_and(|inode| own.iter().any(|own| own == inode))
        };
        found.extend(
            all.lines()
                .skip(1)
                .filter(is_own)
                .map(|line| format!("{table}: {line}")),
        );
    }
    found
}

/// Returns the value of a key in `/proc/PID/status`.
fn status_line(status: &str, key: &str) -> String {
    status
        .lines()
        .find_map(|l| l.strip_prefix(key))
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn an_engine_runs_under_its_own_user_and_holds_nothing_of_ours() {
    if !rustix::process::geteuid().is_root() {
        not_run("separate users need root");
        return;
    }
    let server = Server::start();
    let one = server.create("one");
    let two = server.create("two");
    let _open = (Session::open(&one), Session::open(&two));
    let engines = server.engines();
    assert_eq!(engines.len(), 2);
    let uid = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert_eq!(status_line(&status, "NoNewPrivs:"), "1");
        assert_eq!(status_line(&status, "Seccomp:"), "2", "a filter");
        assert_eq!(status_line(&status, "CapEff:"), "0000000000000000");
        status_line(&status, "Uid:")
            .split_whitespace()
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    let uids: Vec<u32> = engines.iter().map(uid).collect();
    assert_ne!(uids[0], uids[1]);
    assert!(
        uids.iter()
            .all(|u| (1_879_048_192..=2_147_352_575).contains(u)),
        "{uids:?}"
    );
    assert!(
        network_sockets(server.pid()).len() >= 4,
        "the server's own: two listeners and two sessions"
    );
    for pid in engines {
        for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            let Ok(target) = fs::read_link(fd.path()) else {
                continue;
            };
            let target = target.to_string_lossy().into_owned();
            for ours in ["store", "sqlite", ".key", "control.sock"] {
                assert!(!target.contains(ours), "{target}");
            }
        }
        assert_eq!(network_sockets(pid), Vec::<String>::new());
    }
}
