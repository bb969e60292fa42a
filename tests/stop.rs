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

/// Clusters that are awake when the server stops. Each engine takes about 60 MB.
fn awake() -> usize {
    std::env::var("TIDEGATE_TEST_AWAKE")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(200)
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
#[ignore = "two minutes, and 60 MB of memory for each of 200 engines"]
fn a_stop_with_hundreds_of_awake_clusters_ends_each_cleanly() {
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
