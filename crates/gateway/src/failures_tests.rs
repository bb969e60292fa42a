//! The delay after failed logins: its growth, its end, whom it never meets, and its bound in memory.

use super::*;
use crate::limits;
use std::net::IpAddr;

fn source(text: &str) -> Source {
    Source::from(text.parse::<IpAddr>().unwrap())
}

const A: &str = "203.0.113.9";
const B: &str = "203.0.113.10";

#[test]
fn case_49_the_delay_of_a_no_grows_for_its_source_and_name_only() {
    let failures = Failures::default();
    let said: Vec<u32> = (0..10).map(|_| failures.no(source(A), b"abcdefghjkmn.root")).collect();
    assert_eq!(said, [1, 1, 1, 2, 4, 8, 16, 24, 24, 24]);
    assert!(failures.suspected(source(A), b"abcdefghjkmn.root"));
    for (from, name) in [(A, "abcdefghjkmn.app"), (B, "abcdefghjkmn.root"), (B, "abcdefghjkmn.app")] {
        assert!(!failures.suspected(source(from), name.as_bytes()), "{from} {name}");
        assert_eq!(failures.no(source(from), name.as_bytes()), 1, "{from} {name}");
    }
}

#[test]
fn case_49_a_source_that_tries_name_after_name_waits_as_well() {
    let failures = Failures::default();
    let said: Vec<u32> = (0..30).map(|n| failures.no(source(A), format!("name{n}.root").as_bytes())).collect();
    assert!(said[..20].iter().all(|t| *t == 1), "{said:?}");
    assert_eq!(said[20..26], [2, 4, 8, 16, 24, 24]);
    assert_eq!(failures.no(source(B), b"name1.root"), 1);
}

#[test]
fn case_49_a_yes_forgives_its_own_name_and_nothing_else() {
    let failures = Failures::default();
    (0..8).for_each(|_| {
        failures.no(source(A), b"abcdefghjkmn.root");
    });
    (0..30).for_each(|n| {
        failures.no(source(A), format!("guess{n}.x").as_bytes());
    });
    failures.yes(source(A), b"abcdefghjkmn.root");
    assert!(!failures.suspected(source(A), b"abcdefghjkmn.root"));
    assert_eq!(failures.no(source(A), b"guess99.x"), limits::LATE_TICKS_MAX, "the source is still known");
}

#[test]
fn a_failure_counts_half_after_each_half_life() {
    let mut table = Table::new();
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
    let mut table = Table::new();
    (0..40).for_each(|_| {
        table.add(7, 1);
    });
    let (sets, bytes) = (table.0.len(), std::mem::size_of_val(&table.0[..]));
    (0..1_000_000_u64).for_each(|n| {
        table.add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63, 2);
    });
    assert_eq!(table.0.len(), sets);
    assert_eq!(bytes, 512 * 1024, "as the bound's comment says");
    assert_eq!(table.count(7, 2), 40, "who fails again and again is not pushed out by who failed once");
}
