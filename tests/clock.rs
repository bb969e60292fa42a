//! Certificates while the server's clock is wrong, by Debian's libfaketime. Without that or Pebble
//! a test prints "not run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate_e2e::acme::{DOMAIN, NAMES, ca, config, verified_leaf};
use tidegate_e2e::limits::{soon, within};
use tidegate_e2e::not_run;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::server::write;
use tidegate_e2e::{Options, Server};

/// Timeout for something that the server does when it next compares its clock, every 30 s.
const NEXT_CHECK: Duration = Duration::from_secs(90);

fn faketime() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let library = found
        .map(|dir| dir.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.is_file());
    if library.is_none() {
        not_run("libfaketime is not installed (script/setup test)");
    }
    library
}

/// A server whose clock differs from this machine's by the offset in `clock`.
struct Bench {
    server: Server,
    pebble: Pebble,
    clock: PathBuf,
    roots: PathBuf,
    _folder: tempfile::TempDir,
}

fn bench() -> Option<Bench> {
    let library = faketime()?;
    let pebble = Pebble::start(Wanted::default())?;
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let clock = write(folder.path(), "clock", "+0\n");
    let env = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // The clock of waits and deadlines is not changed.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let server = Server::with(Options {
        config: config(&pebble, NAMES, &ca(&pebble, &roots)),
        env,
        ..Options::default()
    });
    Some(Bench {
        server,
        pebble,
        clock,
        roots,
        _folder: folder,
    })
}

impl Bench {
    fn set(&self, offset: &str) {
        replace(&self.clock, offset);
    }

    /// Returns the served leaf, verified by this machine's clock, which is right.
    fn login(&self) -> Result<Vec<u8>, String> {
        verified_leaf(self.server.addr(), &self.roots, DOMAIN)
    }

    fn status(&self) -> Value {
        self.server.json(&["cert", "status"])
    }

    fn alarmed_of(&self, words: &str) -> bool {
        self.status()["alarms"]
            .as_array()
            .unwrap()
            .iter()
            .any(|alarm| alarm.as_str().unwrap().contains(words))
    }
}

/// Replaces the file in one step: the server's libfaketime reads it whenever it asks for the time.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, format!("{text}\n")).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn by_a_clock_of_the_past_nothing_is_ordered_and_the_certificate_stays() {
    let Some(bench) = bench() else { return };
    let leaf = within(NEXT_CHECK, "a certificate", || bench.login().ok());
    bench.set("-3000d");
    let said = bench.server.fail(&["cert", "renew"]);
    assert!(said.contains("clock"), "{said}\n{}", bench.server.log());
    assert!(
        bench.alarmed_of("no certificate is ordered") && bench.alarmed_of("not valid yet"),
        "{}",
        bench.status()
    );
    bench.server.wait_log("certificate alarm");
    assert_eq!(bench.login().unwrap(), leaf);
    assert_eq!(bench.pebble.orders(), 1);
    let said = bench.server.fail(&["cert", "check"]);
    assert!(said.contains("clock"), "{said}");
    // Once the clock is right, the requested renewal is made, and no alarm is left.
    bench.set("+0");
    within(NEXT_CHECK, "the renewal that was asked for", || {
        (bench.login().unwrap() != leaf).then_some(())
    });
    soon("no alarm", || {
        (bench.status()["alarms"].as_array().unwrap().is_empty()).then_some(())
    });
    assert_eq!(bench.pebble.orders(), 2);
}

#[test]
fn by_a_clock_of_the_future_the_ca_is_not_stormed_and_the_certificate_stays() {
    let Some(bench) = bench() else { return };
    let leaf = within(NEXT_CHECK, "a certificate", || bench.login().ok());
    bench.set("+4000d");
    within(NEXT_CHECK, "an attempt that failed", || {
        (!bench.status()["acme"]["certificates"][0]["last_error"].is_null()).then_some(())
    });
    assert!(bench.alarmed_of("has expired"), "{}", bench.status());
    // By the wrong clock the new certificate has expired, so it is held back, and the next attempt
    // waits.
    let status = bench.status();
    let kept = &status["acme"]["certificates"][0];
    assert_eq!(
        (&kept["held"], &kept["last_error"]["step"]),
        (&true.into(), &"judge".into()),
        "{status}"
    );
    assert!(
        kept["next_attempt"].as_str().unwrap() > kept["last_error"]["at"].as_str().unwrap(),
        "{status}"
    );
    assert_eq!(bench.login().unwrap(), leaf, "the old one is served");
    assert_eq!(bench.pebble.orders(), 2);
    // Once the clock is right, the certificate that was held back is served.
    bench.set("+0");
    within(NEXT_CHECK, "the new certificate", || {
        (bench.login().unwrap() != leaf).then_some(())
    });
    soon("no alarm", || {
        (bench.status()["alarms"].as_array().unwrap().is_empty()).then_some(())
    });
    assert_eq!(bench.pebble.orders(), 2);
}
