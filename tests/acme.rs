//! Certificates by ACME, against a real ACME server. Without Pebble a test prints "not run" and
//! passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tidegate_e2e::acme::{Bench, DOMAIN, NAMES, config, directory_keys, ordinary};
use tidegate_e2e::limits::{SOON, soon, within};
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::server::write;
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::Response;
use tidegate_e2e::{Cluster, Options, Server, tls, wire};

/// Starts Pebble and a server whose cluster accepts many sessions.
fn bench(wanted: Wanted) -> Option<Bench> {
    ordinary(wanted, "[cluster]\nconnections_max = 400\n")
}

/// Waits until a certificate of the CA is served. Panics with both logs if the order fails.
fn wait_certificate(bench: &Bench) -> Vec<u8> {
    soon("a certificate of the CA", || {
        assert!(
            !bench.server.log().contains("certificate alarm"),
            "{}\n{}",
            bench.server.log(),
            bench.pebble.log()
        );
        bench.login(DOMAIN).ok()
    })
}

fn mode_of(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).unwrap();
    metadata.permissions().mode() & 0o777
}

#[test]
fn a_certificate_is_got_served_and_kept_across_restarts() {
    let Some(mut bench) = bench(Wanted::default()) else {
        return;
    };
    let leaf = wait_certificate(&bench);
    assert_eq!(mode_of(&bench.pair()), 0o600);
    assert_eq!(mode_of(bench.pair().parent().unwrap()), 0o700);
    assert_eq!(bench.pebble.issued(), 1);
    for _ in 0..3 {
        bench.server.restart();
        assert_eq!(bench.login(DOMAIN).unwrap(), leaf, "the stored one");
    }
    assert_eq!(
        (bench.pebble.orders(), bench.pebble.issued()),
        (1, 1),
        "a valid pair is never ordered again"
    );
}

/// Opens a session that has verified the domain's certificate.
fn session(bench: &Bench, cluster: &Cluster) -> Session {
    let config = tls::verified(&bench.roots, tls::BOTH);
    let mut probe = Probe::secured_for(bench.server.addr(), config, DOMAIN).unwrap();
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
    wait_certificate(&bench);
    let cluster = bench.server.create("load");
    let stop = AtomicBool::new(false);
    let queries = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SESSIONS {
            let mut session = session(&bench, &cluster);
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
        // The sessions must end even if a renewal fails, or the scope would wait for them forever.
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

/// Asserts that new handshakes see each new leaf that is on disk, and prints the longest delay.
fn renew_ten_times(bench: &mut Bench) {
    let mut seen = bench.wait();
    let mut slowest = std::time::Duration::ZERO;
    for renewal in 0..10 {
        let leaf = within(SOON, "the next certificate", || {
            let leaf = CertificateDer::from_pem_file(bench.pair()).ok()?.to_vec();
            (leaf != seen).then_some(leaf)
        });
        let since = std::time::Instant::now();
        soon("new handshakes see it", || match bench.login(DOMAIN) {
            Ok(served) => (served == leaf).then_some(()),
            // On a busy machine a renewal may come later than the end of such a short life.
            Err(error) => {
                assert!(error.contains("xpired"), "{error}");
                None
            }
        });
        slowest = slowest.max(since.elapsed());
        seen = leaf;
        if renewal == 4 {
            // Another root, another issuer, and a CA that has forgotten our account and its
            // certificates.
            bench.pebble.stop();
            bench.pebble.run();
            bench.trust_new_root();
        }
    }
    println!("new handshakes saw a new leaf at most {slowest:?} after it was on disk");
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
    wait_certificate(&bench);
    assert_eq!(bench.pebble.orders(), 1);
}

#[test]
fn a_chain_that_does_not_end_in_mozillas_list_is_held_back() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let server = Server::with(Options {
        config: config(&pebble, NAMES, &directory_keys(&pebble)),
        ..Options::default()
    });
    let cluster = server.create("held");
    soon("the alarm", || {
        server
            .log()
            .contains("does not lead to a root of Mozilla's list")
            .then_some(())
    });
    // The local CA's certificate is still served.
    Probe::secured(server.addr(), tls::verified(&cluster.ca, tls::BOTH));
    assert_eq!(pebble.issued(), 1);
    assert!(server.data().join("acme/ecdsa.held.pem").is_file());
}

#[test]
fn one_name_for_database_and_console_is_refused() {
    for (domain, covered) in [
        ("console.example.com", "console.example.com"),
        ("*.example.com", "*.example.com"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = write(
            folder.path(),
            "test.toml",
            "[acme]\nchallenges = [\"dns-01\"]\ndns_hook = \"/bin/true\"\n",
        );
        let out = std::process::Command::new(tidegate_e2e::server::binary())
            .args(["config", "check", "--data"])
            .arg(folder.path())
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        assert!(out.status.success());
        let out = std::process::Command::new(tidegate_e2e::server::binary())
            .args([
                "serve",
                "--domain",
                domain,
                "--console-domain",
                "console.example.com",
                "--data",
            ])
            .arg(folder.path())
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(
            out.status.code() == Some(2) && said.contains(covered),
            "{said}"
        );
    }
}
