//! A real MariaDB server on its own TCP port, in a temporary folder. It is stopped by its process
//! id when dropped.

use super::certificates::Served;
use super::process::{Process, free_port, me, path_in};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct MariaDb {
    pub port: u16,
    _process: Process,
    _folder: tempfile::TempDir,
}

/// Returns an installed data directory, made once per build folder.
fn template() -> PathBuf {
    let wanted = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check-mariadb-template");
    if !wanted.is_dir() {
        let making = tempfile::Builder::new()
            .prefix("making-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let data = making.path().join("data");
        let installed = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                &me(),
            ])
            .args(["--skip-name-resolve", "--innodb-log-file-size=4M"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", making.path().display()))
            .output()
            .unwrap();
        assert!(
            installed.status.success(),
            "{}",
            String::from_utf8_lossy(&installed.stderr)
        );
        // Another test binary may have made it first.
        let _ = std::fs::rename(&data, &wanted);
    }
    wanted
}

impl MariaDb {
    /// Starts a server with these options, and runs the SQL as root first.
    pub fn start(options: &[&str], sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp")
            .arg("-r")
            .arg(template())
            .arg(path_in(folder.path(), "data"))
            .status()
            .unwrap();
        assert!(copied.success());
        std::fs::write(path_in(folder.path(), "init.sql"), sql).unwrap();
        let port = free_port();
        let mut command = Command::new("/usr/sbin/mariadbd");
        command
            .args([
                "--no-defaults",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                &me(),
            ])
            .args([
                "--innodb-log-file-size=4M",
                "--innodb-buffer-pool-size=8M",
                "--max-connect-errors=100000",
            ])
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", path_in(folder.path(), "data")))
            .arg(format!("--tmpdir={}", folder.path().display()))
            .arg(format!("--socket={}", path_in(folder.path(), "s")))
            .arg(format!("--pid-file={}", path_in(folder.path(), "pid")))
            .arg(format!(
                "--init-file={}",
                path_in(folder.path(), "init.sql")
            ))
            .args(options);
        let process = Process::start(
            &mut command,
            port,
            folder.path(),
            Some("ready for connections"),
        );
        Self {
            port,
            _process: process,
            _folder: folder,
        }
    }

    /// Starts a server with a certificate.
    pub fn secured(served: &Served, options: &[&str], sql: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        served.write(files.path());
        let certificate = format!("--ssl-cert={}", files.path().join("chain.pem").display());
        let key = format!("--ssl-key={}", files.path().join("key.pem").display());
        // The server reads the files at its start, so they may be deleted once it answers.
        Self::start(
            &[&[certificate.as_str(), key.as_str()], options].concat(),
            sql,
        )
    }
}
