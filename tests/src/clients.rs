//! The two command-line clients as a person starts them: verified TLS, the password never in the
//! arguments; and `openssl s_client`, which only does the handshake.

use crate::Cluster;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Result of a client's run.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

impl From<Output> for Said {
    fn from(o: Output) -> Self {
        Self {
            ok: o.status.success(),
            out: trimmed(&o.stdout),
            err: trimmed(&o.stderr),
        }
    }
}

impl Said {
    /// Returns the standard output of a client that must have succeeded.
    pub fn expect(self) -> String {
        assert!(self.ok, "{self:?}");
        self.out
    }
}

/// Runs `mariadb` with these flags before those of the login.
pub fn mariadb_command(cluster: &Cluster, flags: &[&str]) -> Command {
    let mut command = Command::new("mariadb");
    // The option files of this machine must not change the test.
    command.arg("--no-defaults").args(flags).args([
        "--batch",
        "--skip-column-names",
        "--ssl-verify-server-cert",
    ]);
    command.arg(format!("--ssl-ca={}", cluster.ca.display()));
    command.args([
        "-h",
        &cluster.host,
        "-P",
        &cluster.port.to_string(),
        "-u",
        &cluster.user,
        "-D",
        &cluster.database,
    ]);
    command
        .env("MYSQL_PWD", &cluster.password)
        .stdin(Stdio::null());
    command
}

pub fn mariadb(cluster: &Cluster, sql: &str) -> Said {
    mariadb_command(cluster, &[])
        .args(["-e", sql])
        .output()
        .expect("mariadb is installed")
        .into()
}

/// Path of Oracle's client, unpacked by script/setup.
pub fn mysql9_program() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let program = cache.join("tidegate/mysql9/mysql9");
    program.is_file().then_some(program)
}

pub fn mysql9_command(cluster: &Cluster, flags: &[&str]) -> Option<Command> {
    let mut command = Command::new(mysql9_program()?);
    command
        .args([
            "--batch",
            "--skip-column-names",
            "--ssl-mode=VERIFY_IDENTITY",
        ])
        .args(flags);
    command.arg(format!("--ssl-ca={}", cluster.ca.display()));
    command.args([
        "-h",
        &cluster.host,
        "-P",
        &cluster.port.to_string(),
        "-u",
        &cluster.user,
        "-D",
        &cluster.database,
    ]);
    command
        .env("MYSQL_PWD", &cluster.password)
        .stdin(Stdio::null());
    Some(command)
}

/// Whether `openssl s_client` shook hands and verified the server. Its "Verify return code: 0 (ok)"
/// alone proves nothing: it is also printed without any handshake.
pub fn has_verified(said: &str) -> bool {
    let shaken = said.contains("Cipher is ") && !said.contains("Cipher is (NONE)");
    shaken && said.contains("Verification: OK") && said.contains("Verify return code: 0 (ok)")
}

/// Runs `openssl s_client` over the MySQL greeting and returns its output.
pub fn s_client(cluster: &Cluster, args: &[&str]) -> String {
    let out = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &cluster.addr().to_string(),
            "-starttls",
            "mysql",
            "-CAfile",
        ])
        .arg(&cluster.ca)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}
