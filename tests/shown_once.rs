//! Secrets that the command line shows only once, if standard output fails, and what it says about
//! refusals.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::process::{Command, Output};
use std::sync::LazyLock;
use tidegate_e2e::Server;
use tidegate_e2e::server::{Options, binary};

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::with(Options::with_console()));

fn err(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A full or closed standard output, or one that nobody reads, never loses a secret silently.
#[test]
fn a_secret_that_could_not_be_shown_leads_to_another_one() {
    SERVER.create("lost");
    for (line, hint) in [
        ("cluster create full", "tidegate cluster password full"),
        (
            "cluster create full2 --json",
            "tidegate cluster password full2",
        ),
        ("cluster password lost", "tidegate cluster password lost"),
        (
            "user create lost web --role read-only",
            "tidegate user password lost web",
        ),
        ("key create lost --scope read", "tidegate key revoke "),
        ("operator link", "tidegate operator link"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let out = SERVER.command(&args).stdout(full).output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{line}: {}", err(&out));
        assert!(
            err(&out).contains("not shown") && err(&out).contains(hint),
            "{line}: {}",
            err(&out)
        );
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut unread = SERVER.command(&["cluster", "password", "lost"]);
    let out = unread.stdout(writer).output().unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", err(&out));
    assert!(err(&out).contains("not shown"), "{}", err(&out));
    let closed = Command::new("sh")
        .args(["-c", "exec \"$0\" \"$@\" >&-"])
        .arg(binary())
        .arg("--data")
        .arg(SERVER.data())
        .args(["cluster", "create", "closed"])
        .output()
        .unwrap();
    let said = err(&closed);
    assert!(
        said.contains("not shown") && said.contains("cluster password closed"),
        "{said}"
    );
    let out = SERVER.succeed(&["cluster", "password", "lost"]);
    assert!(!err(&out).contains("not shown"), "{}", err(&out));
}

#[test]
fn refusals_say_plainly_what_is_wrong_and_a_sleeping_cluster_shows_its_events() {
    SERVER.create("plain");
    let said = SERVER.fail(&["user", "delete", "plain", "root", "--yes"]);
    assert!(said.contains("root can't be deleted"), "{said}");
    let said = SERVER.fail(&["cluster", "set", "plain", "--param", "sql_mode=FOO"]);
    assert!(
        said.contains("refuses it: Variable 'sql_mode' can't be set"),
        "{said}"
    );
    SERVER.succeed(&["cluster", "sleep", "plain"]);
    let shown = SERVER.succeed(&["cluster", "show", "plain"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("events     0 defined, not running"),
        "{shown}"
    );
}
