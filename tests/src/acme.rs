//! A server that gets its certificate from its own Pebble. It ends with the test, and does not
//! exist if Pebble is not installed.

use crate::limits::soon;
use crate::pebble::{Pebble, Wanted};
use crate::probe::Probe;
use crate::server::write;
use crate::{Options, Server, tls, wire};
use std::path::{Path, PathBuf};

pub const DOMAIN: &str = "db.example.com";

/// Keys of `[acme]` without Pebble's address.
pub fn ca(pebble: &Pebble, roots: &Path) -> String {
    let directory = pebble.directory();
    let own = pebble.directory_ca();
    format!(
        "directory = \"{directory}\"\ndirectory_ca = \"{}\"\nroots = \"{}\"\n\
         profile = \"default\"\n",
        own.display(),
        roots.display()
    )
}

pub struct Bench {
    pub server: Server,
    pub pebble: Pebble,
    pub roots: PathBuf,
    _folder: tempfile::TempDir,
}

/// Starts both. `more` goes into `[acme]`; CONFIG in it is replaced by Pebble's keys, which
/// otherwise precede it.
pub fn bench(pebble: Pebble, domains: &str, more: &str) -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let own = ca(&pebble, &roots);
    let listen = format!("http_listen = [\"127.0.0.1:{}\"]\n", pebble.http);
    let more = if more.contains("CONFIG") {
        more.replace("CONFIG", &own)
    } else {
        format!("{own}{more}")
    };
    let config = format!("[acme]\ndomains = {domains}\n{listen}{more}");
    let server = Server::with(Options {
        config,
        ..Options::default()
    });
    Bench {
        server,
        pebble,
        roots,
        _folder: folder,
    }
}

/// Starts both for the default name.
pub fn ordinary(wanted: Wanted, more: &str) -> Option<Bench> {
    Some(bench(
        Pebble::start(wanted)?,
        &format!("[\"{DOMAIN}\"]"),
        more,
    ))
}

impl Bench {
    /// Returns the leaf, verified for this name.
    pub fn login(&self, name: &str) -> Result<Vec<u8>, String> {
        let mut probe = Probe::connect(self.server.addr());
        probe.write(1, &wire::ssl_request(wire::ORDINARY));
        probe
            .upgrade(tls::verified(&self.roots, tls::BOTH), name)
            .map_err(|e| e.to_string())?;
        Ok(probe.tls().peer_certificates().expect("as asked for")[0].to_vec())
    }

    /// Waits until a certificate of the CA is served.
    pub fn wait(&self) -> Vec<u8> {
        soon(&format!("a certificate\n{}", self.server.log()), || {
            self.login(DOMAIN).ok()
        })
    }

    pub fn wait_log(&self, words: &str) {
        soon(&format!("{words:?} in the log"), || {
            self.server.log().contains(words).then_some(())
        });
    }

    /// Returns the manager's record.
    pub fn record(&self) -> String {
        std::fs::read_to_string(self.server.data().join("acme/ecdsa.json")).unwrap_or_default()
    }

    pub fn status(&self) -> serde_json::Value {
        self.server.json(&["cert", "status"])
    }

    pub fn serial(&self) -> String {
        self.status()["served"]["serial"]
            .as_str()
            .expect("as asked for")
            .to_owned()
    }
}
