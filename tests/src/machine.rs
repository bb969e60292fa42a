//! The machine's trust stores in a private mount namespace, which a test may change. It ends with
//! its process. The real stores are never written to: if the namespace can't be created, nothing
//! runs.

use crate::clients::Said;
use crate::not_run;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Script that mounts a temporary layer over every folder that a store's tool writes to, reports
/// that, and waits for the end of its input. Debian's package manager adds Java's entry and records
/// that it ran.
const VIEW: &str = r#"
set -e
mount -t tmpfs -o mode=0711 tmpfs "$1"
for folder in /etc /usr/local/share /usr/lib/jvm /var/lib/dpkg /var/lib/ca-certificates-java; do
  [ -d "$folder" ] || continue
  layer="$1/$(echo "$folder" | tr / _)"
  mkdir -p "$layer/upper" "$layer/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$layer/upper,workdir=$layer/work" "$folder"
done
# What others left to be done is done first: only what we do is compared.
update-ca-certificates >/dev/null
openssl rehash /etc/ssl/certs
echo ready
read -r _
"#;

/// Script that prints the state of all stores, equal for equal states: the bundle by its bytes,
/// folders by names and links, Java's entries by name and fingerprint.
const STORES: &str = r#"
sha256sum /etc/ssl/certs/ca-certificates.crt
find /etc/ssl/certs /usr/local/share/ca-certificates -printf '%p %y %m %l\n' | sort
for store in /etc/ssl/certs/java/cacerts "$1/lib/security/cacerts"; do
  [ -f "$store" ] || continue
  echo "$store"
  keytool -J-Duser.language=en -list -keystore "$store" -storepass changeit 2>/dev/null | grep -v '^Your\|^$' | sed 's/, [A-Z][a-z]* [0-9].*//' | paste - - | sort
done
"#;

/// Variables that make clients use another store.
const POINTERS: [&str; 5] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "JAVA_TOOL_OPTIONS",
    "CURL_CA_BUNDLE",
    "MYSQL_HOME",
];

pub struct Machine {
    holder: Child,
    folder: tempfile::TempDir,
    /// A Java outside of the system's packages, with its own store, if there is a Java at all.
    pub java_home: PathBuf,
    pub java_file: PathBuf,
}

impl Machine {
    /// Creates the namespace. `None`, with a message, if that is not possible or the machine has no
    /// such store.
    pub fn new(java: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            not_run("a private view of the file system needs root");
            return None;
        }
        if !Path::new("/usr/sbin/update-ca-certificates").is_file()
            || Path::new("/etc/alpine-release").exists()
        {
            not_run("this machine has no store of Debian's kind");
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("tidegate-machine-")
            .tempdir()
            .expect("a folder");
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                VIEW,
                "sh",
            ])
            .arg(folder.path());
        let spawned = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let Ok(mut holder) = spawned else {
            not_run("unshare is not installed");
            return None;
        };
        let mut line = String::new();
        BufReader::new(holder.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("readable");
        let java_home = folder.path().join("java");
        let java_file = folder.path().join("Trusts.java");
        let mut machine = Self {
            holder,
            folder,
            java_home,
            java_file,
        };
        // The script exits at the first mount that fails (`set -e`).
        if line.trim() != "ready" {
            not_run("no private view of the file system can be made here");
            return None;
        }
        machine.lay_java(java);
        Some(machine)
    }

    /// Folder that only the namespace shows.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a command inside the namespace, without those variables.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--target", &self.holder.id().to_string(), "--"])
            .arg(program);
        for name in POINTERS {
            command.env_remove(name);
        }
        // Stores of browsers are in the home directory; a test that needs some sets its own.
        command.env("HOME", "/nonexistent");
        command.stdin(Stdio::null());
        command
    }

    fn shell(&self, script: &str, arg: &Path) -> String {
        Said::from(
            self.command("sh")
                .args(["-c", script, "sh"])
                .arg(arg)
                .output()
                .expect("sh runs"),
        )
        .expect()
    }

    /// Copies files into the folder, from inside, because its tmpfs is visible there only.
    fn lay_java(&mut self, java: &str) {
        let script = r#"cat >"$1/Trusts.java""#;
        let mut command = self.command("sh");
        command
            .args(["-c", script, "sh"])
            .arg(self.folder.path())
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("sh runs");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(java.as_bytes())
            .expect("cat reads");
        assert!(child.wait().expect("ends").success());
        let script = r#"
            command -v keytool >/dev/null && [ -f /etc/ssl/certs/java/cacerts ] || exit 0
            mkdir -p "$1/bin" "$1/lib/security"
            ln -s "$(readlink -f "$(command -v keytool)")" "$1/bin/keytool"
            cp /etc/ssl/certs/java/cacerts "$1/lib/security/cacerts""#;
        self.shell(script, &self.java_home);
    }

    /// Whether the additional Java could be created.
    pub fn has_java(&self) -> bool {
        self.command("test")
            .arg("-f")
            .arg(self.java_home.join("lib/security/cacerts"))
            .status()
            .is_ok_and(|s| s.success())
    }

    /// Returns a Java that can run a source file, if there is one.
    pub fn java(&self) -> Option<PathBuf> {
        let modules = Said::from(self.command("java").arg("--list-modules").output().ok()?);
        modules
            .out
            .contains("jdk.compiler")
            .then(|| PathBuf::from("java"))
    }

    /// Returns the state of all stores as one text.
    pub fn stores(&self) -> String {
        self.shell(STORES, &self.java_home)
    }

    pub fn dangling_links(&self) -> Vec<String> {
        self.shell("find /etc/ssl/certs -xtype l", Path::new("/"))
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its standard input closes, and the namespace ends with the last process in it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
