//! The server with the capabilities of the unit of `service install`, without new privileges, and
//! with other users' processes hidden in /proc: what can be tested of the unit without systemd.
//! Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]
#![allow(
    dead_code,
    reason = "each test program uses a part of the shared module"
)]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Running, engines_of, folder, log_of, signal, text, tidegate};

/// Returns the capabilities of the printed unit, such as `CAP_SETUID`.
fn capabilities() -> Vec<String> {
    let out = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args([
            "service",
            "install",
            "--print",
            "--program",
            "/usr/local/bin/tidegate",
            "--user",
            "root",
        ])
        .output()
        .unwrap();
    let unit = text(&out.stdout);
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

/// Starts `tidegate serve`, confined as by the unit.
fn serve(data: &Path) -> Running {
    let set: Vec<String> = capabilities()
        .iter()
        .map(|cap| format!("+{}", cap.strip_prefix("CAP_").unwrap().to_lowercase()))
        .collect();
    let confine = format!(
        "mount -t proc -o hidepid=invisible proc /proc && \
         exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,{} \"$@\"",
        set.join(",")
    );
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--",
        "sh",
        "-c",
        &confine,
        "sh",
        env!("CARGO_BIN_EXE_tidegate"),
    ]);
    command
        .args(["serve", "--json", "--listen", "127.0.0.1:0"])
        .env("TIDEGATE_DATA", data);
    let log = File::create(log_of(data)).unwrap();
    let mut child = Running(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_ne!(
        read,
        0,
        "the server ended: {}",
        std::fs::read_to_string(log_of(data)).unwrap()
    );
    child
}

fn field(pid: &str, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// Whether a process with this /proc/PID/status belongs to the user.
fn is_of_user(status: &str, uid: &str) -> bool {
    let line = status.lines().find(|line| line.starts_with("Uid:"));
    line.is_some_and(|line| line.split_whitespace().any(|number| number == uid))
}

/// Returns the number of processes of this user.
fn processes_of(uid: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok())
        .filter(|status| is_of_user(status, uid))
        .count()
}

fn run(data: &Path, args: &[&str]) {
    let out = tidegate(data).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
}

#[test]
fn with_the_capabilities_of_the_unit_each_cluster_has_its_own_user() {
    if !rustix::process::geteuid().is_root() {
        // On the real standard error, which is not captured, so that the test is counted as
        // skipped.
        writeln!(std::io::stderr(), "\nnot run: it needs root").unwrap();
        return;
    }
    let outer = folder();
    let data = outer.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let server = serve(&data);
    let pid = server.id().to_string();
    // setuid 7, setgid 6, chown 0, dac_override 1, fowner 3, kill 5:
    // include/uapi/linux/capability.h.
    assert_eq!(
        u64::from_str_radix(&field(&pid, "CapEff:"), 16).unwrap(),
        0b1110_1011
    );
    assert_eq!(field(&pid, "NoNewPrivs:"), "1");
    for name in ["one", "two"] {
        run(&data, &["cluster", "create", name]);
        run(&data, &["cluster", "wake", name]);
    }
    let engines: Vec<String> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = text(&line);
            line.contains("mariadbd") && line.contains(data.to_str().unwrap())
        })
        .map(|entry| entry.file_name().to_str().unwrap().to_owned())
        .collect();
    let uids: Vec<String> = engines.iter().map(|pid| field(pid, "Uid:")).collect();
    assert_eq!(uids.len(), 2);
    assert_ne!(uids[0], uids[1]);
    for (pid, uid) in engines.iter().zip(&uids) {
        assert!(
            (1_879_048_192..=2_147_352_575).contains(&uid.parse::<u32>().unwrap()),
            "{uid}"
        );
        assert_eq!(field(pid, "CapEff:"), "0000000000000000");
        assert_eq!(processes_of(uid), 1);
    }
    run(&data, &["cluster", "sleep", "one"]);
    run(&data, &["cluster", "wake", "one"]);
    run(&data, &["cluster", "delete", "two", "--yes"]);
    assert_eq!(engines_of(&data).len(), 1);
    signal(&server, "TERM");
    let mut server = server;
    assert!(server.wait().unwrap().success());
    assert!(uids.iter().all(|uid| processes_of(uid) == 0));
}
