//! Files of ACME in the data directory: pairs of key and certificate, records, the history. What
//! happens when they are lost or the disk is full. Runs against a real ACME server; without Pebble
//! a test prints "not run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::os::unix::fs::PermissionsExt;
use tidegate_e2e::acme::{Bench, DOMAIN, NAMES, bench_at, ordinary};
use tidegate_e2e::certificates::{Company, VALID};
use tidegate_e2e::limits::soon;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::server::new_folder;
use tidegate_e2e::small_disk::SmallDisk;

#[test]
fn the_history_survives_restarts() {
    let Some(mut bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    bench.wait();
    bench.renew();
    bench.pebble.stop();
    bench.server.fail(&["cert", "renew"]);
    let history = bench.status()["history"].clone();
    let changes: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["what"])
        .collect();
    // Latest first: the CA that is down, its two certificates, and the local CA's before them.
    assert_eq!(
        changes,
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
        bench.server.restart();
        assert_eq!(bench.status()["history"], history, "a restart adds nothing");
    }
    let file = bench.server.data().join("tls/history.json");
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = bench.server.cli(&["cert", "status"]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("history  "),
        "{text:?}"
    );
}

/// Starts Pebble and a server that keeps its certificates on a small disk, which is full from the
/// beginning if `is_full`.
fn bench_on_small_disk(size: &str, is_full: bool) -> Option<(Bench, SmallDisk)> {
    let pebble = Pebble::start(Wanted::default())?;
    let folder = new_folder();
    let disk = SmallDisk::mount(&folder, "data/acme", size)?;
    if is_full {
        disk.fill();
    }
    Some((bench_at(folder, pebble, NAMES, ""), disk))
}

#[test]
fn nothing_is_ordered_without_a_disk_to_keep_it_on() {
    let Some((bench, disk)) = bench_on_small_disk("16k", true) else {
        return;
    };
    bench.wait_log("the storage can't be used");
    assert_eq!(bench.pebble.orders(), 0, "on a full disk");
    disk.forbid_writes("16k");
    bench.server.fail(&["cert", "renew"]);
    assert_eq!(bench.pebble.orders(), 0, "on a read-only disk");
    let status = bench.status();
    assert!(
        status["alarms"][0].as_str().unwrap().contains("storage"),
        "{status}"
    );
    drop(disk);
}

#[test]
fn a_disk_that_fills_up_keeps_the_old_certificate_until_there_is_room() {
    let Some((bench, disk)) = bench_on_small_disk("128k", false) else {
        return;
    };
    let leaf = bench.wait();
    soon("the order is finished", || {
        let pending = disk.path().join("ecdsa.pending.pem");
        (!pending.exists()).then_some(())
    });
    disk.fill();
    let said = bench.server.fail(&["cert", "renew"]);
    assert!(said.contains("storage"), "{said}");
    assert_eq!(bench.login(DOMAIN).unwrap(), leaf, "it is still served");
    assert_eq!(bench.pebble.orders(), 1);
    // The alarm is raised already, and a second command fails in the same way.
    bench.server.fail(&["cert", "renew"]);
    std::fs::remove_file(disk.filler()).unwrap();
    bench.renew();
    assert_ne!(bench.login(DOMAIN).unwrap(), leaf);
    let status = bench.status();
    assert_eq!(status["alarms"].as_array().unwrap().len(), 0, "{status}");
    drop(disk);
}

#[test]
fn a_lost_pair_is_ordered_again_and_a_lost_record_orders_nothing() {
    let Some(mut bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    let leaf = bench.wait();
    let pair = bench.pair();
    // The record of the attempts is lost: that alone orders nothing, since the pair is valid.
    assert_eq!(bench.server.stop(), 0);
    std::fs::write(bench.server.data().join("acme/ecdsa.json"), "rubbish").unwrap();
    bench.server.run();
    assert_eq!(
        (bench.login(DOMAIN).unwrap(), bench.pebble.orders()),
        (leaf.clone(), 1)
    );
    // The pair itself is lost: it is ordered as the first one was. A lost record counts as a
    // failure just now, and an order by command does not wait for that.
    assert_eq!(bench.server.stop(), 0);
    std::fs::remove_file(&pair).unwrap();
    bench.server.run();
    bench.renew();
    let second = bench.wait();
    assert_ne!(second, leaf);
    assert_eq!(bench.pebble.orders(), 2, "{}", bench.server.log());
    // The file is no pair any more: it is ordered at once.
    assert_eq!(bench.server.stop(), 0);
    std::fs::write(&pair, "rubbish").unwrap();
    bench.server.run();
    assert_ne!(bench.wait(), second);
    assert_eq!(bench.pebble.orders(), 3, "{}", bench.server.log());
    bench.wait_log("the stored certificate can't be read");
}

#[test]
fn a_pair_that_another_program_stores_is_served_unless_clients_would_refuse_it() {
    let Some(bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    let first = bench.wait();
    let pair = bench.pair();
    let stored = std::fs::read(&pair).unwrap();
    bench.renew();
    assert_ne!(bench.wait(), first);
    // As from a backup, or by another server with the same name.
    std::fs::write(&pair, stored).unwrap();
    soon("the pair of the other program", || {
        (bench.login(DOMAIN).ok()? == first).then_some(())
    });
    let folder = tempfile::tempdir().unwrap();
    Company::new()
        .leaf_with(VALID, &["other.example.com"])
        .write(folder.path());
    let parts = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let other = parts.map(|path| std::fs::read_to_string(path).unwrap());
    std::fs::write(&pair, other.concat()).unwrap();
    bench.wait_log("new certificate rejected; the old one stays in use");
    bench.login(DOMAIN).unwrap();
    let history = bench.status()["history"].to_string();
    assert!(
        history.contains("rejected") && history.contains("other.example.com"),
        "{history}"
    );
}

#[test]
fn a_certificate_that_expired_while_the_server_was_off_is_served_until_the_next_is_there() {
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
    let expired = std::fs::read(bench.pair()).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(9));
    bench.server.run();
    // A client that verifies the certificate reports why it fails.
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
    let stored = std::fs::read(bench.pair()).unwrap();
    assert_eq!(stored, expired, "it stays until there is a valid one");
    bench.pebble.run();
    bench.trust_new_root();
    bench.renew();
    bench.wait();
}

/// Returns the stored private key.
fn key_of(bench: &Bench) -> String {
    let text = std::fs::read_to_string(bench.pair()).unwrap();
    text[text.find("-----BEGIN PRIVATE").unwrap()..].to_owned()
}

#[test]
fn every_certificate_has_its_own_key() {
    let Some(bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    bench.wait();
    let first = key_of(&bench);
    bench.renew();
    assert_ne!(key_of(&bench), first);
}
