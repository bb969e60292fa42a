//! A real name server for the tests: Knot, authoritative for zones that may accept signed updates,
//! or that it copies from another. `None` if it is not installed.

use crate::limits::soon;
use crate::not_run;
use crate::ports::free_port;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Script that ends its program when standard input closes, however this process ends.
const KEEPER: &str =
    r#""$@" </dev/null >>"$LOG" 2>&1 & pid=$!; read -r _; kill "$pid"; wait "$pid""#;

/// Key for HMAC-SHA256: base64 of 32 bytes.
const KEY: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";

/// Zone of a name server.
pub struct Zone<'a> {
    pub domain: &'a str,
    /// Lines of the zone file. Empty if it is copied.
    pub lines: &'a str,
    /// Whether it accepts updates that the key signs.
    pub updatable: bool,
    /// Port of the name server that it is copied from.
    pub copied_from: Option<u16>,
}

impl<'a> Zone<'a> {
    /// Returns a zone that accepts updates.
    pub fn updatable(domain: &'a str, lines: &'a str) -> Self {
        Self {
            updatable: true,
            ..Self::fixed(domain, lines)
        }
    }

    /// Returns a zone that does not change.
    pub fn fixed(domain: &'a str, lines: &'a str) -> Self {
        Self {
            domain,
            lines,
            updatable: false,
            copied_from: None,
        }
    }

    fn config(&self, folder: &str) -> String {
        let from = self.copied_from.map_or("", |_| "   master: primary\n");
        let update = if self.updatable { "update, " } else { "" };
        format!(
            " - domain: {0}\n   storage: \"{folder}\"\n   file: {0}.zone\n\
             \u{20}  acl: [{update}copy]\n{from}",
            self.domain
        )
    }
}

pub struct Knot {
    folder: tempfile::TempDir,
    pub port: u16,
    kept: Child,
}

impl Knot {
    /// Starts it for `example.com`, with an address for every name in it.
    pub fn start() -> Option<Self> {
        let lines = "@ NS ns\nns A 127.0.0.1\n@ A 127.0.0.1\n* A 127.0.0.1\n";
        Self::with(&[Zone::updatable("example.com", lines)], None)
    }

    /// Starts it for these zones. It listens at `public` too, on port 53.
    pub fn with(zones: &[Zone<'_>], public: Option<Ipv4Addr>) -> Option<Self> {
        let program = ["/usr/sbin/knotd", "/usr/bin/knotd"]
            .into_iter()
            .find(|p| PathBuf::from(p).is_file());
        let Some(program) = program else {
            not_run("knotd is not installed (script/setup test)");
            return None;
        };
        if public.is_some_and(|address| TcpListener::bind((address, 53)).is_err()) {
            not_run("port 53 can't be opened here");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display().to_string();
        let port = free_port();
        let public = public.map_or_else(String::new, |address| format!(", {address}@53"));
        let mut remote = String::new();
        let mut configs = String::new();
        for zone in zones {
            if let Some(master) = zone.copied_from {
                remote = format!("remote:\n - id: primary\n   address: 127.0.0.1@{master}\n");
            } else {
                // A copy asks for changes every three seconds.
                let text = format!(
                    "$TTL 5\n@ SOA ns.{0}. root.{0}. 1 3 3 60 60\n{1}",
                    zone.domain, zone.lines
                );
                std::fs::write(folder.path().join(format!("{}.zone", zone.domain)), text)
                    .expect("our own folder");
            }
            configs.push_str(&zone.config(&at));
        }
        let config = format!(
            "server:\n  listen: [127.0.0.1@{port}{public}]\n  rundir: \"{at}\"\n\
             database:\n  storage: \"{at}\"\n\
             log:\n - target: stderr\n   any: info\n\
             key:\n - id: tidegate\n   algorithm: hmac-sha256\n   secret: {KEY}\n\
             {remote}acl:\n - id: update\n   key: tidegate\n   action: update\n\
             \u{20}- id: copy\n   address: 127.0.0.0/8\n   action: transfer\nzone:\n{configs}"
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
        soon(&format!("Knot listens\n{}", knot.log()), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Some(knot)
    }

    /// Returns the lines of `[acme]` for this name server.
    pub fn config(&self, key_name: &str) -> String {
        self.config_of("example.com", key_name)
    }

    /// As [`Knot::config`], for this zone.
    pub fn config_of(&self, zone: &str, key_name: &str) -> String {
        let key = self.folder.path().join("key");
        format!(
            "dns_server = \"127.0.0.1:{}\"\ndns_zone = \"{zone}\"\n\
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
