//! Orders that a CA works on for longer than an attempt lasts. Runs against a real ACME server
//! behind a proxy that delays its answers; without Pebble a test prints "not run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use serde_json::Value;
use std::path::PathBuf;
use tidegate_e2e::acme::{DOMAIN, NAMES, ca, config, verified_leaf};
use tidegate_e2e::limits::soon;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::server::write;
use tidegate_e2e::slow_ca::SlowCa;
use tidegate_e2e::{Options, Server};

struct Bench {
    pebble: Pebble,
    slow: SlowCa,
    server: Server,
    roots: PathBuf,
    _folder: tempfile::TempDir,
}

/// Starts a server whose CA works on its orders, with this Retry-After.
fn bench(retry_after: &str) -> Option<Bench> {
    let pebble = Pebble::start(Wanted::default())?;
    let slow = SlowCa::start(&pebble, retry_after);
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let keys = ca(&pebble, &roots).replace(&pebble.directory(), &slow.directory());
    let server = Server::with(Options {
        config: config(&pebble, NAMES, &keys),
        ..Options::default()
    });
    Some(Bench {
        pebble,
        slow,
        server,
        roots,
        _folder: folder,
    })
}

impl Bench {
    fn record_file(&self) -> PathBuf {
        self.server.data().join("acme/ecdsa.json")
    }

    fn record(&self) -> Value {
        let text = std::fs::read_to_string(self.record_file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn wait_certificate(&self) {
        soon("a certificate of the CA", || {
            verified_leaf(self.server.addr(), &self.roots, DOMAIN).ok()
        });
    }
}

/// Returns a time in seconds: `when` as `date -d` reads it, in this format.
fn date(when: &str, format: &str) -> String {
    let out = std::process::Command::new("date")
        .args(["-u", "-d", when, format])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_order_that_the_ca_works_on_is_kept_over_restarts_until_it_is_issued() {
    let later = date("+3 hours", "+%a, %d %b %Y %H:%M:%S GMT");
    let at: i64 = date(&later, "+%s").parse().unwrap();
    let Some(mut bench) = bench(&later) else {
        return;
    };
    let record = soon("the CA works on the order", || {
        Some(bench.record()).filter(|record| record["waiting_since"].is_i64())
    });
    assert!(record["pending"].is_object(), "{record}");
    let next = record["next_attempt"].as_i64().unwrap();
    assert!((at - 5..=at).contains(&next), "{record}, and not {at}");
    assert_eq!(record["failures"], 0, "{record}");
    // The time has not come yet, and a restart does not shorten it.
    let asked = bench.slow.asked();
    for _ in 0..2 {
        bench.server.restart();
        assert_eq!(bench.record()["next_attempt"], next);
    }
    assert_eq!(bench.slow.asked(), asked);
    let status = bench.server.json(&["cert", "status"]);
    let alarms = status["alarms"].to_string();
    assert!(alarms.contains("still works on the order"), "{status}");
    assert_eq!(status["acme"]["certificates"][0]["failures"], 0, "{status}");
    // More often than orders may be placed in a week.
    for asked in 1..=5 {
        let said = bench.server.fail(&["cert", "renew"]);
        assert!(said.contains("still works on the order"), "{asked}: {said}");
    }
    assert!(
        bench.slow.asked() > asked,
        "an operator's request asks the CA"
    );
    assert_eq!(bench.pebble.orders(), 1);
    bench.slow.finish();
    assert_eq!(bench.server.stop(), 0);
    let mut record = bench.record();
    record["next_attempt"] = 1.into();
    std::fs::write(bench.record_file(), record.to_string()).unwrap();
    bench.server.run();
    bench.wait_certificate();
    assert_eq!((bench.pebble.orders(), bench.pebble.issued()), (1, 1));
    let record = soon("the order is over", || {
        Some(bench.record()).filter(|record| record["pending"].is_null())
    });
    assert!(record["waiting_since"].is_null(), "{record}");
    let status = bench.server.json(&["cert", "status"]);
    assert_eq!(status["alarms"].as_array().unwrap().len(), 0, "{status}");
}

#[test]
fn an_order_whose_ca_is_unreachable_for_a_moment_is_continued() {
    let Some(bench) = bench("1") else {
        return;
    };
    soon("the order is finalized", || {
        (bench.slow.asked() > 0).then_some(())
    });
    bench.slow.set_gone(true);
    bench.server.wait_log("no certificate from");
    bench.slow.set_gone(false);
    bench.slow.finish();
    bench.server.succeed(&["cert", "renew"]);
    bench.wait_certificate();
    assert_eq!((bench.pebble.orders(), bench.pebble.issued()), (1, 1));
}
