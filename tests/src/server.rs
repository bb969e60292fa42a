//! A running `tidegate serve` in a temporary folder, on a free port. Starts the real binary as a
//! person would, and uses only its command line.

use crate::limits::{READY_WAIT, STOP_WAIT_SECONDS, soon, within};
use crate::ports::free_port;
use crate::{processes, templates};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

/// Script that keeps the server for a test process, which may end in any way: when standard input
/// closes, the server is stopped and the folder removed. The line "keep" stops the server and keeps
/// the folder, for a restart.
const KEEPER: &str = r#"
dir=$1; wait=$2; shift 2
"$@" </dev/null >>"$dir/stdout" 2>>"$dir/stderr" &
pid=$!
echo "$pid"
read -r word
kill -TERM "$pid" 2>/dev/null
(sleep "$wait"; kill -KILL "$pid") >/dev/null 2>&1 &
killer=$!
wait "$pid"
code=$?
kill "$killer" 2>/dev/null
[ "$word" = keep ] || rm -rf "$dir"
echo "$code"
"#;

/// Loopback address that every server here listens on and no certificate contains.
pub const WRONG_HOST: &str = "127.0.0.2";

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration file's text.
    pub config: String,
    /// More names for the certificate.
    pub names: Vec<String>,
    /// More flags of `serve`.
    pub flags: Vec<String>,
    /// Variables in the environment of the server only.
    pub env: Vec<(String, String)>,
    /// Limit of open files of the server alone.
    pub open_files: Option<u32>,
    /// Shell script that changes the host of the server alone, such as by a namespace, and then
    /// executes `"$@"`. `$DIR` is the server's folder.
    pub host: String,
}

impl Options {
    /// Options for a console that certainly listens: its default port may belong to the server of
    /// another test.
    pub fn with_console() -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        Self {
            flags: vec!["--console".to_owned(), address],
            ..Self::default()
        }
    }

    /// Options for clusters that sleep as soon as possible: the shortest time that the
    /// configuration accepts.
    pub fn sleepy() -> Self {
        Self {
            config: "[cluster]\nsleep_after = \"1s\"\n".into(),
            ..Self::default()
        }
    }
}

pub struct Server {
    pub folder: PathBuf,
    pub port: u16,
    options: Options,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    keep: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    pid: u32,
}

/// Output of `cluster create NAME --json`.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub name: String,
    pub prefix: String,
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
    pub ca: PathBuf,
}

fn text_of(v: &Value, key: &str) -> String {
    v[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text {key} in {v}"))
        .to_owned()
}

impl Cluster {
    pub fn from_json(v: &Value) -> Self {
        Self {
            name: text_of(v, "name"),
            prefix: text_of(v, "prefix"),
            host: text_of(v, "host"),
            port: v["port"]
                .as_u64()
                .and_then(|p| p.try_into().ok())
                .unwrap_or_else(|| panic!("no port in {v}")),
            user: text_of(v, "user"),
            password: text_of(v, "password"),
            database: text_of(v, "database"),
            ca: text_of(v, "ca").into(),
        }
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the login name of another account of this cluster.
    pub fn login(&self, user: &str) -> String {
        format!("{}.{user}", self.prefix)
    }
}

/// Returns the binary that `cargo build` has put beside this test's folder.
pub fn binary() -> PathBuf {
    let me = std::env::current_exe().expect("this test's own path");
    let found = me
        .ancestors()
        .skip(1)
        .map(|d| d.join("tidegate"))
        .find(|p| p.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no `tidegate` above {}: run `cargo build -p tidegate` first",
            me.display()
        )
    })
}

impl Server {
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        Self::at(new_folder(), options)
    }

    /// Starts it in an existing folder.
    pub fn at(folder: PathBuf, options: Options) -> Self {
        // Each engine has its own user, which must be able to enter this folder.
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o711))
            .expect("our own folder");
        let mut server = Self {
            folder,
            port: free_port(),
            options,
            running: None,
        };
        server.run();
        server
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("the server runs").pid
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("stderr")).unwrap_or_default()
    }

    /// Waits until the log contains these words. The server writes its log in a separate thread, so
    /// a line may come a moment after the event that it is about.
    pub fn wait_log(&self, words: &str) {
        soon(&format!("{words:?} in the log:\n{}", self.log()), || {
            self.log().contains(words).then_some(())
        });
    }

    /// Starts it (again) with the same folder and port, and waits for its greeting.
    pub fn run(&mut self) {
        // Another host, such as a user namespace, may not be able to read the shared template.
        if self.options.host.is_empty() {
            templates::lend(&self.data());
        }
        self.run_alone();
    }

    /// Starts it with nothing of other tests.
    pub fn run_alone(&mut self) {
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "sh"])
            .arg(&self.folder)
            .arg(STOP_WAIT_SECONDS.to_string())
            .args(self.serve_words());
        command.envs(self.options.env.iter().cloned());
        let mut keeper = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut said = BufReader::new(keeper.stdout.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the keeper says the pid");
        let pid = line.trim().parse().expect("a pid");
        let keep = keeper.stdin.take();
        self.running = Some(Running {
            keeper,
            keep,
            said,
            pid,
        });
        self.wait_ready();
    }

    /// Returns the command line of the server, with what changes its host.
    fn serve_words(&self) -> Vec<OsString> {
        let config = self.folder.join("test.toml");
        std::fs::write(&config, &self.options.config).expect("our own folder");
        let mut words: Vec<OsString> = Vec::new();
        if let Some(limit) = self.options.open_files {
            let limited = format!("ulimit -n {limit}; exec \"$@\"");
            words.extend(["sh", "-c", &limited, "sh"].map(OsString::from));
        }
        if !self.options.host.is_empty() {
            let script = format!("DIR=$0; {}", self.options.host);
            words.extend(["sh".into(), "-ec".into(), script.into()]);
            words.push(self.folder.clone().into());
        }
        words.push(binary().into());
        words.extend(["serve", "--data"].map(OsString::from));
        words.push(self.data().into());
        words.push("--config".into());
        words.push(config.into());
        // The second is not in the certificate: the server answers there under a wrong name.
        let wrong = format!("{WRONG_HOST}:{}", self.port);
        for address in [self.addr().to_string(), wrong] {
            words.extend(["--listen".into(), address.into()]);
        }
        for name in &self.options.names {
            words.extend(["--name".into(), name.into()]);
        }
        words.extend(self.options.flags.iter().map(OsString::from));
        words
    }

    /// Starts it where it must not start, and returns what it says. It must not have said that it
    /// is ready.
    #[track_caller]
    pub fn refused(&self) -> String {
        let words = self.serve_words();
        let (program, words) = words.split_first().expect("a command line");
        let mut command = Command::new("timeout");
        command
            .arg(READY_WAIT.as_secs().to_string())
            .arg(program)
            .args(words)
            .envs(self.options.env.iter().cloned())
            .stdin(Stdio::null());
        let out = command.output().expect("timeout runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(!said.contains("\"ready\""), "{said}");
        said
    }

    /// Returns a server that is not started yet, in a new folder.
    pub fn stopped(options: Options) -> Self {
        let folder = new_folder();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o711))
            .expect("our own folder");
        Self {
            folder,
            port: free_port(),
            options,
            running: None,
        }
    }

    fn wait_ready(&self) {
        within(READY_WAIT, "the server's greeting", || {
            self.assert_alive();
            let mut stream = TcpStream::connect(self.addr()).ok()?;
            stream.read_exact(&mut [0]).ok()
        });
        within(READY_WAIT, "the control socket", || {
            // The greeting above may be that of another server.
            self.assert_alive();
            self.cli(&["cluster", "list"])
                .status
                .success()
                .then_some(())
        });
    }

    fn assert_alive(&self) {
        assert!(
            processes::alive(self.pid()),
            "the server ended at its start:\n{}",
            self.log()
        );
    }

    /// Sets the options of the next start.
    pub fn change(&mut self, options: Options) {
        self.options = options;
    }

    /// Stops it with SIGTERM and returns its exit code. The folder stays.
    pub fn stop(&mut self) -> i32 {
        let mut running = self.running.take().expect("the server runs");
        let mut keep = running.keep.take().expect("piped");
        // The script still waits for this word after its server has ended.
        keep.write_all(b"keep\n").expect("the keeper listens");
        drop(keep);
        let mut line = String::new();
        running
            .said
            .read_line(&mut line)
            .expect("the keeper says the code");
        running.keeper.wait().expect("the keeper ends");
        line.trim().parse().expect("an exit code")
    }

    /// Stops it cleanly and starts it again.
    pub fn restart(&mut self) {
        assert_eq!(self.stop(), 0);
        self.run();
    }

    /// Kills the server only, with SIGKILL.
    pub fn kill9(&mut self) {
        let pid = self.pid();
        processes::kill9(pid);
        soon("the server's death", || {
            (!processes::alive(pid)).then_some(())
        });
        self.stop();
    }

    /// Runs `tidegate --data ... ARGS` to its end.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("tidegate runs")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        // In front of the arguments: behind `--` it would be the client's.
        command
            .arg("--data")
            .arg(self.data())
            .args(args)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed.
    pub fn succeed(&self, args: &[&str]) -> Output {
        let out = self.cli(args);
        assert!(
            out.status.success(),
            "{args:?}: {}\n{}",
            String::from_utf8_lossy(&out.stderr),
            self.log()
        );
        out
    }

    /// Runs a command that must fail, and returns its error.
    pub fn fail(&self, args: &[&str]) -> String {
        let out = self.cli(args);
        assert!(!out.status.success(), "{args:?}: {out:?}");
        String::from_utf8_lossy(&out.stderr).into_owned()
    }

    /// Returns a hint as the command line prints it: with --data in each of its commands.
    pub fn printed_hint(&self, hint: &str) -> String {
        let mut printed = String::new();
        for (index, part) in hint.split('`').enumerate() {
            let is_command = index % 2 == 1;
            let mark = if is_command { "`" } else { "" };
            let is_own = is_command && part.starts_with("tidegate ");
            let data = format!(" --data {}", self.data().display());
            let option = if is_own { data.as_str() } else { "" };
            printed.push_str(&format!("{mark}{part}{option}{mark}"));
        }
        printed
    }

    /// Returns the JSON of a command that must succeed.
    pub fn json(&self, args: &[&str]) -> Value {
        let out = self.succeed(&[args, &["--json"]].concat());
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&out.stdout)))
    }

    pub fn create(&self, name: &str) -> Cluster {
        Cluster::from_json(&self.json(&["cluster", "create", name]))
    }

    pub fn state(&self, name: &str) -> String {
        self.json(&["cluster", "show", name])["state"]
            .as_str()
            .expect("a state")
            .to_owned()
    }

    pub fn wait_state(&self, name: &str, state: &str) {
        soon(&format!("{name} is {state}"), || {
            (self.state(name) == state).then_some(())
        });
    }

    /// Puts the cluster to sleep by command; busy sessions must have ended.
    pub fn sleep(&self, name: &str) {
        soon(&format!("{name} goes to sleep"), || {
            let out = self.cli(&["cluster", "sleep", name]);
            out.status.success().then_some(())
        });
        self.wait_state(name, "asleep");
    }

    /// Returns the processes of all engines of this server.
    pub fn engines(&self) -> Vec<u32> {
        processes::engines_of(&self.folder)
    }

    /// Returns the only engine.
    pub fn engine(&self) -> u32 {
        let engines = self.engines();
        assert_eq!(engines.len(), 1, "engines: {engines:?}\n{}", self.log());
        engines[0]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // The keeper's standard input closes: it stops the server and removes the folder.
            drop(running.keep.take());
            let _ = running.keeper.wait();
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
        // Engines die with their server, so one that is left is a fault.
        let left = processes::engines_of(&self.folder);
        if !left.is_empty() && !std::thread::panicking() {
            panic!("engines left behind: {left:?}");
        }
    }
}

/// Creates the folder of a server. The server removes it when it ends.
pub fn new_folder() -> PathBuf {
    tempfile::Builder::new()
        .prefix("tidegate-e2e-")
        .tempdir()
        .expect("a folder")
        .keep()
}

/// Returns the path of a test's file beside the server's data.
pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("our own folder");
    path
}
