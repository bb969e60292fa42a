//! Walls of an engine process, attacked by a tenant with all rights: network sockets, what the
//! process has, the gateway's account, and the end of the engine. Files are in `walls.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::hostile_tenant::HostileTenant;
use common::{Client, eventually};
use std::fs;
use tidegate_model::ClusterState;

#[tokio::test(flavor = "multi_thread")]
async fn no_network_socket_is_opened() {
    let mut hostile = HostileTenant::begin().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "::1"] {
        hostile
            .root
            .run(&format!(
                "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, \
         MASTER_USER='u', MASTER_PASSWORD='p', MASTER_CONNECT_RETRY=1"
            ))
            .await;
        hostile.root.run("START SLAVE").await;
        let mut error = String::new();
        eventually("the replica gives up", async || {
            let status = hostile.root.query("SHOW SLAVE STATUS").await.unwrap();
            // Last_IO_Error, by its place in 10.11's answer.
            error = status[0][35].clone();
            !error.is_empty()
        })
        .await;
        assert!(
            error.contains("error connecting to master"),
            "{host}: {error}"
        );
        hostile.root.run("STOP SLAVE").await;
        hostile.root.run("RESET SLAVE ALL").await;
    }
    let connected =
        tokio::time::timeout(std::time::Duration::from_millis(1), listener.accept()).await;
    assert!(connected.is_err(), "somebody connected");
    // Every socket of the process is one of ours: none has an address of the internet families.
    let pid = hostile.fixture.pid(hostile.id).unwrap();
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|e| {
            fs::read_link(e.ok()?.path())
                .ok()?
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(str::to_owned)
        })
        .collect();
    assert!(!inodes.is_empty());
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let open = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in open.lines().skip(1) {
            let inode = line.split_whitespace().nth(9).unwrap_or_default();
            assert!(!inodes.iter().any(|i| i == inode), "{table}: {line}");
        }
    }
    hostile.fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_has_nothing_it_does_not_need() {
    let hostile = HostileTenant::begin().await;
    let pid = hostile.fixture.pid(hostile.id).unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert_eq!(field(&status, "NoNewPrivs:"), ["1"]);
    assert_eq!(field(&status, "Seccomp:"), ["2"], "a filter");
    assert_eq!(field(&status, "CapEff:"), ["0000000000000000"]);
    assert_eq!(field(&status, "CapPrm:"), ["0000000000000000"]);
    if rustix::process::geteuid().is_root() {
        let own = hostile.fixture.users.of(hostile.id).unwrap().to_string();
        assert_eq!(
            (field(&status, "Uid:"), field(&status, "Gid:")),
            (vec![own.as_str(); 4], vec![own.as_str(); 4])
        );
        assert!(field(&status, "Groups:").is_empty());
    }
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|l| l.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"));
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let names: Vec<_> = environment
        .split('\0')
        .filter_map(|v| v.split('=').next())
        .filter(|n| !n.is_empty())
        .collect();
    assert_eq!(
        names,
        ["LC_ALL", "LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID"]
    );
    // Nothing of ours came along: its sockets, lock, log and own files are all it has open.
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let to = fs::read_link(fd.path()).unwrap_or_default();
        let text = to.display().to_string();
        let own = to.starts_with(hostile.fixture.folder(hostile.id).canonicalize().unwrap())
            || [
                "socket:",
                "anon_inode:",
                "pipe:",
                "/dev/null",
                "/dev/urandom",
            ]
            .iter()
            .any(|p| text.starts_with(p));
        assert!(own || text.is_empty(), "{text}");
    }
    hostile.fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_who_ends_its_own_engine_ends_nothing_else() {
    let mut hostile = HostileTenant::begin().await;
    let other = hostile.fixture.create(2).await;
    hostile.fixture.engines.wake(other).await.unwrap();
    hostile.attempt("SHUTDOWN").await;
    eventually("up again", async || hostile.fixture.memory.starts() >= 3).await;
    assert_eq!(hostile.fixture.engines.state(other), ClusterState::Awake);
    let lease = hostile.fixture.attach(hostile.id).await;
    assert!(lease.run > hostile.lease.run);
    Client::root(&lease.address).await;
    hostile.fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_s_account_is_made_anew_whatever_was_done_to_it() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("DROP USER 'tidegate.admin'@'localhost'")
        .await;
    hostile
        .root
        .run("CREATE USER 'tidegate.admin'@'localhost' IDENTIFIED BY 'mine'")
        .await;
    // Our session stays, and still reads.
    let users = vec!["root".to_owned(), "tidegate.admin".to_owned()];
    let book = hostile
        .fixture
        .engines
        .accounts(hostile.id, users, std::time::Instant::now())
        .await
        .unwrap();
    assert_eq!(
        book.accounts.iter().map(|a| a.user).collect::<Vec<_>>(),
        ["root"]
    );
    let (fixture, id) = hostile.sleep().await;
    let lease = fixture.attach(id).await;
    assert!(
        Client::login(&lease.address, "tidegate.admin", "mine")
            .await
            .is_err()
    );
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_slow_its_own_stop_only_so_far() {
    let mut hostile = HostileTenant::begin().await;
    for sql in [
        "SET GLOBAL innodb_fast_shutdown = 0",
        "SET GLOBAL max_connections = 100000",
    ] {
        hostile.attempt(sql).await;
    }
    let (fixture, id) = hostile.sleep().await;
    assert_eq!(fixture.engines.state(id), ClusterState::Asleep);
    let (_lease, mut root) = fixture.root(id).await;
    assert_eq!(
        root.one("SELECT @@max_connections").await,
        "200",
        "what was set is gone with the run"
    );
    fixture.engines.shutdown().await;
}

/// Returns the values of a field of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status.lines().find(|l| l.starts_with(name));
    line.unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .collect()
}
