//! The server from outside: start, first cluster, first row through the real client, ordered stop. Each test has a
//! data directory and a port of its own and leaves no process behind.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on panics with what it saw"
)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

struct Server {
    data: TempDir,
    child: Child,
    ready: Value,
}

fn tidegate(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env("TIDEGATE_DATA", data).env("NO_COLOR", "1").env_remove("TIDEGATE_LOG").stdin(Stdio::null());
    command
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (child, ready) = Self::spawn(data.path(), &["serve", "--json", "--listen", "127.0.0.1:0"]);
        Self { data, child, ready }
    }

    /// Starts it and reads the JSON that says it is ready.
    fn spawn(data: &Path, args: &[&str]) -> (Child, Value) {
        let mut child = tidegate(data).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while serde_json::from_str::<Value>(&text).is_err() {
            assert_ne!(out.read_line(&mut text).unwrap(), 0, "the server ended before it was ready: {text}");
        }
        (child, serde_json::from_str(&text).unwrap())
    }

    fn run(&self, args: &[&str]) -> Output {
        tidegate(self.data.path()).args(args).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.run(args);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    fn stop(mut self) {
        signal(&self.child, "TERM");
        assert!(self.child.wait().unwrap().success());
        assert_eq!(engines_of(self.data.path()), Vec::<String>::new());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Processes whose command line names this data directory.
fn engines_of(data: &Path) -> Vec<String> {
    let data = data.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(data) && line.contains("mariadbd"))
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_first_row_flows_and_the_stop_leaves_nothing() {
    let server = Server::start();
    let made = server.json(&["cluster", "create", "shop", "--json"]);
    for key in ["name", "prefix", "host", "port", "user", "password", "database", "ca", "state"] {
        assert!(made.get(key).is_some(), "{key} in {made}");
    }
    assert_eq!(made["user"], format!("{}.root", made["prefix"].as_str().unwrap()));
    assert_eq!(server.ready["listen"][0], format!("127.0.0.1:{}", made["port"]));
    assert!(Path::new(made["ca"].as_str().unwrap()).is_file());

    let sql = |password: &str, sql: &str| {
        let mut command = tidegate(server.data.path());
        command.args(["sql", "shop", "-e", sql]).env("TIDEGATE_PASSWORD", password).output().unwrap()
    };
    let row = sql(made["password"].as_str().unwrap(), "SELECT 6 * 7 AS answer");
    assert_eq!(text(&row.stdout), "answer\n42\n", "{}", text(&row.stderr));

    let shown = server.json(&["cluster", "show", "shop", "--json"]);
    assert!(shown.get("password").is_none());
    assert_eq!(shown["state"], "awake");
    assert_eq!(server.json(&["cluster", "sleep", "shop", "--json"])["state"], "asleep");
    let refused = sql("wrong", "SELECT 1");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("1045"), "{}", text(&refused.stderr));
    assert_eq!(server.json(&["cluster", "show", "shop", "--json"])["state"], "asleep", "a wrong password wakes nobody");

    let renewed = server.json(&["cluster", "password", "shop", "--json"]);
    assert_ne!(renewed["password"], made["password"]);
    assert_eq!(sql(made["password"].as_str().unwrap(), "SELECT 1").status.code(), Some(1));
    assert!(sql(renewed["password"].as_str().unwrap(), "SELECT 1").status.success());

    let asked = server.run(&["cluster", "delete", "shop"]);
    assert_eq!(asked.status.code(), Some(2), "without a terminal it wants --yes");
    assert!(server.run(&["cluster", "delete", "shop", "--yes"]).status.success());
    assert_eq!(server.json(&["cluster", "list", "--json"]), serde_json::json!([]));
    server.stop();
}

#[test]
fn one_server_per_data_directory_and_a_taken_port_names_its_holder() {
    let server = Server::start();
    let pid = server.child.id().to_string();
    let second = server.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains(&format!("pid {pid}")), "{}", text(&second.stderr));

    let other = tempfile::tempdir().unwrap();
    let listen = server.ready["listen"][0].as_str().unwrap();
    let taken = tidegate(other.path()).args(["serve", "--listen", listen]).output().unwrap();
    assert_eq!(taken.status.code(), Some(1));
    let error = text(&taken.stderr);
    assert!(error.contains(&format!("process {pid}")) && error.contains("--listen 127.0.0.1:"), "{error}");
    server.stop();
}

#[test]
fn up_proves_itself_and_keeps_its_data() {
    let data = tempfile::tempdir().unwrap();
    let up = |args: &[&str]| {
        let (mut child, json) = Server::spawn(data.path(), &[&["up", "--listen", "127.0.0.1:0"], args].concat());
        signal(&child, "INT");
        assert!(child.wait().unwrap().success());
        assert_eq!(engines_of(data.path()), Vec::<String>::new());
        json
    };
    let first = up(&["--json"]);
    assert_eq!(first["name"], "demo");
    assert!(first["password"].as_str().is_some_and(|p| p.len() >= 16));
    let verified = first["verified"].as_str().unwrap();
    assert!(verified.starts_with("TLS 1.3, first row in "), "{verified}");
    let again = up(&["--json"]);
    assert_eq!(again["user"], first["user"]);
    assert!(again.get("password").is_none());
    assert!(again["verified"].as_str().unwrap().contains("not logged in"), "{again}");
    assert!(data.path().join("log/tidegate.log").is_file());
}

#[test]
fn the_screen_of_up_has_all_that_is_needed() {
    let data = tempfile::tempdir().unwrap();
    let mut child = tidegate(data.path())
        .args(["up", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut seen, mut err) = (String::new(), BufReader::new(child.stderr.take().unwrap()));
    while !seen.contains("ready; Ctrl-C stops it") {
        assert_ne!(err.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    signal(&child, "TERM");
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    let mut screen = String::new();
    child.stdout.take().unwrap().read_to_string(&mut screen).unwrap();
    assert!(child.wait().unwrap().success());
    for part in ["endpoint", "user", "password", "database", "verified", "mysql ", "mariadb ", "ca.pem"] {
        assert!(screen.contains(part), "{part} in {screen}");
    }
    assert!(!screen.contains('\u{1b}') && !seen.contains('\u{1b}'), "no colours into a pipe");
}
