//! A real name server for the tests: Knot, authoritative for one zone that accepts signed updates.
//! `None` if it is not installed.

use crate::limits::soon;
use crate::not_run;
use crate::ports::free_port;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Script that ends its program when standard input closes, however this process ends.
const KEEPER: &str =
    r#""$@" </dev/null >>"$LOG" 2>&1 & pid=$!; read -r _; kill "$pid"; wait "$pid""#;

/// Key for HMAC-SHA256: base64 of 32 bytes.
const KEY: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";

pub struct Knot {
    folder: tempfile::TempDir,
    pub port: u16,
    kept: Child,
}

impl Knot {
    /// Starts it for `example.com`, with an address for every name in it.
    pub fn start() -> Option<Self> {
        let program = ["/usr/sbin/knotd", "/usr/bin/knotd"]
            .into_iter()
            .find(|p| PathBuf::from(p).is_file());
        let Some(program) = program else {
            not_run("knotd is not installed (script/setup test)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display().to_string();
        let port = free_port();
        let zone = "$TTL 5\n@ SOA ns.example.com. root.example.com. 1 60 60 60 60\n@ NS ns\n\
                    ns A 127.0.0.1\n@ A 127.0.0.1\n* A 127.0.0.1\n";
        std::fs::write(folder.path().join("example.com.zone"), zone).expect("our own folder");
        let config = format!(
            "server:\n  listen: 127.0.0.1@{port}\n  rundir: \"{at}\"\n\
             database:\n  storage: \"{at}\"\n\
             log:\n - target: stderr\n   any: info\n\
             key:\n - id: tidegate\n   algorithm: hmac-sha256\n   secret: {KEY}\n\
             acl:\n - id: update\n   key: tidegate\n   action: update\n\
             zone:\n - domain: example.com\n   storage: \"{at}\"\n   file: \
             example.com.zone\n   acl: update\n"
        );
        let file = folder.path().join("knot.conf");
        std::fs::write(&file, config).expect("our own folder");
        std::fs::write(folder.path().join("key"), KEY).expect("our own folder");
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "sh", program, "-c"])
            .arg(&file)
            .env("LOG", folder.path().join("log"));
        let kept = command.stdin(Stdio::piped()).spawn().expect("sh runs");
        let knot = Self { folder, port, kept };
        soon("Knot listens", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Some(knot)
    }

    /// Returns the lines of `[acme]` for this name server.
    pub fn config(&self, key_name: &str) -> String {
        let key = self.folder.path().join("key");
        format!(
            "dns_server = \"127.0.0.1:{}\"\ndns_zone = \"example.com\"\n\
             dns_key_name = \"{key_name}\"\ndns_key_file = \"{}\"\n",
            self.port,
            key.display()
        )
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        drop(self.kept.stdin.take());
        let _ = self.kept.wait();
    }
}
