//! `tidegate up`: what it prints, how it ends, and what it does without a console.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use tidegate_e2e::limits::{READY_WAIT, within};
use tidegate_e2e::ports::free_port;
use tidegate_e2e::server::binary;
use tidegate_e2e::{Cluster, clients, processes};

/// A running `tidegate up`. It is stopped when dropped.
struct Up(Child);

impl Up {
    fn stop(&mut self, signal: Signal) -> Option<i32> {
        processes::kill(self.0.id(), signal);
        self.0.wait().unwrap().code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.stop(Signal::TERM);
        }
    }
}

/// Runs `tidegate up` until it has printed everything and returns its output.
fn up(folder: &std::path::Path, listen: &str) -> (Up, String) {
    let log = folder.join("up.out");
    let out = std::fs::File::create(&log).unwrap();
    let command = Command::new(binary())
        .args(["up", "--listen", listen, "--data"])
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .spawn();
    let up = Up(command.unwrap());
    let text = within(READY_WAIT, "`up` says that it is ready", || {
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(processes::alive(up.0.id()), "`up` ended: {text}");
        text.contains("Ctrl-C").then_some(text)
    });
    (up, text)
}

#[test]
fn up_prints_what_a_user_needs_and_the_password_only_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let (mut first, text) = up(folder.path(), &listen);
    for word in [
        "demo",
        "verified",
        "TLS 1.3",
        "tidegate sql demo",
        "--ssl-verify-server-cert",
        "first row in",
        &listen,
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    // Standard output and standard error are one file here, in the order of the lines.
    let lines = ["ok login", "tidegate sql demo", "other clients", "ready; "];
    let places = lines.map(|line| text.find(line).unwrap_or_else(|| panic!("{line}: {text}")));
    assert!(places.is_sorted(), "{places:?}: {text}");
    // Each printed command that needs no password works as it is printed.
    let others = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tidegate connect demo"))
        .unwrap_or_else(|| panic!("{text}"));
    let words = others.split_whitespace();
    let list = Command::new(binary())
        .args(["connect", "demo"])
        .args(words)
        .output()
        .unwrap();
    assert!(list.status.success(), "{others}: {list:?}");
    assert!(String::from_utf8_lossy(&list.stdout).contains("pymysql"));
    let out = Command::new(binary())
        .args(["cluster", "show", "demo", "--json", "--data"])
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    let mut shown = serde_json::from_slice::<serde_json::Value>(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {out:?}"));
    let prefix = shown["prefix"].as_str().unwrap().to_owned();
    let user = format!("{prefix}.root");
    assert!(text.contains(&user), "{text}");
    // The password is one of the printed words: find the one that logs in.
    let password = text.split_whitespace().find(|word| {
        word.len() >= 16 && !word.contains(['/', '.', ':', '=']) && {
            shown["password"] = (*word).into();
            clients::mariadb(&Cluster::from_json(&shown), "SELECT 1").ok
        }
    });
    let password = password
        .unwrap_or_else(|| panic!("no word of it logs in: {text}"))
        .to_owned();
    assert_eq!(first.stop(Signal::INT), Some(0));
    assert_eq!(processes::engines_of(folder.path()), Vec::<u32>::new());
    let (mut second, again) = up(folder.path(), &listen);
    assert!(
        again.contains("cluster password demo"),
        "how to make a new one: {again}"
    );
    assert!(!again.contains(&password), "shown once: {again}");
    shown["password"] = password.into();
    assert_eq!(
        clients::mariadb(&Cluster::from_json(&shown), "SELECT 2").expect(),
        "2"
    );
    assert_eq!(second.stop(Signal::TERM), Some(0));
    assert_eq!(processes::engines_of(folder.path()), Vec::<u32>::new());
}

/// The console's port is taken by this process or by another server: the database runs without the
/// console.
#[test]
fn up_tells_that_there_is_no_console_and_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let _held = TcpListener::bind("127.0.0.1:4443");
    let listen = format!("127.0.0.1:{}", free_port());
    let mut up = Command::new(binary())
        .args(["up", "--listen", &listen, "--data"])
        .arg(folder.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(up.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let said: Vec<String> = lines
        .by_ref()
        .take_while(|line| !line.contains("ready; Ctrl-C"))
        .collect();
    processes::kill(up.id(), Signal::TERM);
    assert!(up.wait().unwrap().success());
    let said = said.join("\n");
    assert!(
        said.contains("no console: port 4443 on 127.0.0.1 is in use by process"),
        "{said}"
    );
    assert!(
        said.contains("--console 127.0.0.1:"),
        "another is suggested: {said}"
    );
}
