//! `tidegate check` against the product itself, and as a program: exit codes, JSON, secrets,
//! `--watch`. Findings at faulty endpoints are tested in its room.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

#[path = "../crates/check/tests/support/scan.rs"]
mod scan;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use tidegate_e2e::not_run;
use tidegate_e2e::ports::free_port;
use tidegate_e2e::server::{WRONG_HOST, binary};
use tidegate_e2e::{Cluster, Server};

/// Runs `tidegate check`, which needs neither a data directory nor a running server.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("check")
        .args(args)
        .env_remove("TIDEGATE_PASSWORD")
        .stdin(Stdio::null());
    command
}

fn run(cluster: &Cluster, host: &str, more: &[&str]) -> Output {
    let ca = cluster.ca.to_str().unwrap();
    let endpoint = format!("{host}:{}", cluster.port);
    let mut command = command(&[&[endpoint.as_str(), "--ca", ca, "--json"], more].concat());
    command
        .env("TIDEGATE_PASSWORD", &cluster.password)
        .output()
        .unwrap()
}

fn json(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stdout)))
}

fn text(finding: &Value, key: &str) -> String {
    finding[key].as_str().unwrap().to_owned()
}

/// All findings that are not `pass`, by id, with their evidence.
fn not_passed(report: &Value) -> Vec<(String, String, String)> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|f| f["verdict"] != "pass")
        .map(|f| (text(f, "id"), text(f, "verdict"), text(f, "evidence")))
        .collect()
}

#[test]
fn the_product_passes_everything_asleep_and_with_a_login() {
    let server = Server::start();
    let cluster = server.create("judged");
    server.sleep("judged");
    let out = run(&cluster, "localhost", &["--user", &cluster.user]);
    let report = json(&out);
    for (id, verdict, evidence) in not_passed(&report) {
        // The test's port is not 4000, a local CA is not Let's Encrypt, and port 443 of this
        // machine is not under test.
        let expected = matches!(
            (id.as_str(), verdict.as_str()),
            ("port", "warn") | ("pinned-root", "skip") | ("web" | "every-address", _)
        );
        assert!(expected, "{id}: {verdict}: {evidence}");
    }
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let connections = report["connections"].as_u64().unwrap();
    let counts = &report["counts"];
    assert!((15..=25).contains(&connections), "{connections}");
    assert_eq!(counts["fail"], 0);
    for secret in [&cluster.password, &cluster.password[4..]] {
        assert!(
            !String::from_utf8_lossy(&out.stdout).contains(secret),
            "the report has the password"
        );
        assert!(!server.log().contains(secret));
    }
}

#[test]
fn a_judge_without_the_password_wakes_nothing() {
    let server = Server::start();
    let cluster = server.create("quiet");
    server.sleep("quiet");
    let out = run(&cluster, "127.0.0.1", &[]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(server.engines(), Vec::<u32>::new());
    assert_eq!(server.state("quiet"), "asleep");
    let report = json(&out);
    let skipped: Vec<_> = not_passed(&report)
        .into_iter()
        .filter(|(_, _, why)| why == "no --user")
        .map(|f| f.0)
        .collect();
    assert_eq!(skipped, ["login", "database", "first-row", "denial"]);

    // The certificate is not for this host: no password is sent.
    let out = run(&cluster, WRONG_HOST, &["--user", &cluster.user]);
    assert_eq!(out.status.code(), Some(1));
    let found = not_passed(&json(&out));
    assert!(
        found
            .iter()
            .any(|(id, verdict, _)| id == "name" && verdict == "fail"),
        "{found:?}"
    );
    assert!(found.iter().any(|(id, verdict, why)| id == "login"
        && verdict == "skip"
        && why.contains("no login was sent")));
    assert_eq!(server.engines(), Vec::<u32>::new());
    // The same address under its correct name.
    let out = run(&cluster, WRONG_HOST, &["--name", "localhost"]);
    assert_eq!(out.status.code(), Some(0), "{:?}", not_passed(&json(&out)));
}

#[test]
fn sslscan_and_openssl_agree_about_the_product_and_no_limit_is_in_their_way() {
    let server = Server::start();
    let cluster = server.create("scanned");
    let report = json(&run(&cluster, "localhost", &[]));
    let ask = |id: &str| {
        let found = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["id"] == id)
            .unwrap();
        (
            found["verdict"].as_str().unwrap().to_owned(),
            found["evidence"].as_str().unwrap().to_owned(),
        )
    };
    scan::openssl_agrees(cluster.port, &cluster.ca, &ask);
    // Each run opens some ninety connections from one address; afterwards logins must still work.
    for _ in 0..2 {
        match scan::Scan::of(cluster.port, "localhost") {
            Some(scan) => scan::agree(&scan, &ask),
            None => return not_run("sslscan is not installed (script/setup test)"),
        }
    }
    let out = run(&cluster, "localhost", &["--user", &cluster.user]);
    assert_eq!(out.status.code(), Some(0), "{:?}", not_passed(&json(&out)));
}

#[test]
fn exit_codes_and_streams_are_for_scripts() {
    let nowhere = format!("127.0.0.1:{}", free_port());
    for args in [
        &["no port:x"][..],
        &[],
        &[&nowhere, "--ca", "/nowhere/ca.pem"],
        &[&nowhere, "--name", "not a name"],
        &[&nowhere, "--watch", "1"],
        &[&nowhere, "--ca", "/etc/hostname"],
    ] {
        let out = command(args).output().unwrap();
        assert_eq!(
            out.status.code(),
            Some(2),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{args:?}");
    }
    let out = command(&[&nowhere]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stdout);
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains("fail  addresses") && said.contains("hint:") && !said.contains('\x1b'),
        "{said}"
    );
    assert!(error.contains("1 finding failed"), "{error}");
    assert!(
        said.lines().all(|line| line.chars().count() <= 300),
        "{said}"
    );
}

#[test]
fn watching_prints_changes_as_lines_of_json() {
    let nowhere = format!("127.0.0.1:{}", free_port());
    let mut child = command(&[&nowhere, "--watch", "30", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Vec<Value> = lines
        .take(5)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(first[0]["id"], "addresses");
    assert_eq!(first[0]["verdict"], "fail");
    assert_eq!(first[0]["endpoint"], nowhere);
    assert!(
        first
            .iter()
            .all(|change| change["was"].is_null() && change["at"].as_str().unwrap().ends_with('Z'))
    );
}
