//! `tidegate logs`: the server's log and an engine's log, with and without a server.

use crate::support::{Running, Server, folder, signal, text, tidegate};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

#[test]
fn the_logs_of_up_and_of_an_engine_are_shown_and_followed() {
    let outer = folder();
    let data = outer.path().join("data");
    let program = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let ports = ["--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let (mut server, _) =
        Server::spawn_program(program, &data, &[&["up", "--json"][..], &ports].concat());
    let shown = tidegate(&data).args(["logs", "demo"]).output().unwrap();
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("ready for connections"));
    let follow = tidegate(&data)
        .args(["logs", "-f", "-n", "0"])
        .stdout(Stdio::piped())
        .spawn();
    let mut follow = Running(follow.unwrap());
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let path = data.join("log/tidegate.log");
    let log = std::fs::OpenOptions::new().append(true).open(&path);
    let mut log = log.unwrap();
    // Until it follows: its start takes a moment.
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = told.send(lines.find(|line| line.as_ref().is_ok_and(|l| l.contains("a sign"))));
    });
    let found = loop {
        log.write_all(b"a sign\x1b[2J\n").unwrap();
        match heard.recv_timeout(std::time::Duration::from_millis(100)) {
            Ok(found) => break found.unwrap().unwrap(),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(found, "a sign\\x1b[2J");
    signal(&server, "TERM");
    assert!(server.wait().unwrap().success());
    // Without a server.
    let shown = tidegate(&data)
        .args(["logs", "-n", "1000"])
        .output()
        .unwrap();
    let lines = text(&shown.stdout);
    assert!(lines.contains("INFO stopping signal=SIGTERM"), "{lines}");
    assert!(
        tidegate(&data)
            .args(["logs", "demo"])
            .output()
            .unwrap()
            .status
            .success()
    );
    let unknown = tidegate(&data).args(["logs", "shop"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("no cluster \"shop\""));
}

#[test]
fn a_log_that_is_not_there_says_where_the_lines_are() {
    let server = Server::start();
    let shown = server.run(&["logs"]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(
        text(&shown.stderr).contains("journalctl"),
        "{}",
        text(&shown.stderr)
    );
    server.json(&["cluster", "create", "shop", "--json"]);
    let shown = server.run(&["logs", "shop"]);
    let said = text(&shown.stderr);
    assert!(
        said.contains("never started") && said.contains("cluster wake shop"),
        "{said}"
    );
    server.stop();
}
