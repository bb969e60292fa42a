//! A real MariaDB server on a TCP port of its own, in a temp folder. It ends with the value, by its pid.

use super::certificates::Served;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A start that takes longer has failed.
const START_MAX: Duration = Duration::from_secs(60);

pub struct MariaDb {
    process: Child,
    pub port: u16,
    folder: tempfile::TempDir,
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn me() -> String {
    let name = Command::new("id").arg("-un").output().unwrap().stdout;
    format!("--user={}", String::from_utf8_lossy(&name).trim())
}

/// An installed data directory, made once per build folder.
fn template() -> PathBuf {
    let wanted = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check-mariadb-template");
    if !wanted.is_dir() {
        let making = tempfile::Builder::new().prefix("making-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let data = making.path().join("data");
        let installed = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", &me()])
            .args(["--skip-name-resolve", "--innodb-log-file-size=4M"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", making.path().display()))
            .output()
            .unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        // Another test binary may have been faster.
        let _ = std::fs::rename(&data, &wanted);
    }
    wanted
}

impl MariaDb {
    /// With these options, and the SQL run by root before anybody else comes.
    pub fn start(options: &[&str], sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let copied = Command::new("cp").arg("-r").arg(template()).arg(path("data")).status().unwrap();
        assert!(copied.success());
        std::fs::write(path("init.sql"), sql).unwrap();
        let port = free_port();
        let log = std::fs::File::create(path("log")).unwrap();
        let process = Command::new("/usr/sbin/mariadbd")
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", &me()])
            .args(["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", "--max-connect-errors=100000"])
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--tmpdir={}", folder.path().display()))
            .arg(format!("--socket={}", path("s")))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--init-file={}", path("init.sql")))
            .args(options)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { process, port, folder };
        let end = Instant::now() + START_MAX;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// With a certificate.
    pub fn secured(served: &Served, options: &[&str], sql: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        served.write(files.path());
        let certificate = format!("--ssl-cert={}", files.path().join("chain.pem").display());
        let key = format!("--ssl-key={}", files.path().join("key.pem").display());
        // Read at the start; the files may go once it has answered.
        Self::start(&[&[certificate.as_str(), key.as_str()], options].concat(), sql)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
