//! Certificates by ACME, against a real ACME server. Where Pebble is missing a test says "not run"
//! and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tidegate_e2e::limits::{soon, within};
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::Response;
use tidegate_e2e::{Options, Server, tls, wire};

const DOMAIN: &str = "db.example.com";

/// The section of one CA (without a profile Pebble picks one at random); roots are Pebble's where
/// `roots` names a file.
fn config(pebble: &Pebble, roots: Option<&Path>) -> String {
    let roots = roots.map_or(String::new(), |file| {
        format!("roots = \"{}\"\n", file.display())
    });
    format!(
        "[cluster]\nconnections_max = 400\n[acme]\ndomains = [\"{DOMAIN}\"]\ndirectory = \"{}\"\n\
         directory_ca = \"{}\"\nprofile = \"default\"\nhttp_listen = [\"127.0.0.1:{}\"]\n{roots}",
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
    let server = Server::with(Options {
        config: config(&pebble, Some(&roots)),
        ..Options::default()
    });
    Some(Bench {
        server,
        pebble,
        roots,
        _folder: folder,
    })
}

impl Bench {
    fn pair(&self) -> PathBuf {
        self.server.data().join("acme/ecdsa.pem")
    }

    /// Waits until a certificate of the CA is served.
    fn wait_certificate(&self) -> Vec<u8> {
        soon("a certificate of the CA", || {
            assert!(
                !self.server.log().contains("certificate alarm"),
                "{}\n{}",
                self.server.log(),
                self.pebble.log()
            );
            login(&self.server, &self.roots).ok()
        })
    }
}

/// A verified handshake for the domain; the leaf.
fn login(server: &Server, roots: &Path) -> Result<Vec<u8>, String> {
    let mut probe = Probe::connect(server.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(roots, tls::BOTH), DOMAIN)
        .map_err(|e| e.to_string())?;
    Ok(probe.tls().peer_certificates().unwrap()[0].to_vec())
}

#[test]
fn a_certificate_is_got_served_and_kept_across_restarts() {
    let Some(mut bench) = bench(Wanted::default()) else {
        return;
    };
    let leaf = bench.wait_certificate();
    let modes = |path: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions())
    };
    assert_eq!(modes(&bench.pair()) & 0o777, 0o600);
    assert_eq!(modes(bench.pair().parent().unwrap()) & 0o777, 0o700);
    assert_eq!(bench.pebble.issued(), 1);
    for _ in 0..3 {
        assert_eq!(bench.server.stop(), 0);
        bench.server.run();
        assert_eq!(
            login(&bench.server, &bench.roots).unwrap(),
            leaf,
            "the one that was kept"
        );
    }
    assert_eq!(
        (bench.pebble.orders(), bench.pebble.issued()),
        (1, 1),
        "a valid pair is never ordered again"
    );
}

/// A logged-in session that verified the domain's certificate.
fn session(server: &Server, cluster: &tidegate_e2e::Cluster, roots: &Path) -> Session {
    let mut probe = Probe::connect(server.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(roots, tls::BOTH), DOMAIN)
        .expect("the TLS handshake");
    let response = Response {
        capabilities: wire::ORDINARY,
        ..Response::new(&cluster.user)
    };
    assert_eq!(probe.login(&response, &cluster.password), Verdict::In);
    Session {
        probe,
        capabilities: wire::ORDINARY,
    }
}

#[test]
fn ten_renewals_under_load_drop_nothing_though_the_issuer_changes() {
    const SESSIONS: usize = 200;
    let wanted = Wanted {
        life: 24,
        bad_nonces: 5,
        ..Wanted::default()
    };
    let Some(mut bench) = bench(wanted) else {
        return;
    };
    bench.wait_certificate();
    let cluster = bench.server.create("load");
    let stop = AtomicBool::new(false);
    let queries = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SESSIONS {
            let mut session = session(&bench.server, &cluster, &bench.roots);
            let stop = &stop;
            let queries = &queries;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(session.value("SELECT 1"), "1");
                    queries.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
            });
        }
        // Whatever happens below, the sessions end, and with them the test.
        let ended =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| renew_ten_times(&mut bench)));
        let before = queries.load(Ordering::Relaxed);
        soon("the load goes on", || {
            (queries.load(Ordering::Relaxed) > before + 400).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
        if ended.is_err() {
            let log = bench.server.log();
            let told: Vec<_> = log
                .lines()
                .filter(|line| line.contains("certificate"))
                .collect();
            eprintln!("{}\n{}", told.join("\n"), bench.pebble.log());
        }
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Each new leaf on disk must be what new handshakes see; the slowest is told.
fn renew_ten_times(bench: &mut Bench) {
    let mut seen = login(&bench.server, &bench.roots).unwrap();
    let mut slowest = std::time::Duration::ZERO;
    for renewal in 0..10 {
        let leaf = within(
            std::time::Duration::from_secs(120),
            "the next certificate",
            || {
                let leaf = CertificateDer::from_pem_file(bench.pair()).ok()?.to_vec();
                (leaf != seen).then_some(leaf)
            },
        );
        let since = std::time::Instant::now();
        soon("new handshakes see it", || {
            (login(&bench.server, &bench.roots).unwrap() == leaf).then_some(())
        });
        slowest = slowest.max(since.elapsed());
        seen = leaf;
        if renewal == 4 {
            // Another root, another issuer, and a CA that has forgotten our account and its
            // certificates.
            bench.pebble.stop();
            bench.pebble.run();
            let both = std::fs::read_to_string(&bench.roots).unwrap() + &bench.pebble.root();
            std::fs::write(&bench.roots, both).unwrap();
        }
    }
    println!("new handshakes saw a new leaf within {slowest:?} of its being on disk");
}

#[test]
fn bad_nonces_and_delays_do_not_keep_a_certificate_away() {
    let Some(bench) = bench(Wanted {
        bad_nonces: 40,
        delay: 2,
        ..Wanted::default()
    }) else {
        return;
    };
    bench.wait_certificate();
    assert_eq!(bench.pebble.orders(), 1);
}

#[test]
fn a_chain_that_does_not_end_in_mozillas_list_is_held_back() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let server = Server::with(Options {
        config: config(&pebble, None),
        ..Options::default()
    });
    let cluster = server.create("held");
    soon("the alarm", || {
        server
            .log()
            .contains("does not lead to a root of Mozilla's list")
            .then_some(())
    });
    let mut probe = Probe::connect(server.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the old one is still served");
    assert_eq!(pebble.issued(), 1);
    assert!(server.data().join("acme/ecdsa.held.pem").is_file());
}
