//! Files of ACME in the data directory: pairs of key and certificate, records, the history; and
//! their loss, and full disks. Against a real ACME server; where Pebble is missing, a test says
//! "not run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::io::Write;
use std::path::PathBuf;
use tidegate_e2e::acme::{DOMAIN, ca, ordinary};
use tidegate_e2e::limits::soon;
use tidegate_e2e::not_run;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::probe::Probe;
use tidegate_e2e::server::write;
use tidegate_e2e::{Options, Server, tls, wire};

#[test]
fn the_history_survives_restarts() {
    let Some(mut bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    bench.wait();
    let out = bench.server.cli(&["cert", "renew"]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    bench.pebble.stop();
    assert!(!bench.server.cli(&["cert", "renew"]).status.success());
    let history = bench.status()["history"].clone();
    let words = |history: &serde_json::Value| -> Vec<String> {
        history
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["what"].as_str().unwrap().to_owned())
            .collect()
    };
    // Latest first: the CA that is down, its two certificates, and the local CA's before them.
    assert_eq!(
        words(&history),
        ["alarm", "served", "served", "served"],
        "{history}"
    );
    assert_eq!(history[1]["serial"], bench.serial());
    assert_ne!(history[1]["serial"], history[2]["serial"]);
    assert!(
        history[0]["reason"]
            .as_str()
            .unwrap()
            .contains("can't be reached"),
        "{history}"
    );
    for _ in 0..2 {
        assert_eq!(bench.server.stop(), 0);
        bench.server.run();
        assert_eq!(bench.status()["history"], history, "a restart is no news");
    }
    let file = bench.server.data().join("tls/history.json");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = bench.server.cli(&["cert", "status"]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("history  "),
        "{text:?}"
    );
}

/// A small file system where what ACME keeps will lie. Unmounted before the server's folder goes,
/// whatever a test says.
struct Mounted(PathBuf);

impl Mounted {
    fn new(folder: &std::path::Path, size: &str) -> Option<Self> {
        let acme = folder.join("data/acme");
        std::fs::create_dir_all(&acme).unwrap();
        std::fs::set_permissions(
            folder.join("data"),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        let size = format!("size={size}");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(&acme)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            not_run("no file system can be mounted here");
            return None;
        }
        Some(Self(acme))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

fn rand() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn nothing_is_ordered_without_a_disk_to_keep_it_on() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let folder = tempfile::Builder::new()
        .prefix("tidegate-e2e-")
        .tempdir()
        .unwrap()
        .keep();
    let Some(mounted) = Mounted::new(&folder, "16k") else {
        return;
    };
    let acme = mounted.0.clone();
    // Full: not a byte more.
    while std::fs::write(acme.join(format!("fill-{}", rand())), [0; 4096]).is_ok() {}
    let roots = write(&folder, "roots.pem", &pebble.root());
    let own = ca(&pebble, &roots);
    let config = format!(
        "[acme]\ndomains = [\"{DOMAIN}\"]\nhttp_listen = [\"127.0.0.1:{}\"]\n{own}",
        pebble.http
    );
    let server = Server::at(
        folder.clone(),
        Options {
            config,
            ..Options::default()
        },
    );
    let told = || {
        server
            .log()
            .contains("the storage can't be used")
            .then_some(())
    };
    soon("the alarm of a full disk", told);
    let remount = |how: &str| {
        std::process::Command::new("mount")
            .args(["-o", how])
            .arg(&acme)
            .status()
    };
    let ordered = pebble.orders();
    let _ = remount("remount,ro,size=16k");
    let renewed = server.cli(&["cert", "renew"]);
    let after = pebble.orders();
    let read_only = server.json(&["cert", "status"]);
    drop(mounted);
    assert_eq!(
        (ordered, after),
        (0, 0),
        "no order on a full disk nor on one that is read-only"
    );
    assert!(!renewed.status.success());
    assert!(
        read_only["alarms"][0].as_str().unwrap().contains("storage"),
        "{read_only}"
    );
}

#[test]
fn a_disk_that_fills_up_keeps_the_old_certificate_until_there_is_room() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let folder = tempfile::Builder::new()
        .prefix("tidegate-e2e-")
        .tempdir()
        .unwrap()
        .keep();
    let Some(mounted) = Mounted::new(&folder, "128k") else {
        return;
    };
    let acme = mounted.0.clone();
    let roots = write(&folder, "roots.pem", &pebble.root());
    let own = ca(&pebble, &roots);
    let config = format!(
        "[acme]\ndomains = [\"{DOMAIN}\"]\nhttp_listen = [\"127.0.0.1:{}\"]\n{own}",
        pebble.http
    );
    let server = Server::at(
        folder.clone(),
        Options {
            config,
            ..Options::default()
        },
    );
    let login = || {
        let mut probe = Probe::connect(server.addr());
        probe.write(1, &wire::ssl_request(wire::ORDINARY));
        probe
            .upgrade(tls::verified(&roots, tls::BOTH), DOMAIN)
            .ok()?;
        Some(probe.tls().peer_certificates().unwrap()[0].to_vec())
    };
    let leaf = soon("a certificate", login);
    soon("the order is put away", || {
        (!acme.join("ecdsa.pending.pem").exists()).then_some(())
    });
    let fill = acme.join("fill");
    let mut file = std::fs::File::create(&fill).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    drop(file);
    let out = server.cli(&["cert", "renew"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains("storage"), "{said}");
    assert_eq!(
        (login().unwrap(), pebble.orders()),
        (leaf.clone(), 1),
        "served on, and nothing ordered"
    );
    // The alarm stands already: who asks again is told all the same.
    assert!(!server.cli(&["cert", "renew"]).status.success());
    std::fs::remove_file(&fill).unwrap();
    let out = server.cli(&["cert", "renew"]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_ne!(login().unwrap(), leaf);
    let status = server.json(&["cert", "status"]);
    drop(mounted);
    drop(server);
    assert_eq!(status["alarms"].as_array().unwrap().len(), 0, "{status}");
}

#[test]
fn a_lost_pair_is_got_anew_and_a_lost_record_orders_nothing() {
    let Some(mut bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    let leaf = bench.wait();
    let pair = bench.server.data().join("acme/ecdsa.pem");
    // What was tried and when is lost: a valid pair is not ordered for that.
    assert_eq!(bench.server.stop(), 0);
    std::fs::write(bench.server.data().join("acme/ecdsa.json"), "rubbish").unwrap();
    bench.server.run();
    assert_eq!(
        (bench.login(DOMAIN).unwrap(), bench.pebble.orders()),
        (leaf.clone(), 1)
    );
    // The pair itself is gone: that is an order as for the first one. A record that was lost counts
    // as a failure just now; by command that wait is left out.
    assert_eq!(bench.server.stop(), 0);
    std::fs::remove_file(&pair).unwrap();
    bench.server.run();
    let out = bench.server.cli(&["cert", "renew"]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let second = bench.wait();
    assert_ne!(second, leaf);
    assert_eq!(bench.pebble.orders(), 2, "{}", bench.server.log());
    // It is no pair any more: the same, at once.
    assert_eq!(bench.server.stop(), 0);
    std::fs::write(&pair, "rubbish").unwrap();
    bench.server.run();
    assert_ne!(bench.wait(), second);
    assert_eq!(bench.pebble.orders(), 3, "{}", bench.server.log());
    bench.wait_log("the stored certificate can't be read");
}

#[test]
fn a_certificate_that_ended_while_the_server_was_off_is_served_until_the_next_is_there() {
    let Some(mut bench) = ordinary(
        Wanted {
            life: 8,
            ..Wanted::default()
        },
        "",
    ) else {
        return;
    };
    bench.wait();
    assert_eq!(bench.server.stop(), 0);
    bench.pebble.stop();
    let pair = bench.server.data().join("acme/ecdsa.pem");
    let kept = || std::fs::read(&pair).unwrap();
    let ended = kept();
    std::thread::sleep(std::time::Duration::from_secs(9));
    bench.server.run();
    // Clients that verify name the cause themselves.
    let error = bench.login(DOMAIN).unwrap_err();
    assert!(error.contains("xpired"), "{error}");
    let status = soon("the alarms", || {
        let status = bench.status();
        (status["alarms"].as_array().unwrap().len() == 2).then_some(status)
    });
    let alarms = status["alarms"].to_string();
    assert!(
        alarms.contains("has expired") && alarms.contains("can't be reached"),
        "{alarms}"
    );
    assert_eq!(kept(), ended, "it stays as long as there is no better one");
    bench.pebble.run();
    let both = std::fs::read_to_string(&bench.roots).unwrap() + &bench.pebble.root();
    std::fs::write(&bench.roots, both).unwrap();
    let out = bench.server.cli(&["cert", "renew"]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    bench.wait();
}

#[test]
fn every_certificate_has_a_key_of_its_own() {
    let Some(bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    bench.wait();
    let key = || {
        let text = std::fs::read_to_string(bench.server.data().join("acme/ecdsa.pem")).unwrap();
        text[text.find("-----BEGIN PRIVATE").unwrap()..].to_owned()
    };
    let first = key();
    assert!(bench.server.cli(&["cert", "renew"]).status.success());
    assert_ne!(key(), first);
}
