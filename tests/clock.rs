//! Certificates by a clock that is wrong: Debian's libfaketime tells the server another time than
//! it is. Where it or Pebble is missing a test says "not run" and passes.

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
use tidegate_e2e::limits::{soon, within};
use tidegate_e2e::not_run;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::probe::Probe;
use tidegate_e2e::server::write;
use tidegate_e2e::{Options, Server, tls, wire};

const DOMAIN: &str = "db.example.com";

/// Above the manager's 30 s between two looks.
const LOOK: Duration = Duration::from_secs(90);

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

/// A server whose clock is this machine's and so much more or less.
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
        // Waits and deadlines are measured as ever.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let config = format!(
        "[acme]\ndomains = [\"{DOMAIN}\"]\ndirectory = \"{}\"\ndirectory_ca = \"{}\"\n\
         roots = \"{}\"\n\
         profile = \"default\"\nhttp_listen = [\"127.0.0.1:{}\"]\n",
        pebble.directory(),
        pebble.directory_ca().display(),
        roots.display(),
        pebble.http
    );
    let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let server = Server::with(Options {
        config,
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

    /// By the test's own clock, which is right.
    fn login(&self) -> Result<Vec<u8>, String> {
        let mut probe = Probe::connect(self.server.addr());
        probe.write(1, &wire::ssl_request(wire::ORDINARY));
        probe
            .upgrade(tls::verified(&self.roots, tls::BOTH), DOMAIN)
            .map_err(|e| e.to_string())?;
        Ok(probe.tls().peer_certificates().unwrap()[0].to_vec())
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

/// Never half written: the server reads it at every look at the clock.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, format!("{text}\n")).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn by_a_clock_of_the_past_nothing_is_ordered_and_the_certificate_stays() {
    let Some(bench) = bench() else { return };
    let leaf = within(LOOK, "a certificate", || bench.login().ok());
    bench.set("-3000d");
    let out = bench.server.cli(&["cert", "renew"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        !out.status.success() && said.contains("clock"),
        "{said}\n{}",
        bench.server.log()
    );
    assert!(
        bench.alarmed_of("no certificate is ordered") && bench.alarmed_of("not valid yet"),
        "{}",
        bench.status()
    );
    bench.server.wait_log("certificate alarm");
    assert_eq!(bench.login().unwrap(), leaf);
    assert_eq!(bench.pebble.orders(), 1);
    let check = bench.server.cli(&["cert", "check"]);
    assert!(
        !check.status.success() && String::from_utf8_lossy(&check.stderr).contains("clock"),
        "{check:?}"
    );
    // Set right, what was asked for is done, and no alarm is left.
    bench.set("+0");
    within(LOOK, "the renewal that was asked for", || {
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
    let leaf = within(LOOK, "a certificate", || bench.login().ok());
    bench.set("+4000d");
    within(LOOK, "an attempt that failed", || {
        (!bench.status()["acme"]["certificates"][0]["last_error"].is_null()).then_some(())
    });
    assert!(bench.alarmed_of("has expired"), "{}", bench.status());
    // What came is valid by no clock that says so: it is kept back, and the next attempt waits.
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
    // Set right, the one that was kept back is as good as any.
    bench.set("+0");
    within(LOOK, "the new certificate", || {
        (bench.login().unwrap() != leaf).then_some(())
    });
    assert!(
        bench.status()["alarms"].as_array().unwrap().is_empty(),
        "{}",
        bench.status()
    );
    assert_eq!(bench.pebble.orders(), 2);
}
