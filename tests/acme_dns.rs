//! The ACME challenge dns-01: signed updates of a DNS server, and a program of the user. Runs
//! against a real ACME server and Knot DNS; without them a test prints "not run" and passes.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use tidegate_e2e::acme::{NAMES, bench};
use tidegate_e2e::knot::Knot;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::server::write;

/// Starts a name server, and a CA that asks it.
fn knot_and_pebble() -> Option<(Knot, Pebble)> {
    let knot = Knot::start()?;
    let pebble = Pebble::start(Wanted {
        dns: Some(knot.port),
        ..Wanted::default()
    })?;
    Some((knot, pebble))
}

#[test]
fn dns_01_by_signed_update_proves_a_wildcard() {
    let Some((knot, pebble)) = knot_and_pebble() else {
        return;
    };
    let more = format!("challenges = [\"dns-01\"]\n{}", knot.config("tidegate"));
    let bench = bench(pebble, "[\"*.example.com\", \"example.com\"]", &more);
    bench.wait();
    bench
        .login("other.example.com")
        .expect("the wildcard covers it");
    bench
        .login("a.b.example.com")
        .expect_err("it covers one label");
    assert!(knot.log().contains("DDNS"), "{}", knot.log());
    let findings = bench.server.json(&["cert", "check"]);
    assert!(
        findings["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f["good"] == true),
        "{findings}"
    );
}

#[test]
fn an_update_by_a_foreign_key_is_refused_and_told() {
    let Some((knot, pebble)) = knot_and_pebble() else {
        return;
    };
    let more = format!("challenges = [\"dns-01\"]\n{}", knot.config("stranger"));
    let bench = bench(pebble, NAMES, &more);
    bench.wait_log("it refused the update");
}

#[test]
fn dns_01_by_the_users_program_proves_a_name() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "#!/usr/bin/env python3\nimport sys,json,urllib.request as r\ndo,name,value=sys.argv[1:]\n\
         path='set-txt' if do=='present' else 'clear-txt'\n\
         r.urlopen('http://127.0.0.1:{}/'+path,json.dumps(dict(host=name+'.',value=value)).encode())\n",
        pebble.dns_management()
    );
    let hook = write(folder.path(), "hook", &text);
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let more = format!(
        "challenges = [\"dns-01\"]\ndns_hook = \"{}\"\n",
        hook.display()
    );
    bench(pebble, NAMES, &more).wait();
}
