//! Whether a stranger can tell two names apart by the refusals of their logins.

use crate::watch::{Seen, TRIES};
use std::collections::BTreeMap;

/// Returns the share of refusals that came within so many ticks.
fn share_up_to(all: &[Seen], ticks: u32) -> f64 {
    all.iter().filter(|seen| seen.ticks <= ticks).count() as f64 / all.len() as f64
}

/// Returns the largest difference between the cumulative shares of two lists of ticks
/// (Kolmogorov-Smirnov).
fn difference(a: &[Seen], b: &[Seen]) -> f64 {
    let most = a.iter().chain(b).map(|seen| seen.ticks).max().unwrap_or(0);
    (0..=most)
        .map(|ticks| (share_up_to(a, ticks) - share_up_to(b, ticks)).abs())
        .fold(0.0, f64::max)
}

/// Counts each answer, without its time.
fn answers(seen: &[Seen]) -> BTreeMap<(u16, &str, u32), usize> {
    let mut counts = BTreeMap::new();
    for one in seen {
        *counts
            .entry((one.code, one.message.as_str(), one.packets))
            .or_default() += 1;
    }
    counts
}

/// Whether the others give each answer that is given here more than once.
fn are_given_by(
    some: &BTreeMap<(u16, &str, u32), usize>,
    others: &BTreeMap<(u16, &str, u32), usize>,
) -> bool {
    some.iter()
        .all(|(answer, times)| *times <= 1 || others.contains_key(answer))
}

/// Whether a stranger can't tell the two apart. A stranger can by an answer that only one of them
/// gives more than once in twenty logins, or by times that differ by more than 0.5, which two
/// series of the same name do in less than 1 of 100 cases.
pub fn alike(a: &[Seen], b: &[Seen]) -> bool {
    let of_a = answers(a);
    let of_b = answers(b);
    are_given_by(&of_a, &of_b) && are_given_by(&of_b, &of_a) && difference(a, b) <= 0.5
}

fn refusal_seen(code: u16, ticks: u32) -> Seen {
    Seen {
        code,
        message: String::new(),
        packets: 2,
        ticks,
    }
}

#[test]
fn the_classifier_tells_apart_what_is_different() {
    let fast = vec![refusal_seen(1045, 1); TRIES];
    assert!(alike(
        &fast,
        &[&fast[1..], &[refusal_seen(1045, 2)]].concat()
    ));
    assert!(!alike(&fast, &vec![refusal_seen(1045, 2); TRIES]));
    assert!(!alike(&fast, &vec![refusal_seen(1040, 1); TRIES]));
    let packets = vec![
        Seen {
            packets: 3,
            ..refusal_seen(1045, 1)
        };
        TRIES
    ];
    assert!(!alike(&fast, &packets));
}

pub fn summary(seen: &[Seen]) -> String {
    let ticks: Vec<u32> = seen.iter().map(|one| one.ticks).collect();
    format!(
        "{:?} ticks {ticks:?}",
        answers(seen)
            .into_iter()
            .map(|(a, n)| (a.0, a.2, n))
            .collect::<Vec<_>>()
    )
}
