//! Oracle's MySQL 9 and MySQL Router, if script/setup could unpack them. Each has its own TCP port
//! and temporary folder and stops when dropped.

use super::certificates::Served;
use super::process::{Process, free_port, me, path_in};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Mysql9 {
    pub port: u16,
    /// Starts a server with the certificates that it makes for itself.
    pub data: PathBuf,
    _process: Process,
    _folder: tempfile::TempDir,
}

pub struct Router {
    pub port: u16,
    _process: Process,
    _folder: tempfile::TempDir,
}

/// Returns the folder of both programs. None, with a printed note, if they are not there.
pub fn programs() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
    let folder = cache.join("tidegate/mysql9-servers");
    if folder.join("mysqld").exists() {
        return Some(folder);
    }
    super::not_run("mysqld 9 is not here: script/setup test unpacks it from Debian sid");
    None
}

/// Returns a data directory with MySQL's own certificates, made once per build folder.
fn template(programs: &Path) -> PathBuf {
    let wanted = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check-mysql9-template");
    if !wanted.is_dir() {
        let making = tempfile::Builder::new()
            .prefix("making-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let data = making.path().join("data");
        let made = Command::new(programs.join("mysqld"))
            .args([
                "--initialize-insecure",
                "--skip-log-bin",
                "--secure-file-priv=NULL",
                &me(),
            ])
            .arg("--innodb-redo-log-capacity=8M")
            .arg(format!("--datadir={}", data.display()))
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        // Another test may have made it first.
        let _ = std::fs::rename(&data, &wanted);
    }
    wanted
}

impl Mysql9 {
    /// Starts a server with these options, and runs the SQL as root first.
    pub fn start(programs: &Path, options: &[&str], sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp")
            .arg("-r")
            .arg(template(programs))
            .arg(path_in(folder.path(), "data"))
            .status()
            .unwrap();
        assert!(copied.success());
        // The router takes two servers with the same UUID for one.
        let _ = std::fs::remove_file(folder.path().join("data/auto.cnf"));
        std::fs::write(path_in(folder.path(), "init.sql"), sql).unwrap();
        let port = free_port();
        let mut command = Command::new(programs.join("mysqld"));
        command
            .args([
                "--bind-address=127.0.0.1",
                "--mysqlx=OFF",
                "--skip-log-bin",
                "--secure-file-priv=NULL",
                &me(),
            ])
            .args(["--innodb-buffer-pool-size=16M", "--performance-schema=OFF"])
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", path_in(folder.path(), "data")))
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
            data: folder.path().join("data"),
            _process: process,
            _folder: folder,
        }
    }

    /// Starts a server with the test's certificate, and no CA for clients.
    pub fn secured(programs: &Path, served: &Served, options: &[&str], sql: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        served.write(files.path());
        let certificate = format!("--ssl-cert={}", files.path().join("chain.pem").display());
        let key = format!("--ssl-key={}", files.path().join("key.pem").display());
        Self::start(
            programs,
            &[&[certificate.as_str(), key.as_str()], options].concat(),
            sql,
        )
    }
}

impl Router {
    /// Starts a router in front of the server at `destination`. TLS ends in it, required from
    /// clients by `mode`, and a new TLS connection goes to the server.
    pub fn start(programs: &Path, served: &Served, mode: &str, destination: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        served.write(folder.path());
        let port = free_port();
        let plugins = programs.join("root/usr/lib/mysqlrouter/plugin");
        let text = format!(
            "[DEFAULT]\nplugin_folder={}\nruntime_folder={here}\ndata_folder={here}\n\
             [routing:one]\nbind_address=127.0.0.1\nbind_port={port}\n\
             destinations=127.0.0.1:{destination}\n\
             routing_strategy=first-available\nprotocol=classic\nserver_ssl_mode=PREFERRED\n\
             client_ssl_mode={mode}\nclient_ssl_cert={}\nclient_ssl_key={}\n",
            plugins.display(),
            path_in(folder.path(), "chain.pem"),
            path_in(folder.path(), "key.pem"),
            here = folder.path().display(),
        );
        std::fs::write(path_in(folder.path(), "router.conf"), text).unwrap();
        let mut command = Command::new(programs.join("mysqlrouter"));
        command
            .arg("-c")
            .arg(path_in(folder.path(), "router.conf"))
            .arg(me());
        let process = Process::start(&mut command, port, folder.path(), None);
        Self {
            port,
            _process: process,
            _folder: folder,
        }
    }
}
