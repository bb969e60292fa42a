//! Delay after failed logins: how it grows and decays, which logins it never affects, and its bound
//! in memory.

use super::*;
use crate::limits;

fn source(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn counts(key: u8) -> FailedLogins {
    FailedLogins::new(&Zeroizing::new([key; 32]))
}

const A: &str = "203.0.113.9";
const B: &str = "198.51.100.7";

#[test]
fn case_49_the_delay_of_a_denial_grows_for_its_source_and_name_only() {
    let failures = counts(1);
    let said: Vec<u32> = (0..10)
        .map(|_| failures.count_failure(source(A), b"abcdefghjkmn.root"))
        .collect();
    assert_eq!(said, [1, 1, 1, 2, 4, 8, 16, 24, 24, 24]);
    assert!(failures.is_suspected(source(A), b"abcdefghjkmn.root"));
    for (from, name) in [
        (A, "abcdefghjkmn.app"),
        (B, "abcdefghjkmn.root"),
        (B, "abcdefghjkmn.app"),
    ] {
        assert!(
            !failures.is_suspected(source(from), name.as_bytes()),
            "{from} {name}"
        );
        assert_eq!(
            failures.count_failure(source(from), name.as_bytes()),
            1,
            "{from} {name}"
        );
    }
}

#[test]
fn case_49_a_source_that_tries_name_after_name_waits_as_well() {
    let failures = counts(1);
    let said: Vec<u32> = (0..30)
        .map(|n| failures.count_failure(source(A), format!("name{n}.root").as_bytes()))
        .collect();
    assert!(said[..20].iter().all(|t| *t == 1), "{said:?}");
    assert_eq!(said[20..26], [2, 4, 8, 16, 24, 24]);
    assert_eq!(failures.count_failure(source(B), b"name1.root"), 1);
}

#[test]
fn case_49_a_right_password_forgives_its_own_name_and_nothing_else() {
    let failures = counts(1);
    (0..8).for_each(|_| {
        failures.count_failure(source(A), b"abcdefghjkmn.root");
    });
    (0..30).for_each(|n| {
        failures.count_failure(source(A), format!("guess{n}.x").as_bytes());
    });
    failures.forgive(source(A), b"abcdefghjkmn.root");
    assert!(!failures.is_suspected(source(A), b"abcdefghjkmn.root"));
    assert_eq!(
        failures.count_failure(source(A), b"guess99.x"),
        limits::LATE_TICKS_MAX,
        "the source is still known"
    );
}

#[test]
fn the_hash_of_a_name_stays_over_restarts_and_no_other_key_gives_it() {
    let networks: Vec<Network> = networks(source(A)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for network in networks {
        for name in [None, Some(b"".as_slice()), Some(b"abcdefghjkmn.root")] {
            let tag = counts(1).tag(network, name);
            assert_eq!(tag, counts(1).tag(network, name));
            assert_ne!(tag, counts(2).tag(network, name));
            seen.insert(tag);
        }
    }
    assert_eq!(seen.len(), 6, "each network and name has its own");
}

#[test]
fn a_failure_counts_half_after_each_half_life() {
    let table = Table::new();
    (0..8).for_each(|_| {
        table.add(7, 100);
    });
    assert_eq!(table.count(7, 100 + limits::FAILURES_HALF_LIFE - 1), 8);
    assert_eq!(table.count(7, 100 + limits::FAILURES_HALF_LIFE), 4);
    assert_eq!(table.count(7, 100 + 4 * limits::FAILURES_HALF_LIFE), 0);
    assert_eq!(table.add(7, 100 + 2 * limits::FAILURES_HALF_LIFE), 3);
    assert_eq!(table.count(7, u32::MAX), 0);
}

#[test]
fn a_flood_of_names_takes_no_more_memory_and_forgets_the_weakest_first() {
    let table = Table::new();
    (0..40).for_each(|_| {
        table.add(7, 1);
    });
    let sets = table.0.len();
    let bytes = std::mem::size_of_val(&table.0[..]);
    (0..1_000_000_u64).for_each(|n| {
        table.add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63, 2);
    });
    assert_eq!(table.0.len(), sets);
    assert_eq!(bytes, 576 * 1024, "as the comment of FAILURES_SETS says");
    assert_eq!(
        table.count(7, 2),
        40,
        "a source with many failures is not evicted by one with a single failure"
    );
}

#[test]
fn case_49_a_network_gets_no_fresh_start_with_each_of_its_addresses() {
    for (from, addresses) in [
        ("2001:db8:1:", "IPv6 /64s of one /48"),
        ("203.0.113.", "IPv4 addresses of one /24"),
    ] {
        let failures = counts(1);
        let late: Vec<u32> = (0..200)
            .map(|n| {
                let address = if from.contains(':') {
                    format!("{from}{n:x}::1")
                } else {
                    format!("{from}{n}")
                };
                failures.count_failure(source(&address), b"abcdefghjkmn.root")
            })
            .collect();
        assert_eq!(late[8], 1, "{addresses}: {late:?}");
        assert!(
            late[40..]
                .iter()
                .all(|ticks| *ticks == limits::LATE_TICKS_MAX),
            "{addresses}: {late:?}"
        );
        assert_eq!(
            failures.count_failure(source("198.51.100.7"), b"abcdefghjkmn.root"),
            1,
            "other networks are not affected"
        );
        assert_eq!(
            failures.count_failure(source("2001:db8:2::1"), b"abcdefghjkmn.root"),
            1,
            "neither is the next network"
        );
    }
}

#[test]
fn a_mismatch_that_is_taken_back_has_not_counted() {
    let failures = counts(1);
    for _ in 0..30 {
        assert_eq!(failures.count_failure(source(A), b"abcdefghjkmn.root"), 1);
        failures.take_back(source(A), b"abcdefghjkmn.root");
    }
    failures.take_back(source(A), b"abcdefghjkmn.never");
    assert_eq!(failures.count_failure(source(A), b"abcdefghjkmn.never"), 1);
}

#[test]
fn case_49_a_guessing_network_is_not_forgotten_for_a_flood_from_elsewhere() {
    let failures = counts(1);
    for n in 0..60 {
        guess_from(&failures, n);
    }
    for n in 0..200_000_u32 {
        failures.count_failure(
            source(&format!(
                "{}.{}.{}.{}",
                11 + n % 89,
                n >> 16,
                n >> 8 & 255,
                n & 255
            )),
            b"x.y",
        );
    }
    assert_eq!(guess_from(&failures, 61), limits::LATE_TICKS_MAX);
}

/// Counts a failure of an address in this /64 of one /48.
fn guess_from(failures: &FailedLogins, n: u32) -> u32 {
    let address = source(&format!("2001:db8:1:{n:x}::1"));
    failures.count_failure(address, b"abcdefghjkmn.root")
}

#[test]
fn a_locked_set_delays_no_other_set() {
    let table = Table::new();
    (0..100_000).for_each(|tag| {
        table.add(tag, 1);
    });
    // While one set is locked, the others can be used.
    let _held = table.0[0].lock().unwrap();
    let elsewhere = |tag: &u64| !tag.is_multiple_of(table.0.len() as u64);
    for tag in (200_000..210_000).filter(elsewhere) {
        assert_eq!(table.add(tag, 2), 1);
    }
}
