//! Tests of the schedule of orders, at times that the tests choose.

use super::*;

const NOW: i64 = CLOCK_FLOOR + 1_000_000_000;
const DAY: i64 = 86_400;

fn life(from_days: i64, to_days: i64) -> Option<Life> {
    Some(Life {
        not_before: NOW + from_days * DAY,
        not_after: NOW + to_days * DAY,
        fits: true,
    })
}

#[test]
fn a_valid_pair_is_never_ordered_again() {
    let Decision::Wait(until) = decide(NOW, life(-1, 89), &Record::default(), false) else {
        panic!()
    };
    assert_eq!(until, NOW - DAY + 60 * DAY, "two thirds of ninety days");
    let Decision::Wait(until) = decide(NOW, life(-1, 5), &Record::default(), false) else {
        panic!()
    };
    assert_eq!(until, NOW + 2 * DAY, "half of six days");
}

#[test]
fn an_old_an_ended_a_missing_and_an_unfit_pair_are_ordered() {
    let fresh = Record::default();
    assert_eq!(
        decide(NOW, life(-61, 29), &fresh, false),
        Decision::Order(OrderReason::Age)
    );
    assert_eq!(
        decide(NOW, life(-90, -1), &fresh, false),
        Decision::Order(OrderReason::Age)
    );
    assert_eq!(
        decide(NOW, None, &fresh, false),
        Decision::Order(OrderReason::Need)
    );
    let unfit = life(-1, 89).map(|life| Life {
        fits: false,
        ..life
    });
    assert_eq!(
        decide(NOW, unfit, &fresh, false),
        Decision::Order(OrderReason::Need)
    );
    assert_eq!(
        decide(NOW, life(-1, 89), &fresh, true),
        Decision::Order(OrderReason::Need),
        "asked for"
    );
}

fn renew_at(time: i64, unplanned: Vec<i64>) -> Record {
    Record {
        renew_at: Some(time),
        unplanned,
        ..Record::default()
    }
}

#[test]
fn a_chosen_time_counts_but_never_past_the_last_twentieth() {
    assert_eq!(
        decide(NOW, life(-40, 50), &renew_at(NOW - 1, vec![]), false),
        Decision::Order(OrderReason::Age)
    );
    assert_eq!(
        decide(
            NOW,
            life(-10, 10),
            &renew_at(NOW + 100 * DAY, vec![]),
            false
        ),
        Decision::Wait(NOW + 9 * DAY)
    );
}

#[test]
fn a_crash_loop_asks_no_more_often_than_its_record_allows() {
    let waiting = Record {
        failures: 3,
        next_attempt: NOW + 300,
        ..Record::default()
    };
    assert_eq!(
        decide(NOW, None, &waiting, false),
        Decision::Wait(NOW + 300)
    );
    assert_eq!(
        decide(NOW + 300, None, &waiting, false),
        Decision::Order(OrderReason::Need)
    );
    let spent = Record {
        unplanned: vec![NOW - 8 * DAY, NOW - 3, NOW - 2, NOW - 1, NOW],
        ..Record::default()
    };
    assert_eq!(
        decide(NOW, None, &spent, false),
        Decision::Enough(NOW - 3 + WEEK)
    );
    assert_eq!(
        decide(NOW, None, &spent, true),
        Decision::Enough(NOW - 3 + WEEK),
        "nor by command"
    );
    assert_eq!(
        decide(NOW, life(-61, 29), &spent, false),
        Decision::Order(OrderReason::Age),
        "age is no circle"
    );
}

#[test]
fn a_clock_that_was_wrong_does_not_hold_attempts_back_for_years() {
    assert_eq!(
        decide(CLOCK_FLOOR - 1, None, &Record::default(), false),
        Decision::WrongClock
    );
    let from_the_future = Record {
        next_attempt: NOW + 3000 * DAY,
        ..Record::default()
    };
    let Decision::Wait(until) = decide(NOW, None, &from_the_future, false) else {
        panic!()
    };
    assert!(until <= NOW + 3 * DAY);
}

#[test]
fn a_ca_whose_windows_lie_in_the_past_is_not_asked_in_a_circle() {
    assert_eq!(
        decide(NOW, life(-1, 89), &renew_at(NOW - 1, vec![]), false),
        Decision::Order(OrderReason::Need),
        "counted"
    );
    let spent = renew_at(NOW - 1, vec![NOW; UNPLANNED_PER_WEEK]);
    assert_eq!(
        decide(NOW, life(-1, 89), &spent, false),
        Decision::Wait(NOW + 29 * DAY)
    );
    assert_eq!(
        decide(NOW, life(-30, 60), &spent, false),
        Decision::Order(OrderReason::Age)
    );
}

#[test]
fn chains_that_are_kept_back_are_counted_even_when_their_time_had_come() {
    let held = Record {
        held: 1,
        unplanned: vec![NOW; UNPLANNED_PER_WEEK],
        ..Record::default()
    };
    assert_eq!(
        decide(NOW, life(-61, 29), &held, false),
        Decision::Enough(NOW + WEEK)
    );
}

#[test]
fn several_attempts_fit_into_what_is_left() {
    let short = Life {
        not_before: NOW - 8,
        not_after: NOW + 8,
        fits: true,
    };
    assert_eq!(wait(1, NOW, Some(short)), 1);
    assert_eq!(
        wait(7, NOW, life(-89, 1)),
        10_800,
        "an eighth of the last day"
    );
    assert_eq!(
        wait(
            7,
            NOW,
            Some(Life {
                not_after: NOW + 1,
                ..life(-90, 0).unwrap()
            })
        ),
        7_776,
        "no storm"
    );
    assert_eq!(wait(7, NOW, None), 21_600);
}

#[test]
fn a_moment_within_the_window_is_chosen() {
    assert_eq!(
        (
            within((100, 200), 0.0),
            within((100, 200), 1.0),
            within((100, 50), 0.5)
        ),
        (100, 200, 100)
    );
}

#[test]
fn waits_grow_and_vary() {
    let waits: Vec<i64> = (1..=12).map(backoff).collect();
    assert!(
        waits.is_sorted() && waits[0] == 60 && waits[11] == 21_600,
        "{waits:?}"
    );
    assert_eq!(
        (jittered(100, 0.0), jittered(100, 0.5), jittered(100, 1.0)),
        (80, 100, 120)
    );
    // The fifth attempt comes after the hour in which Let's Encrypt allows five failures.
    assert!(
        waits[..4]
            .iter()
            .map(|wait| jittered(*wait, 0.0))
            .sum::<i64>()
            > 3_600
    );
}
