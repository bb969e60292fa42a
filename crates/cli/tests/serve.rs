//! The server from outside: start, first cluster, first row through the real client, ordered stop.
//! Each test has its own data directory and port and leaves no process behind.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on panics with what it saw"
)]

#[path = "../../../tests/src/free_port.rs"]
mod free_port;
mod service_manager;
mod shown_logs;
mod support;

use free_port::free_port;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use support::{Running, Server, engines_of, folder, log_of, signal, soon, sql_as, text, tidegate};

#[test]
fn the_first_row_flows_and_the_stop_leaves_nothing() {
    let server = Server::start();
    let made = server.json(&["cluster", "create", "shop", "--json"]);
    for key in [
        "name", "prefix", "host", "port", "user", "password", "database", "ca", "state",
    ] {
        assert!(made.get(key).is_some(), "{key} in {made}");
    }
    assert_eq!(
        made["user"],
        format!("{}.root", made["prefix"].as_str().unwrap())
    );
    assert_eq!(
        server.ready["listen"][0],
        format!("127.0.0.1:{}", made["port"])
    );
    assert!(Path::new(made["ca"].as_str().unwrap()).is_file());

    let row = sql_as(&server, "shop", &made, "SELECT 6 * 7 AS answer");
    assert_eq!(text(&row.stdout), "answer\n42\n", "{}", text(&row.stderr));

    let shown = server.json(&["cluster", "show", "shop", "--json"]);
    assert!(shown.get("password").is_none());
    assert_eq!(shown["state"], "awake");
    assert_eq!(
        server.json(&["cluster", "sleep", "shop", "--json"])["state"],
        "asleep"
    );
    let wrong = serde_json::json!({ "password": "wrong" });
    let refused = sql_as(&server, "shop", &wrong, "SELECT 1");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("1045"),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(
        server.json(&["cluster", "show", "shop", "--json"])["state"],
        "asleep",
        "a wrong password wakes nobody"
    );

    let renewed = server.json(&["cluster", "password", "shop", "--json"]);
    assert_ne!(renewed["password"], made["password"]);
    let old = sql_as(&server, "shop", &made, "SELECT 1");
    assert_eq!(old.status.code(), Some(1));
    let new = sql_as(&server, "shop", &renewed, "SELECT 1");
    assert!(new.status.success(), "{}", text(&new.stderr));

    let asked = server.run(&["cluster", "delete", "shop"]);
    assert_eq!(
        asked.status.code(),
        Some(2),
        "without a terminal it wants --yes"
    );
    assert!(
        server
            .run(&["cluster", "delete", "shop", "--yes"])
            .status
            .success()
    );
    assert_eq!(
        server.json(&["cluster", "list", "--json"]),
        serde_json::json!([])
    );
    server.stop();
}

#[test]
fn one_server_per_data_directory_and_a_taken_port_names_its_holder() {
    let server = Server::start();
    let pid = server.child.id().to_string();
    let second = server.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        text(&second.stderr).contains(&format!("pid {pid}")),
        "{}",
        text(&second.stderr)
    );

    let other = folder();
    let listen = server.ready["listen"][0].as_str().unwrap();
    let taken = tidegate(other.path())
        .args(["serve", "--listen", listen])
        .output()
        .unwrap();
    assert_eq!(taken.status.code(), Some(1));
    let error = text(&taken.stderr);
    assert!(
        error.contains(&format!("process {pid}")) && error.contains("--listen 127.0.0.1:"),
        "{error}"
    );
    server.stop();
}

/// Runs `tidegate up` until it is ready, stops it, and returns the JSON it printed.
fn up_once(data: &Path) -> Value {
    let (mut child, json) = Server::spawn(data, &["up", "--listen", "127.0.0.1:0", "--json"]);
    signal(&child, "INT");
    assert!(child.wait().unwrap().success());
    assert_eq!(engines_of(data), Vec::<String>::new());
    json
}

#[test]
fn up_proves_itself_and_keeps_its_data() {
    let outer = folder();
    let data = outer.path().join("data");
    let first = up_once(&data);
    assert_eq!(first["name"], "demo");
    assert!(first["password"].as_str().is_some_and(|p| p.len() >= 16));
    let verified = first["verified"].as_str().unwrap();
    assert!(verified.starts_with("TLS 1.3, first row in "), "{verified}");
    let again = up_once(&data);
    assert_eq!(again["user"], first["user"]);
    assert!(again.get("password").is_none());
    assert!(
        again["verified"]
            .as_str()
            .unwrap()
            .contains("not logged in"),
        "{again}"
    );
    assert!(data.join("log/tidegate.log").is_file());
}

#[test]
fn the_screen_of_up_has_all_that_is_needed() {
    let data = folder();
    let mut command = tidegate(data.path());
    command
        .args(["up", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Running(command.spawn().unwrap());
    let mut seen = String::new();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    while !seen.contains("ready; Ctrl-C stops it") {
        assert_ne!(err.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    signal(&child, "TERM");
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    let mut screen = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut screen)
        .unwrap();
    assert!(child.wait().unwrap().success());
    for part in [
        "endpoint", "user", "password", "database", "verified", "ca.pem",
    ] {
        assert!(screen.contains(part), "{part} in {screen}");
    }
    // On Debian 12 `mysql` is MariaDB's client, which has no --ssl-mode. The line printed is for
    // the client that is installed.
    let sql = screen.find("\n  tidegate sql demo").expect(&screen);
    let client = screen.find("\n  mariadb -u ").expect(&screen);
    let others = screen.find("\n  tidegate connect demo").expect(&screen);
    assert!(sql < client && client < others, "{screen}");
    assert!(!screen.contains("\n  mysql "), "{screen}");
    assert!(
        !screen.contains('\u{1b}') && !seen.contains('\u{1b}'),
        "no colours into a pipe"
    );
}

#[test]
fn a_long_data_directory_works() {
    let outer = folder();
    let data = outer
        .path()
        .join("a-rather-long-name-that-no-socket-address-holds".repeat(3));
    let (mut child, _) = Server::spawn(&data, &["serve", "--json", "--listen", "127.0.0.1:0"]);
    let made = tidegate(&data)
        .args(["cluster", "create", "deep", "--json"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let row = tidegate(&data)
        .args(["sql", "deep", "-e", "SELECT 'far' AS place"])
        .env("TIDEGATE_PASSWORD", made["password"].as_str().unwrap())
        .output()
        .unwrap();
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
    assert_eq!(text(&row.stdout), "place\nfar\n", "{}", text(&row.stderr));
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_takes_the_engines_along() {
    let mut server = Server::start_with("[gateway]\nstop_grace = \"300s\"\n");
    let made = server.json(&["cluster", "create", "busy", "--json"]);
    let mut sql = tidegate(&server.data)
        .args(["sql", "busy", "-e", "SELECT SLEEP(1000)"])
        .env("TIDEGATE_PASSWORD", made["password"].as_str().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let count =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(1000)'";
    soon("the query runs", || {
        let counted = sql_as(&server, "busy", &made, count);
        text(&counted.stdout).trim().ends_with('1')
    });
    signal(&server.child, "INT");
    // Two signals at once may be delivered as one, so the second is sent after the log has the
    // first.
    soon("the first one is taken", || {
        server.log().contains("\"stopping\"")
    });
    signal(&server.child, "INT");
    assert_eq!(server.child.wait().unwrap().code(), Some(130));
    let _ = sql.wait();
    soon("the engines end", || engines_of(&server.data).is_empty());
}

/// Returns the process group of a process.
fn group_of(pid: &str) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name in parentheses may contain spaces.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn ctrl_c_at_a_terminal_reaches_the_server_alone() {
    let server = Server::start();
    let made = server.json(&["cluster", "create", "shop", "--json"]);
    assert_eq!(made["state"], "asleep");
    assert_eq!(
        server.json(&["cluster", "wake", "shop", "--json"])["state"],
        "awake"
    );
    let engine = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| pid.bytes().all(|b| b.is_ascii_digit()))
        .find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains("mariadbd") && line.contains(server.data.to_str().unwrap())
        })
        .unwrap();
    let server_group = group_of(&server.child.id().to_string());
    assert_ne!(group_of(&engine), server_group);
    server.stop();
}

#[test]
fn connect_prints_a_line_per_client_and_sessions_are_listed_and_ended() {
    let server = Server::start();
    let made = server.json(&["cluster", "create", "shop", "--json"]);
    let lines = server.json(&["connect", "shop", "--user", "app", "--json"]);
    let app = format!("{}.app", made["prefix"].as_str().unwrap());
    for client in ["mysql", "mariadb"] {
        assert!(lines[client].as_str().unwrap().contains(&app), "{lines}");
    }
    let unknown = server.run(&["connect", "shop", "--client", "nosuch"]);
    assert_eq!(unknown.status.code(), Some(2));
    let mut sql = tidegate(&server.data)
        // Without a database, another login would be tried first, which would be the one listed.
        .args(["sql", "shop", "-D", "test", "-e", "SELECT SLEEP(1000)"])
        .env("TIDEGATE_PASSWORD", made["password"].as_str().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let list = ["session", "list", "--cluster", "shop", "--json"];
    soon("the session is listed", || {
        !server.json(&list).as_array().unwrap().is_empty()
    });
    let session = &server.json(&list)[0];
    assert_eq!(session["user"], "root");
    let id = session["id"].to_string();
    assert!(server.run(&["session", "kill", &id]).status.success());
    assert!(!sql.wait().unwrap().success(), "its session was ended");
    assert_eq!(server.run(&["session", "kill", "1"]).status.code(), Some(1));
    server.stop();
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let outer = folder();
    let data = outer.path().join("data");
    let (mut child, _) = Server::spawn_ignoring_hangup(
        &data,
        &[
            "up",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--console",
            "127.0.0.1:0",
        ],
    );
    signal(&child, "HUP");
    // Handled in order: an ignored hangup leaves the command line working, and TERM stops it.
    let listed = tidegate(&data).args(["cluster", "list"]).output().unwrap();
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(data.join("log/tidegate.log")).unwrap();
    assert!(log.contains("SIGTERM") && !log.contains("SIGHUP"), "{log}");
}

#[test]
fn the_database_port_accepts_only_when_commands_are_answered() {
    for mode in ["serve", "up"] {
        let outer = folder();
        let data = outer.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut child = Running(
            tidegate(&data)
                .args([
                    mode,
                    "--listen",
                    &address.to_string(),
                    "--console",
                    "127.0.0.1:0",
                ])
                .stdout(Stdio::null())
                .stderr(File::create(log_of(&data)).unwrap())
                .spawn()
                .unwrap(),
        );
        soon("the port", || std::net::TcpStream::connect(address).is_ok());
        let shown = if mode == "up" {
            tidegate(&data).args(["cluster", "show", "demo"]).output()
        } else {
            tidegate(&data).args(["cluster", "list"]).output()
        };
        let shown = shown.unwrap();
        assert!(shown.status.success(), "{mode}: {}", text(&shown.stderr));
        signal(&child, "TERM");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn all_addresses_of_both_families_may_have_one_port() {
    let outer = folder();
    let port = free_port();
    let any4 = format!("0.0.0.0:{port}");
    let any6 = format!("[::]:{port}");
    let console = ["--console", "127.0.0.1:0"];
    let args = [
        &["serve", "--json", "--listen", &any4, "--listen", &any6],
        &console[..],
    ]
    .concat();
    let (_child, ready) = Server::spawn(&outer.path().join("data"), &args);
    assert_eq!(ready["listen"], serde_json::json!([any4, any6]));
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let other = folder();
    let twice = tidegate(other.path())
        .args([
            "serve",
            "--listen",
            "0.0.0.0:4999",
            "--listen",
            "127.0.0.1:4999",
        ])
        .output()
        .unwrap();
    assert_eq!(twice.status.code(), Some(2));
    assert!(
        text(&twice.stderr).contains("are the same port"),
        "{}",
        text(&twice.stderr)
    );
}

#[test]
fn clusters_wake_after_the_program_file_was_deleted() {
    let outer = folder();
    let data = outer.path().join("data");
    let program = outer.path().join("tidegate-copy");
    std::fs::copy(env!("CARGO_BIN_EXE_tidegate"), &program).unwrap();
    let (mut child, _) = Server::spawn_program(
        std::process::Command::new(&program),
        &data,
        &[
            "serve",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--console",
            "127.0.0.1:0",
        ],
    );
    std::fs::remove_file(&program).unwrap();
    for step in [
        &["create", "shop"][..],
        &["wake", "shop"],
        &["sleep", "shop"],
        &["wake", "shop"],
    ] {
        let out = tidegate(&data).arg("cluster").args(step).output().unwrap();
        assert!(out.status.success(), "{step:?}: {}", text(&out.stderr));
    }
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_cluster_that_never_sleeps_says_so_and_others_say_what_a_sleep_takes() {
    let server = Server::start();
    server.json(&["cluster", "create", "shop", "--json"]);
    let shown = text(&server.run(&["cluster", "show", "shop"]).stdout);
    for lost in ["MEMORY tables", "temporary tables", "user locks", "events"] {
        assert!(shown.contains(lost), "{lost}: {shown}");
    }
    let set = server.run(&["cluster", "set", "shop", "--sleep-after", "never"]);
    assert!(set.status.success(), "{}", text(&set.stderr));
    let shown = text(&server.run(&["cluster", "show", "shop"]).stdout);
    assert!(shown.contains("sleeps     never\n"), "{shown}");
    server.stop();
}
