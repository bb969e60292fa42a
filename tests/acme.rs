//! Certificates by ACME, against a real ACME server. Where Pebble is missing a test says "not run" and passes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::path::{Path, PathBuf};
use tidegate_e2e::limits::soon;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::probe::Probe;
use tidegate_e2e::{Options, Server, tls, wire};

const DOMAIN: &str = "db.example.com";

/// The section of one CA; roots are Pebble's where `roots` names a file.
fn config(pebble: &Pebble, roots: Option<&Path>) -> String {
    let roots = roots.map_or(String::new(), |file| format!("roots = \"{}\"\n", file.display()));
    format!(
        "[cluster]\nconnections_max = 400\n[acme]\ndomains = [\"{DOMAIN}\"]\ndirectory = \"{}\"\n\
         directory_ca = \"{}\"\nhttp_listen = [\"127.0.0.1:{}\"]\n{roots}",
        pebble.directory(),
        pebble.directory_ca().display(),
        pebble.http
    )
}

struct Bench {
    server: Server,
    pebble: Pebble,
    roots: PathBuf,
    _folder: tempfile::TempDir,
}

/// A server that trusts Pebble's roots.
fn bench(wanted: Wanted) -> Option<Bench> {
    let pebble = Pebble::start(wanted)?;
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, pebble.root()).unwrap();
    let server = Server::with(Options { config: config(&pebble, Some(&roots)), ..Options::default() });
    Some(Bench { server, pebble, roots, _folder: folder })
}

impl Bench {
    fn pair(&self) -> PathBuf {
        self.server.data().join("acme/ecdsa.pem")
    }

    /// Waits until a certificate of the CA is served.
    fn wait_certificate(&self) -> Vec<u8> {
        soon("a certificate of the CA", || {
            assert!(!self.server.log().contains("certificate alarm"), "{}\n{}", self.server.log(), self.pebble.log());
            login(&self.server, &self.roots).ok()
        })
    }
}

/// A verified handshake for the domain; the leaf.
fn login(server: &Server, roots: &Path) -> Result<Vec<u8>, String> {
    let mut probe = Probe::connect(server.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe.upgrade(tls::verified(roots, tls::BOTH), DOMAIN).map_err(|e| e.to_string())?;
    Ok(probe.tls().peer_certificates().unwrap()[0].to_vec())
}

#[test]
fn a_certificate_is_got_served_and_kept_across_restarts() {
    let Some(mut bench) = bench(Wanted::default()) else { return };
    let leaf = bench.wait_certificate();
    let modes = |path: &Path| std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
    assert_eq!(modes(&bench.pair()) & 0o777, 0o600);
    assert_eq!(modes(bench.pair().parent().unwrap()) & 0o777, 0o700);
    assert_eq!(bench.pebble.issued(), 1);
    for _ in 0..3 {
        assert_eq!(bench.server.stop(), 0);
        bench.server.run();
        assert_eq!(login(&bench.server, &bench.roots).unwrap(), leaf, "the one that was kept");
    }
    assert_eq!((bench.pebble.orders(), bench.pebble.issued()), (1, 1), "a valid pair is never ordered again");
}

#[test]
fn bad_nonces_and_delays_do_not_keep_a_certificate_away() {
    let Some(bench) = bench(Wanted { bad_nonces: 40, delay: 2, ..Wanted::default() }) else { return };
    bench.wait_certificate();
    assert_eq!(bench.pebble.orders(), 1);
}

#[test]
fn a_chain_that_does_not_end_in_mozillas_list_is_held_back() {
    let Some(pebble) = Pebble::start(Wanted::default()) else { return };
    let server = Server::with(Options { config: config(&pebble, None), ..Options::default() });
    let cluster = server.create("held");
    soon("the alarm", || server.log().contains("does not end in a root of Mozilla's list").then_some(()));
    let mut probe = Probe::connect(server.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe.upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1").expect("the old one is still served");
    assert_eq!(pebble.issued(), 1);
    assert!(server.data().join("acme/ecdsa.held.pem").is_file());
}
