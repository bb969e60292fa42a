//! Server for a test, started and stopped as a person or a service manager does it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on panics with what it saw"
)]

use serde_json::Value;
use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time after which a test that hangs fails. No test asserts how long something takes.
pub const HANGS_AFTER: Duration = Duration::from_secs(180);

/// Waits until the condition is true.
pub fn soon(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + HANGS_AFTER;
    while !so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Process that is killed when the test ends.
pub struct Running(pub Child);

impl Deref for Running {
    type Target = Child;
    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Server {
    pub data: PathBuf,
    _outer: TempDir,
    pub child: Running,
    pub ready: Value,
}

/// Makes a folder that other users can enter: if the tests run as root, engines have their own
/// users, who must reach their folders.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    folder
}

pub fn tidegate(data: &Path) -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_tidegate")), data)
}

/// Gives a command the environment of these tests.
fn prepared(mut command: Command, data: &Path) -> Command {
    command
        .env("TIDEGATE_DATA", data)
        .env("NO_COLOR", "1")
        .env_remove("TIDEGATE_LOG")
        .stdin(Stdio::null());
    command
}

impl Server {
    pub fn start() -> Self {
        Self::start_with("")
    }

    pub fn start_with(config: &str) -> Self {
        let outer = folder();
        let data = outer.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
        std::fs::write(data.join("tidegate.toml"), config).unwrap();
        let (child, ready) = Self::spawn(&data, &["serve", "--json", "--listen", "127.0.0.1:0"]);
        Self {
            data,
            _outer: outer,
            child,
            ready,
        }
    }

    /// Starts a server and reads the JSON that says it is ready.
    pub fn spawn(data: &Path, args: &[&str]) -> (Running, Value) {
        let program = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        Self::spawn_program(program, data, args)
    }

    /// As [`Server::spawn`], as `nohup` does it.
    pub fn spawn_ignoring_hangup(data: &Path, args: &[&str]) -> (Running, Value) {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
        shell.arg(env!("CARGO_BIN_EXE_tidegate"));
        Self::spawn_program(shell, data, args)
    }

    /// As [`Server::spawn`], with another program.
    pub fn spawn_program(program: Command, data: &Path, args: &[&str]) -> (Running, Value) {
        std::fs::create_dir_all(data).unwrap();
        let log = File::create(log_of(data)).unwrap();
        let mut child = Running(
            prepared(program, data)
                .args(args)
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()
                .unwrap(),
        );
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while serde_json::from_str::<Value>(&text).is_err() {
            assert_ne!(
                out.read_line(&mut text).unwrap(),
                0,
                "the server ended before it was ready: {text}"
            );
        }
        (child, serde_json::from_str(&text).unwrap())
    }

    pub fn run(&self, args: &[&str]) -> Output {
        tidegate(&self.data).args(args).output().unwrap()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let out = self.run(args);
        assert!(
            out.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        serde_json::from_slice(&out.stdout).unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(log_of(&self.data)).unwrap()
    }

    pub fn stop(mut self) {
        signal(&self.child, "TERM");
        assert!(self.child.wait().unwrap().success());
        assert_eq!(engines_of(&self.data), Vec::<String>::new());
    }
}

/// Runs SQL with the password of a cluster that was just created.
pub fn sql_as(server: &Server, name: &str, made: &Value, sql: &str) -> Output {
    let mut command = tidegate(&server.data);
    command
        .args(["sql", name, "-e", sql])
        .env("TIDEGATE_PASSWORD", made["password"].as_str().unwrap());
    command.output().unwrap()
}

/// Returns the path of the log, next to the data directory, which only the server uses.
pub fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Returns the engines whose command line names this data directory.
pub fn engines_of(data: &Path) -> Vec<String> {
    let data = data.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(data) && line.contains("mariadbd"))
        .collect()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
