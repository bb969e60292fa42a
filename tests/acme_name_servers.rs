//! The challenge dns-01 in zones as they are: names that lead elsewhere by CNAME, and several name
//! servers, of which some are slow. Runs against a real ACME server and Knot DNS; without them a
//! test prints "not run" and passes.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::net::Ipv4Addr;
use tidegate_e2e::acme::{NAMES, bench};
use tidegate_e2e::knot::{Knot, Zone};
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::ports::free_port;

#[test]
fn a_challenge_is_written_where_its_name_leads_by_cname() {
    let lines = "@ NS ns\nns A 127.0.0.1\n_acme-challenge.db CNAME one\none CNAME db.acme\n";
    let Some(knot) = Knot::with(&[Zone::updatable("example.com", lines)], None) else {
        return;
    };
    let Some(pebble) = Pebble::start(Wanted {
        dns: Some(knot.port),
        ..Wanted::default()
    }) else {
        return;
    };
    let more = format!("challenges = [\"dns-01\"]\n{}", knot.config("tidegate"));
    bench(pebble, NAMES, &more).wait();
}

#[test]
fn a_cname_leads_into_the_zone_of_another_server() {
    let zones = [
        Zone::fixed(
            "example.com",
            "@ NS ns\nns A 127.0.0.1\n_acme-challenge.db CNAME db.acme.example.net.\n",
        ),
        Zone::updatable("acme.example.net", "@ NS ns\nns A 127.0.0.1\n"),
    ];
    let Some(knot) = Knot::with(&zones, None) else {
        return;
    };
    // Its validators would not follow a CNAME into another zone of an authoritative server.
    let Some(pebble) = Pebble::start(Wanted {
        always_valid: true,
        ..Wanted::default()
    }) else {
        return;
    };
    let more = format!(
        "challenges = [\"dns-01\"]\ndns_resolver = \"127.0.0.1:{}\"\n{}",
        knot.port,
        knot.config_of("acme.example.net", "tidegate")
    );
    let bench = bench(pebble, NAMES, &more);
    bench.wait();
    let updated = knot
        .log()
        .lines()
        .any(|line| line.contains("[acme.example.net.]") && line.contains("DDNS"));
    assert!(updated, "{}", knot.log());
}

#[test]
fn a_name_outside_the_zone_is_told_with_the_way_to_it() {
    let zones = [
        Zone::fixed(
            "example.com",
            "@ NS ns\n_acme-challenge.db CNAME db.elsewhere.net.\n",
        ),
        Zone::updatable("acme.example.net", "@ NS ns\n"),
    ];
    let Some(knot) = Knot::with(&zones, None) else {
        return;
    };
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let more = format!(
        "challenges = [\"dns-01\"]\ndns_resolver = \"127.0.0.1:{}\"\n{}",
        knot.port,
        knot.config_of("acme.example.net", "tidegate")
    );
    let bench = bench(pebble, NAMES, &more);
    // Knot refuses questions about zones that it does not have, as a broken resolver does.
    bench.wait_log("no resolver tells whether db.elsewhere.net. is a CNAME");
}

/// Returns two loopback addresses that no other test uses.
fn public_addresses() -> [Ipv4Addr; 2] {
    let [high, low] = free_port().to_be_bytes();
    [1, 2].map(|last| Ipv4Addr::new(127, high, low, last))
}

/// Returns the lines of a zone with a name server at each of these addresses.
fn lines_of(servers: [Ipv4Addr; 2]) -> String {
    let [first, second] = servers;
    format!("@ NS ns1\n@ NS ns2\nns1 A {first}\nns2 A {second}\n")
}

#[test]
fn the_ca_is_told_when_the_slowest_name_server_shows_the_record() {
    let [first, second] = public_addresses();
    let lines = lines_of([first, second]);
    let zones = [Zone::updatable("example.com", &lines)];
    let Some(primary) = Knot::with(&zones, Some(first)) else {
        return;
    };
    let copy = Zone {
        copied_from: Some(primary.port),
        ..Zone::fixed("example.com", "")
    };
    let Some(secondary) = Knot::with(&[copy], Some(second)) else {
        return;
    };
    // The validators ask the copy, which learns of a change seconds later.
    let Some(pebble) = Pebble::start(Wanted {
        dns: Some(secondary.port),
        ..Wanted::default()
    }) else {
        return;
    };
    tidegate_e2e::limits::soon("the copy is there", || {
        secondary.log().contains("AXFR, incoming").then_some(())
    });
    let more = format!("challenges = [\"dns-01\"]\n{}", primary.config("tidegate"));
    let bench = bench(pebble, NAMES, &more);
    bench.wait();
    assert!(
        !bench.server.log().contains("certificate alarm"),
        "{}",
        bench.server.log()
    );
}

#[test]
fn a_name_server_that_never_shows_the_record_is_named_and_the_ca_is_not_asked() {
    let [first, second] = public_addresses();
    let lines = lines_of([first, second]);
    let Some(primary) = Knot::with(&[Zone::updatable("example.com", &lines)], Some(first)) else {
        return;
    };
    let Some(_stale) = Knot::with(&[Zone::fixed("example.com", &lines)], Some(second)) else {
        return;
    };
    let Some(pebble) = Pebble::start(Wanted {
        dns: Some(primary.port),
        ..Wanted::default()
    }) else {
        return;
    };
    let more = format!(
        "challenges = [\"dns-01\"]\ndns_settle = \"2s\"\n{}",
        primary.config("tidegate")
    );
    let bench = bench(pebble, NAMES, &more);
    bench.wait_log(&format!(
        "the name server ns2.example.com. ({second}:53) does not return the record within 2 s"
    ));
    bench.wait_log("raise acme.dns_settle");
    let validated = bench
        .pebble
        .log()
        .contains("Pulled a task from the Tasks queue");
    assert!(!validated, "{}", bench.pebble.log());
}
