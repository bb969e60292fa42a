//! Certificate files of an operator's own: watched, swapped without a dropped connection, and never
//! replaced by a pair that does not fit.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tidegate_e2e::acme::verified_leaf;
use tidegate_e2e::certificates::{Company, EXPIRED, VALID, write_private};
use tidegate_e2e::clients::{mariadb, mysql9_command};
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::Probe;
use tidegate_e2e::session::Session;
use tidegate_e2e::{Cluster, Options, Server, tls};

struct Bench {
    server: Server,
    files: PathBuf,
    company: Company,
    _folder: tempfile::TempDir,
}

/// A server whose certificate is a company's, with this validity.
fn bench(years: tidegate_e2e::certificates::Years) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().to_owned();
    let company = Company::new();
    company.leaf(years).write(&files);
    std::fs::write(files.join("ca.pem"), company.pem()).unwrap();
    let config = format!(
        "[tls]\ncertificate = \"{0}/chain.pem\"\nkey = \"{0}/key.pem\"\nca = \"{0}/ca.pem\"\n",
        files.display()
    );
    let server = Server::with(Options {
        config,
        ..Options::default()
    });
    Bench {
        server,
        files,
        company,
        _folder: folder,
    }
}

/// Returns the leaf that is served now, unverified.
fn served(server: &Server) -> Vec<u8> {
    Probe::secured(server.addr(), tls::unverified()).leaf()
}

/// Verifies the certificate with the roots of this file.
fn login(cluster: &Cluster, ca: &Path) -> Result<Vec<u8>, String> {
    verified_leaf(cluster.addr(), ca, "127.0.0.1")
}

#[test]
fn a_company_certificate_is_served_and_connect_names_its_ca() {
    let bench = bench(VALID);
    let cluster = bench.server.create("own");
    assert_eq!(cluster.ca, bench.files.join("ca.pem"));
    assert_eq!(mariadb(&cluster, "SELECT 4").expect(), "4");
}

#[test]
fn case_20_a_swap_under_load_drops_nothing() {
    let bench = bench(VALID);
    let cluster = bench.server.create("swap");
    let before = served(&bench.server);
    let stop = AtomicBool::new(false);
    let queries = AtomicU64::new(0);
    let logins = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut session = Session::open(&cluster);
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(session.value("SELECT 1"), "1");
                    queries.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let mut session = Session::open(&cluster);
                assert_eq!(session.value("SELECT 2"), "2");
                logins.fetch_add(1, Ordering::Relaxed);
            }
        });
        soon("load", || {
            (queries.load(Ordering::Relaxed) > 100 && logins.load(Ordering::Relaxed) > 3)
                .then_some(())
        });
        for _ in 0..3 {
            let leaf = bench.company.leaf(VALID);
            leaf.write(&bench.files);
            soon("the new leaf is served", || {
                (served(&bench.server) == leaf.der).then_some(())
            });
        }
        let asked = queries.load(Ordering::Relaxed);
        let entered = logins.load(Ordering::Relaxed);
        soon("the load goes on", || {
            let more = queries.load(Ordering::Relaxed) > asked + 50
                && logins.load(Ordering::Relaxed) > entered + 3;
            more.then_some(())
        });
        stop.store(true, Ordering::Relaxed);
    });
    assert_ne!(served(&bench.server), before);
}

#[test]
fn case_19_a_pair_that_does_not_fit_never_replaces_a_good_one() {
    let bench = bench(VALID);
    let cluster = bench.server.create("pair");
    let good = served(&bench.server);
    let one = bench.company.leaf(VALID);
    let two = bench.company.leaf(VALID);
    let chain = bench.files.join("chain.pem");
    let half = &one.certificate[..one.certificate.len() / 2];
    for (what, certificate, key) in [
        ("a key of another certificate", &*one.certificate, &*two.key),
        ("half a certificate", half, &one.key),
        ("nothing", "", &one.key),
        ("rubbish", "not a certificate\n", &one.key),
        (
            "an expired one",
            &bench.company.leaf(EXPIRED).certificate,
            &one.key,
        ),
    ] {
        let before = bench.server.log().len();
        write_private(&bench.files.join("key.pem"), key);
        write_private(&chain, certificate);
        // The log line shows that the files were read.
        soon(&format!("{what}: the log says that it is rejected"), || {
            let log = bench.server.log();
            let new = log.get(before..)?;
            (new.contains("WARN") || new.contains("ERROR")).then_some(())
        });
        assert_eq!(served(&bench.server), good, "{what}");
        let alarms = bench.server.json(&["cert", "status"])["alarms"].to_string();
        assert!(alarms.contains("rejected"), "{what}: {alarms}");
        login(&cluster, &cluster.ca).unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let last = bench.company.leaf(VALID);
    last.write(&bench.files);
    soon("a good pair is taken again", || {
        (served(&bench.server) == last.der).then_some(())
    });
    let status = bench.server.json(&["cert", "status"]);
    assert_eq!(status["alarms"], serde_json::json!([]), "{status}");
    let served = status["history"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["what"] == "served")
        .count();
    assert_eq!(served, 2, "the first one and the last: {status}");
}

#[test]
fn an_expired_leaf_connects_no_verifying_client() {
    let bench = bench(EXPIRED);
    let cluster = bench.server.create("late");
    let why = login(&cluster, &cluster.ca).expect_err("expired");
    assert!(why.to_lowercase().contains("expired"), "{why}");
    let said = mariadb(&cluster, "SELECT 1");
    assert!(!said.ok && said.err.contains("expired"), "{said:?}");
    if let Some(mut command) = mysql9_command(&cluster, &[]) {
        let out = command.args(["-e", "SELECT 1"]).output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(
            !out.status.success() && text.contains("certificate verify failed"),
            "{text}"
        );
    }
}

#[test]
fn names_outside_the_constraints_are_left_out_with_a_warning() {
    let names = vec!["db.internal".to_owned()];
    let mut server = Server::with(Options {
        names,
        ..Options::default()
    });
    let cluster = server.create("names");
    let trusting = tls::verified(&cluster.ca, tls::BOTH);
    Probe::secured_for(cluster.addr(), trusting.clone(), "db.internal")
        .expect("a name that was given");
    assert_eq!(server.stop(), 0);
    let ca = std::fs::read(&cluster.ca).unwrap();
    let options = Options {
        names: vec!["elsewhere.example.org".to_owned()],
        ..Options::default()
    };
    server.change(options);
    server.run();
    assert_eq!(std::fs::read(&cluster.ca).unwrap(), ca, "the CA is kept");
    login(&cluster, &cluster.ca).expect("the address is still in the certificate");
    assert!(Probe::secured_for(cluster.addr(), trusting, "elsewhere.example.org").is_err());
    // A warning with the name.
    server.wait_log("elsewhere.example.org");
}

#[test]
fn the_local_ca_is_kept_across_restarts() {
    let mut server = Server::start();
    let cluster = server.create("kept");
    let ca = std::fs::read(&cluster.ca).unwrap();
    assert_eq!(server.stop(), 0);
    server.run();
    assert_eq!(std::fs::read(&cluster.ca).unwrap(), ca);
    assert_eq!(mariadb(&cluster, "SELECT 8").expect(), "8");
}
