//! Ways out of the walls, tried from inside by a program that makes the system calls themselves, as
//! a tenant could who made the engine run foreign code. Each is tried against a process,
//! files and sockets of the same user, and first without walls, where the same calls succeed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The user nobody, and a number that no user has.
const NOBODY: u32 = 65_534;
const NUMBER: u32 = 1_879_100_000;

/// Done inside the walls as well: the engine needs these.
const ALLOWED: &[&str] = &[
    "thread",
    "stream socket",
    "kill itself",
    "tgkill itself",
    "setpriority itself",
    "sched_setaffinity itself",
    "prlimit itself",
];

/// Reported as done, without effect.
const WITHOUT_EFFECT: &[&str] = &[
    "chmod",
    "fchmodat",
    "fchmodat2",
    "chmod by descriptor",
    "chown",
    "utimensat",
];

/// Refused with ENOSYS.
const UNKNOWN: &[&str] = &["clone3", "a call to come"];

/// Refused by Landlock, with EACCES.
const NO_ACCESS: &[&str] = &["open for reading", "open for writing", "open oom_score_adj"];

/// Calls that an ordinary user may make without walls, on any kernel: they prove that the test can
/// fail.
const DONE_WITHOUT_WALLS: &[&str] = &[
    "fork",
    "clone3",
    "vfork",
    "prctl death signal",
    "prctl subreaper",
    "prlimit",
    "setpriority",
    "setpriority of a user",
    "ioprio_set",
    "ioprio_set of a user",
    "sched_setaffinity",
    "sched_setscheduler",
    "sched_setparam",
    "chmod",
    "fchmodat",
    "chmod by descriptor",
    "chown",
    "utimensat",
    "truncate",
    "inotify_init1",
    "F_SETOWN",
    "F_SETOWN_EX",
    "F_SETSIG",
    "FIOSETOWN",
    "SIOCSPGRP",
    "open for reading",
    "open for writing",
    "open oom_score_adj",
    "connect",
    "bind",
    "datagram socket",
    "seqpacket socket",
    "datagram pair",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "tcp socket",
    "udp6 socket",
    "netlink socket",
    "shmget",
    "semget",
    "msgget",
    "personality",
    "sync",
    "kill",
    "kill group 0",
    "kill all",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "pidfd_open",
    "pidfd_send_signal",
];

/// The scene: the program, and what it tries to reach.
struct Scene {
    folder: tempfile::TempDir,
    victim: Child,
    datagram: UnixDatagram,
    stream: UnixListener,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

impl Scene {
    /// `uid`: that of the victim, the file and the sockets.
    fn new(uid: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        open_to_all(at, 0o755);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/escapes/escapes.c");
        let built = Command::new("cc")
            .args(["-O1", "-pthread", "-o"])
            .arg(at.join("escapes"))
            .arg(source)
            .status();
        assert!(
            built.unwrap().success(),
            "the C compiler that Rust links with"
        );
        fs::create_dir(at.join("own")).unwrap();
        fs::write(at.join("file"), "as it was\n").unwrap();
        let datagram = UnixDatagram::bind(at.join("datagram")).unwrap();
        let stream = UnixListener::bind(at.join("stream")).unwrap();
        datagram.set_nonblocking(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        for name in ["own", "file", "datagram", "stream"] {
            std::os::unix::fs::chown(at.join(name), Some(uid), Some(uid)).unwrap();
        }
        open_to_all(&at.join("file"), 0o600);
        let mut victim = Command::new("sleep");
        // Another process group: the one that is tried must not be the test's.
        victim
            .arg("600")
            .uid(uid)
            .gid(uid)
            .process_group(0)
            .current_dir("/");
        Self {
            folder,
            victim: victim.spawn().unwrap(),
            datagram,
            stream,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Targets that the program tries to reach.
    fn targets(&self) -> Vec<std::ffi::OsString> {
        let mut out = vec![self.victim.id().to_string().into()];
        out.extend(["file", "datagram", "stream"].map(|name| self.at(name).into_os_string()));
        out
    }

    /// Runs the program under the walls as the helper makes them. `server`: the user that the
    /// server runs as.
    fn inside(
        &self,
        server: u32,
        own_uid: Option<u32>,
        abi: Option<u8>,
    ) -> BTreeMap<String, String> {
        // Where it lies may be closed to other users.
        let helper = self.at("engine-exec");
        // By a process: a descriptor of ours that is open for writing could be inherited by the
        // other test's process, and the copy could not be executed (ETXTBSY).
        let copied = Command::new("cp")
            .arg(common_helper())
            .arg(&helper)
            .status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(&helper);
        command
            .arg("engine-exec")
            .arg(format!("parent={}", std::process::id()))
            .arg("memory=0");
        command
            .args(own_uid.map(|uid| format!("uid={uid}")))
            .args(abi.map(|abi| format!("abi={abi}")));
        command
            .arg(format!("write={}", self.at("own").display()))
            .arg("bootstrap=1");
        command
            .arg(format!("program={}", self.at("escapes").display()))
            .arg("--")
            .args(self.targets());
        results(command.uid(server).gid(server))
    }

    /// Runs the program as this user, in another process group.
    fn outside(&self, uid: u32) -> BTreeMap<String, String> {
        let mut command = Command::new(self.at("escapes"));
        results(
            command
                .args(self.targets())
                .uid(uid)
                .gid(uid)
                .process_group(0),
        )
    }

    /// State that an escape would have changed.
    fn state(&self) -> String {
        let file = fs::metadata(self.at("file")).unwrap();
        let limits = self.of_victim("limits");
        let status = self.of_victim("status");
        let stat = self.of_victim("stat");
        // priority, nice; policy: proc_pid_stat(5).
        let stat: Vec<&str> = stat.split_whitespace().collect();
        let scheduling = [17, 18, 40].map(|at| stat.get(at).copied().unwrap());
        format!(
            "mode {:o}, {} bytes, changed {}, owner {}:{}; {}; {}; {scheduling:?}; letters {:?}, \
             callers {:?}",
            file.mode(),
            file.len(),
            file.mtime(),
            file.uid(),
            file.gid(),
            line_of(&limits, "Max open files"),
            line_of(&status, "Cpus_allowed:"),
            self.datagram.recv(&mut [0; 8]).map_err(|e| e.kind()),
            self.stream.accept().map(drop).map_err(|e| e.kind()),
        )
    }

    /// Reads a file of the victim's process.
    fn of_victim(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.victim.id())).unwrap()
    }
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The helper that cargo builds beside this test.
fn common_helper() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    exe.parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples/engine_exec")
}

fn results(command: &mut Command) -> BTreeMap<String, String> {
    let out = command
        .stdin(Stdio::null())
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert!(out.status.success(), "{}: {text}", out.status);
    let pairs: BTreeMap<_, _> = text
        .lines()
        .filter_map(|l| l.split_once(": "))
        .map(|(name, result)| (name.into(), result.into()))
        .collect();
    assert!(pairs.len() > 120, "{text}");
    pairs
}

/// Users to try. As root: each engine's own user, and root itself, which no server ever uses. As an
/// ordinary user: that user only.
fn users() -> Vec<(u32, Option<u32>)> {
    let me = rustix::process::geteuid().as_raw();
    if me == 0 {
        vec![(0, Some(NUMBER)), (0, None), (NOBODY, None)]
    } else {
        vec![(me, None)]
    }
}

/// Returns the result that a call must have inside the walls: "done", or the number of its error.
fn expected_inside(name: &str) -> &'static str {
    if ALLOWED.contains(&name) || WITHOUT_EFFECT.contains(&name) {
        "done"
    } else if UNKNOWN.contains(&name) {
        "38"
    } else if NO_ACCESS.contains(&name) {
        "13"
    } else {
        "1"
    }
}

/// Returns the first line that begins like this.
fn line_of(text: &str, start: &str) -> String {
    let line = text.lines().find(|l| l.starts_with(start));
    line.unwrap().to_owned()
}

fn nothing_gets_out_with(abi: Option<u8>) {
    for (server, own_uid) in users() {
        let scene = Scene::new(own_uid.unwrap_or(server));
        let before = scene.state();
        let results = scene.inside(server, own_uid, abi);
        for (name, result) in &results {
            assert_eq!(
                result,
                expected_inside(name),
                "{name}, server {server}, engine {own_uid:?}"
            );
        }
        assert_eq!(scene.state(), before, "server {server}, engine {own_uid:?}");
    }
}

#[test]
fn nothing_gets_out() {
    nothing_gets_out_with(None);
}

#[test]
fn nothing_gets_out_with_landlock_of_debian_12() {
    nothing_gets_out_with(Some(2));
}

#[test]
fn without_walls_the_same_calls_reach_everything() {
    let me = rustix::process::geteuid().as_raw();
    let uid = if me == 0 { NOBODY } else { me };
    let scene = Scene::new(uid);
    let before = scene.state();
    assert!(
        before.contains(&format!(
            "letters Err({0:?}), callers Err({0:?})",
            ErrorKind::WouldBlock
        )),
        "{before}"
    );
    let results = scene.outside(uid);
    for name in DONE_WITHOUT_WALLS {
        assert_eq!(
            results.get(*name).map(String::as_str),
            Some("done"),
            "{name}"
        );
    }
    let after = scene.state();
    for part in before.split("; ") {
        assert!(!after.contains(part), "unchanged: {part}");
    }
}
