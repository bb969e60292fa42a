//! A real HAProxy in TCP mode in front of a server; TLS passes through it. It stops when dropped.

use super::process::{Process, free_port};
use std::path::Path;
use std::process::Command;

pub struct HaProxy {
    pub port: u16,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl HaProxy {
    /// Starts HAProxy. None, with a printed note, if it is not installed.
    pub fn start(destination: u16) -> Option<Self> {
        let program = Path::new("/usr/sbin/haproxy");
        if !program.exists() {
            super::not_run("haproxy is not installed: script/setup test does it");
            return None;
        }
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
             listen db\n bind 127.0.0.1:{port}\n server one 127.0.0.1:{destination}\n"
        );
        std::fs::write(&file, text).unwrap();
        let process = Process::start(
            Command::new(program).arg("-db").arg("-f").arg(&file),
            port,
            folder.path(),
            None,
        );
        Some(Self {
            port,
            _process: process,
            _folder: folder,
        })
    }
}
