//! Refusals of a cluster at its disk limit and of a server at its awake budget, as a client meets
//! them: code, text and help page, that nothing has failed, that others go on, and the way back.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::time::Duration;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::limits::soon;
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire;
use tidegate_e2e::{Cluster, Options, Server};

/// A filled table and the space of an empty cluster are above the least limit, 256 MB.
const FILL: &str = "SELECT REPEAT('x', 60000) a FROM seq_1_to_5000";

/// Clusters that a hundredth of the machine's memory has surely no room for: 64 GB and more.
const CLUSTERS_MAX: usize = 32;

/// Checks what a refused client reads: code, SQLSTATE, and the text and address of the help page.
fn assert_refused(cluster: &Cluster, sql: &str, code: &str, slug: &str) {
    let said = mariadb(cluster, sql);
    assert!(!said.ok, "let in: {said:?}");
    assert!(said.err.contains(&format!("ERROR {code}")), "{}", said.err);
    assert!(said.err.contains(&format!("/{slug}.md")), "{}", said.err);
    let page = format!("{}/../docs/refusals/{slug}.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&page).unwrap_or_else(|e| panic!("{page}: {e}"));
    let heading = page.lines().find_map(|line| line.strip_prefix("# "));
    let heading = heading.expect("a page has a heading");
    assert!(said.err.contains(heading), "{} is not {heading}", said.err);
}

/// The engine's own error number, if it refused the statement.
fn refused_by_engine(session: &mut Session, sql: &str) -> Option<u16> {
    session.send(sql);
    match session.outcome().expect("the session goes on") {
        Outcome::Refused(refused) => Some(refused.code),
        _ => None,
    }
}

fn set(server: &Server, name: &str, args: &[&str]) {
    let out = server.cli(&[&["cluster", "set", name], args].concat());
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// Whether the server may change the limits of running engines (CAP_SYS_RESOURCE).
fn may_change_running_engines(server: &Server) -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
    bits & (1 << CAP_SYS_RESOURCE) != 0
}

/// Returns the output of a command that must succeed.
fn said(server: &Server, args: &[&str]) -> String {
    String::from_utf8_lossy(&server.succeed(args).stdout).into_owned()
}

#[test]
fn a_changed_disk_limit_says_what_waits_for_the_next_wake() {
    const WAITS: &str = "one file's size applies at the next wake";
    let server = Server::start();
    let cluster = server.create("sized");
    let mut session = Session::open(&cluster);
    let changed = said(&server, &["cluster", "set", "sized", "--disk-max", "8G"]);
    assert_eq!(
        changed.contains(WAITS),
        !may_change_running_engines(&server),
        "{changed}"
    );
    assert!(session.ping());
    session.quit();
    server.sleep("sized");
    let asleep = said(&server, &["cluster", "set", "sized", "--disk-max", "9G"]);
    assert!(!asleep.contains(WAITS), "{asleep}");
    let session = Session::open(&cluster);
    let awake = said(&server, &["cluster", "show", "sized"]);
    assert!(!awake.contains(WAITS), "{awake}");
    session.quit();
}

fn disk_bytes(server: &Server, name: &str) -> u64 {
    let shown = server.json(&["cluster", "show", name]);
    shown["usage"]["disk_bytes"].as_u64().expect("a number")
}

#[test]
fn a_cluster_at_its_disk_limit_is_refused_by_name_until_root_may_drop_and_truncate() {
    let mut server = Server::start();
    let full = server.create("full");
    let neighbour = server.create("neighbour");
    let mut bystander = Session::open(&neighbour);
    bystander.run("CREATE TABLE t (n INT)");
    let mut tenant = Session::open(&full);
    tenant.run(&format!("CREATE TABLE a ENGINE=MyISAM {FILL}"));

    // Above the soft limit: sessions stay and read, and nobody writes, not even to make room.
    set(&server, "full", &["--disk-max", "256M"]);
    soon("a read-only engine", || {
        refused_by_engine(&mut tenant, "INSERT INTO a VALUES ('y')").filter(|code| *code == 1290)
    });
    for sql in ["TRUNCATE a", "DROP TABLE a"] {
        let refused = tenant.query(sql).refused();
        assert_eq!(
            (refused.code, refused.state.as_str()),
            (1290, "HY000"),
            "{sql}"
        );
        assert!(
            refused.message.starts_with("The MariaDB server is running"),
            "{refused:?}"
        );
    }
    // A real client reads why, and where the help page is.
    assert_refused(&full, "DROP TABLE a", "1290 (HY000)", "disk-limit");
    assert_eq!(tenant.value("SELECT COUNT(*) >= 5000 FROM a"), "1");
    bystander.run("INSERT INTO t VALUES (1)");

    // Above the hard limit, 256 MB more: no engine runs, and the gateway refuses each login.
    set(&server, "full", &["--disk-max", "4G"]);
    soon("a writable engine", || {
        refused_by_engine(&mut tenant, "CREATE TABLE c (n INT)")
            .is_none()
            .then_some(())
    });
    tenant.run(&format!("CREATE TABLE b ENGINE=MyISAM {FILL}"));
    set(&server, "full", &["--disk-max", "256M"]);
    server.wait_state("full", "asleep");
    for _ in 0..3 {
        assert_refused(&full, "SELECT 1", "1021 (HY000)", "disk-limit");
    }
    assert_eq!(server.state("full"), "asleep", "it has not failed");
    assert!(disk_bytes(&server, "full") > 512 << 20);
    bystander.run("INSERT INTO t VALUES (2)");
    assert_eq!(mariadb(&neighbour, "SELECT COUNT(*) FROM t").expect(), "2");

    // The way back.
    set(&server, "full", &["--allow-shrink", "10m"]);
    let mut root = Session::open(&full);
    root.run("TRUNCATE a");
    root.run("DROP TABLE b");
    soon("its use falls", || {
        (disk_bytes(&server, "full") < 256 << 20).then_some(())
    });
    root.run("INSERT INTO a VALUES ('y')");
    assert_eq!(mariadb(&full, "SELECT COUNT(*) FROM a").expect(), "1");
    for session in [root, bystander] {
        session.quit();
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_server_whose_awake_clusters_are_all_busy_refuses_one_more_and_only_for_now() {
    let mut server = Server::with(Options {
        config: "[engine]\nawake_memory_percent = 1\n".to_owned(),
        ..Options::default()
    });
    // Each in a transaction, so that none may be put to sleep for another.
    let mut busy = Vec::new();
    let (name, refused) = loop {
        let name = format!("c{}", busy.len());
        assert!(busy.len() < CLUSTERS_MAX, "no budget refuses any");
        let cluster = server.create(&name);
        match Session::login(&cluster, &cluster.user, &cluster.password, wire::ORDINARY) {
            Ok(mut session) => {
                session.run("BEGIN");
                busy.push(session);
            }
            Err(_) => break (name, cluster),
        }
    };
    assert!(!busy.is_empty(), "even the first was refused");
    for _ in 0..3 {
        assert_refused(&refused, "SELECT 1", "1040 (08004)", "awake-budget");
    }
    assert_eq!(server.state(&name), "asleep", "it has not failed");
    assert_eq!(server.engines().len(), busy.len());
    for session in &mut busy {
        assert_eq!(session.value("SELECT @@in_transaction"), "1");
    }
    // One that is idle now makes room.
    busy.remove(0).quit();
    soon("the refused one wakes", || {
        mariadb(&refused, "SELECT 1").ok.then_some(())
    });
    assert_eq!(server.state("c0"), "asleep");
    for session in &mut busy {
        assert_eq!(session.value("SELECT @@in_transaction"), "1");
    }
    drop(busy);
    assert_eq!(server.stop(), 0);
}

/// Memory of the machine, in MB. In a control group with less memory the budget is smaller, and
/// what is filled then is only further above its share.
fn machine_mb() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").expect("meminfo");
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kb = line.and_then(|line| line.split_whitespace().next());
    kb.expect("a size").parse::<u64>().expect("a number") / 1024
}

#[test]
fn a_tenant_that_fills_the_awake_budget_locks_nobody_out() {
    // 240 MB and a little more.
    let percent = 24_000 / machine_mb() + 1;
    let budget = machine_mb() * percent / 100;
    let mut server = Server::with(Options {
        config: format!("[engine]\nawake_memory_percent = {percent}\n"),
        ..Options::default()
    });
    let good = server.create("good");
    let evil = server.create("evil");
    let third = server.create("third");
    set(
        &server,
        "evil",
        &["--memory-max", &format!("{}M", budget + 512)],
    );
    let mut open = Session::open(&good);
    assert_eq!(open.value("SELECT 1"), "1");
    let mut filled = Session::open(&evil);
    filled.run("BEGIN");
    // Beside two fresh engines of 32 to 36 MB, too little is left for one that may need 40 MB.
    for n in 0..(budget - 90) / 10 {
        filled.run(&format!("SET @v{n} = REPEAT('x', 10 * 1024 * 1024)"));
    }
    filled.send("SELECT SLEEP(100000)");
    // Memory is measured again only some time after the last start.
    std::thread::sleep(Duration::from_secs(3));
    for _ in 0..2 {
        assert_eq!(mariadb(&third, "SELECT 1").expect(), "1");
    }
    let Outcome::Refused(told) = filled.outcome().expect("an error") else {
        panic!("no error")
    };
    assert_eq!((told.code, told.state.as_str()), (1927, "70100"));
    assert!(
        told.message.contains("/memory-share.md"),
        "{}",
        told.message
    );
    assert_eq!(open.value("SELECT 1"), "1", "the open session goes on");
    assert_eq!(server.state("evil"), "asleep", "it has not failed");
    server.wait_log("far above its share");
    // It may come back as any other.
    assert_eq!(mariadb(&evil, "SELECT 1").expect(), "1");
    open.quit();
    assert_eq!(server.stop(), 0);
}
