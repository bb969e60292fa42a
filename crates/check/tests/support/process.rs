//! A server process that a test has started. It is stopped by its process id when dropped; its
//! output goes to a file.

pub use super::ports::free_port;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Timeout of a start.
const START_MAX: Duration = Duration::from_secs(180);

pub struct Process {
    child: Child,
    log: PathBuf,
}

/// Returns the path of a file in the folder, as text for a command line.
pub fn path_in(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// Returns the user who runs the test: servers require a named user if it is root.
pub fn me() -> String {
    let name = Command::new("id").arg("-un").output().unwrap().stdout;
    format!("--user={}", String::from_utf8_lossy(&name).trim())
}

impl Process {
    /// Starts the server and waits until it listens on this port and, if given, its log says that
    /// it is ready: a server may listen long before.
    pub fn start(command: &mut Command, port: u16, folder: &Path, ready: Option<&str>) -> Self {
        let log = folder.join("log");
        let file = std::fs::File::create(&log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let mut process = Self {
            child: command.spawn().unwrap(),
            log,
        };
        let end = Instant::now() + START_MAX;
        let says = |process: &Self| ready.is_none_or(|words| process.log().contains(words));
        while !says(&process) || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "{}", process.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
