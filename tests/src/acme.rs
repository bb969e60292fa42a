//! A server that gets its certificate from Pebble, the ACME server of the tests. Each test has its
//! own pair of both, which ends with the test.

use crate::limits::soon;
use crate::pebble::{Pebble, Wanted};
use crate::probe::Probe;
use crate::server::{new_folder, write};
use crate::{Options, Server, tls};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub const DOMAIN: &str = "db.example.com";

/// The default name as a TOML list.
pub const NAMES: &str = "[\"db.example.com\"]";

/// Returns the keys of `[acme]` that name this Pebble. Without a profile it picks one at random.
pub fn directory_keys(pebble: &Pebble) -> String {
    format!(
        "directory = \"{}\"\ndirectory_ca = \"{}\"\nprofile = \"default\"\n",
        pebble.directory(),
        pebble.directory_ca().display()
    )
}

/// Returns the keys of `[acme]` that name this Pebble and trust its root, which is in this file.
pub fn ca(pebble: &Pebble, roots: &Path) -> String {
    format!(
        "{}roots = \"{}\"\n",
        directory_keys(pebble),
        roots.display()
    )
}

/// Returns the configuration of a server that gets a certificate for these names, a TOML list.
/// `keys` are the other keys of `[acme]`.
pub fn config(pebble: &Pebble, domains: &str, keys: &str) -> String {
    format!(
        "[acme]\ndomains = {domains}\nhttp_listen = [\"127.0.0.1:{}\"]\n{keys}",
        pebble.http
    )
}

pub struct Bench {
    pub server: Server,
    pub pebble: Pebble,
    pub roots: PathBuf,
    _folder: tempfile::TempDir,
}

/// Starts a server that uses this Pebble. `more` goes into `[acme]`; CONFIG in it is replaced by
/// Pebble's keys, which otherwise precede it.
pub fn bench(pebble: Pebble, domains: &str, more: &str) -> Bench {
    bench_at(new_folder(), pebble, domains, more)
}

/// Starts a server as [`bench`] does, in an existing folder.
pub fn bench_at(server_folder: PathBuf, pebble: Pebble, domains: &str, more: &str) -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let own = ca(&pebble, &roots);
    let keys = if more.contains("CONFIG") {
        more.replace("CONFIG", &own)
    } else {
        format!("{own}{more}")
    };
    let options = Options {
        config: config(&pebble, domains, &keys),
        ..Options::default()
    };
    Bench {
        server: Server::at(server_folder, options),
        pebble,
        roots,
        _folder: folder,
    }
}

/// Starts Pebble and a server with a certificate for the default name. None, with a printed note,
/// if Pebble is not installed.
pub fn ordinary(wanted: Wanted, more: &str) -> Option<Bench> {
    Some(bench(Pebble::start(wanted)?, NAMES, more))
}

/// Returns the server's leaf certificate, verified for this name with these roots.
pub fn verified_leaf(addr: SocketAddr, roots: &Path, name: &str) -> Result<Vec<u8>, String> {
    Probe::secured_for(addr, tls::verified(roots, tls::BOTH), name)
        .map(|probe| probe.leaf())
        .map_err(|e| e.to_string())
}

impl Bench {
    /// Returns the bench of a server with this CA, whose root is in a file of the folder.
    pub fn of(server: Server, pebble: Pebble, roots: PathBuf, folder: tempfile::TempDir) -> Self {
        Self {
            server,
            pebble,
            roots,
            _folder: folder,
        }
    }

    /// Returns the leaf, verified for this name.
    pub fn login(&self, name: &str) -> Result<Vec<u8>, String> {
        verified_leaf(self.server.addr(), &self.roots, name)
    }

    /// Orders a certificate by command, which must succeed.
    pub fn renew(&self) {
        self.server.succeed(&["cert", "renew"]);
    }

    /// Returns the file with the certificate and its key.
    pub fn pair(&self) -> PathBuf {
        self.server.data().join("acme/ecdsa.pem")
    }

    /// Adds the root that Pebble has made at its last start to the trusted ones.
    pub fn trust_new_root(&self) {
        let both = std::fs::read_to_string(&self.roots).expect("roots") + &self.pebble.root();
        std::fs::write(&self.roots, both).expect("our own folder");
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
