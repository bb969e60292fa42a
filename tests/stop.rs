//! A stop of a server with many awake clusters.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::time::Instant;
use tidegate_e2e::Server;

/// Clusters that are awake when the server stops, in a usual run. `script/test all` sets more. A
/// stop of 2,000 is tested without engines (`many_clusters` of the room `control`).
const AWAKE: usize = 16;

/// Memory of one engine, and a little more.
const ENGINE_KB: usize = 80 << 10;

/// Memory that is free at the moment, in KB.
fn available_kb() -> usize {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// As many as were asked for, if half of the free memory is enough for them.
fn awake() -> usize {
    let wanted = std::env::var("TIDEGATE_TEST_AWAKE").ok();
    let wanted = wanted.and_then(|n| n.parse().ok()).unwrap_or(AWAKE);
    wanted.min(available_kb() / 2 / ENGINE_KB)
}

/// Runs commands for all clusters, a few at a time.
fn for_all(server: &Server, count: usize, args: &[&str]) {
    std::thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || {
                for n in (part..count).step_by(4) {
                    let out = server.cli(&[args, &[&format!("c{n}")]].concat());
                    assert!(
                        out.status.success(),
                        "{args:?} {n}: {}",
                        String::from_utf8_lossy(&out.stderr)
                    );
                }
            });
        }
    });
}

#[test]
fn a_stop_with_many_awake_clusters_ends_each_cleanly() {
    let count = awake();
    let mut server = Server::start();
    for_all(&server, count, &["cluster", "create"]);
    let began = Instant::now();
    for_all(&server, count, &["cluster", "wake"]);
    assert_eq!(server.engines().len(), count);
    server.wait_log("engine started");
    println!("{count} awake after {:?}", began.elapsed());
    let log = server.log();
    let began = Instant::now();
    assert_eq!(server.stop(), 0);
    println!("stopped after {:?}", began.elapsed());
    let said = server.log()[log.len()..].to_owned();
    for bad in [
        "did not end in time",
        "did not stop in time",
        "without a last reading",
    ] {
        assert!(!said.contains(bad), "{bad}:\n{said}");
    }
    assert_eq!(server.engines(), Vec::<u32>::new());
    let before = server.log().len();
    server.run();
    let clusters = server.json(&["cluster", "list"]);
    let clusters = clusters.as_array().expect("a list");
    assert_eq!(clusters.len(), count);
    assert!(
        clusters.iter().all(|cluster| cluster["state"] == "asleep"),
        "{clusters:?}"
    );
    assert!(server.engines().is_empty());
    let said = server.log()[before..].to_owned();
    assert!(
        !said.contains("engine started"),
        "nothing was recovered:\n{said}"
    );
}
