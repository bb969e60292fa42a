//! Schedule of orders: pure functions of the clock, the stored pair and the record.

use crate::acme::limits::{
    BACKOFF_SECONDS, CHECK_DELAY_MAX, CLOCK_FLOOR, EARLY_PART, JITTER, SHORT_LIFE_SECONDS,
    UNPLANNED_PER_WEEK,
};
use crate::acme::record::Record;

const WEEK: i64 = 7 * 86_400;

/// Dates of the stored pair in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub not_before: i64,
    pub not_after: i64,
    /// Whether the pair carries all configured names.
    pub fits: bool,
}

/// Reason of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderReason {
    /// The pair is due by age. That can't happen often.
    Age,
    /// There is no pair, it has other names, or an operator asked. This could repeat endlessly, so
    /// it is limited.
    Need,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Wait until this time.
    Wait(i64),
    Order(OrderReason),
    /// The clock is wrong.
    WrongClock,
    /// Too many were ordered this week; the time when another one is allowed.
    Enough(i64),
}

/// Decides what to do now.
pub fn decide(now: i64, pair: Option<Life>, record: &Record, asked: bool) -> Decision {
    if now < CLOCK_FLOOR {
        return Decision::WrongClock;
    }
    let why = match pair {
        Some(life) if life.fits && !asked => {
            let due = due(life, record);
            let early = life.not_before + life.whole() / EARLY_PART;
            if now < due {
                return Decision::Wait(due);
            }
            // A CA may suggest an early renewal again and again, so early ones are limited per
            // week.
            if now < early && record.pending.is_none() && spent(record, now).is_some() {
                return Decision::Wait(early);
            }
            if now < early {
                OrderReason::Need
            } else {
                OrderReason::Age
            }
        }
        _ => OrderReason::Need,
    };
    // If the clock was fast for a while, the next attempt must not be later than the longest delay.
    let attempt = record.next_attempt.min(now + longest());
    // A request of an operator does not wait for the delay after a failure.
    if now < attempt && !asked {
        return Decision::Wait(attempt);
    }
    // A pending order is resumed, not placed again.
    if (why == OrderReason::Need || record.held > 0)
        && record.pending.is_none()
        && let Some(free) = spent(record, now)
    {
        return Decision::Enough(free);
    }
    Decision::Order(why)
}

/// Returns when another order is allowed, if this week's limit is reached.
fn spent(record: &Record, now: i64) -> Option<i64> {
    let recent: Vec<i64> = recent(&record.unplanned, now).collect();
    let oldest = recent.iter().rev().nth(UNPLANNED_PER_WEEK - 1)?;
    Some(oldest + WEEK)
}

impl Life {
    fn whole(self) -> i64 {
        self.not_after - self.not_before
    }
}

/// Returns when to renew the pair: at the chosen time, but with at least a twentieth of its life
/// left, and at least five checks of the manager (for a very short life, a third of it).
pub fn due(life: Life, record: &Record) -> i64 {
    let checks = 5 * i64::try_from(CHECK_DELAY_MAX.as_secs()).unwrap_or(0);
    let left = (life.whole() / 20).max(checks.min(life.whole() / 3));
    record
        .renew_at
        .unwrap_or_else(|| by_age(life))
        .min(life.not_after - left)
}

/// Returns when to renew by age: after two thirds of the life, or half of a short one.
pub fn by_age(life: Life) -> i64 {
    let whole = life.whole();
    life.not_before
        + if whole < SHORT_LIFE_SECONDS {
            whole / 2
        } else {
            whole / 3 * 2
        }
}

/// Returns the orders of the last week. One from the future, made by a wrong clock, is included: it
/// may be recent.
pub fn recent(unplanned: &[i64], now: i64) -> impl Iterator<Item = i64> {
    unplanned.iter().copied().filter(move |at| *at > now - WEEK)
}

/// Returns the delay after so many failures in a row, in seconds. Several attempts must fit into
/// the rest of the certificate's life, but the delay never becomes so short that it would flood a
/// CA.
pub fn wait(failures: u32, now: i64, life: Option<Life>) -> i64 {
    let wait = backoff(failures);
    match life {
        Some(life) if life.fits && now < life.not_after => {
            wait.min(((life.not_after - now) / 8).max(life.whole() / 1000).max(1))
        }
        _ => wait,
    }
}

/// Chooses a time in the window that a CA suggests. `random` is between 0 and 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a span of days in seconds"
)]
pub fn within((start, end): (i64, i64), random: f64) -> i64 {
    start + ((end - start).max(0) as f64 * random) as i64
}

/// Returns the delay after so many failures in a row, in seconds.
pub fn backoff(failures: u32) -> i64 {
    let at = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    BACKOFF_SECONDS
        .get(at)
        .or(BACKOFF_SECONDS.last())
        .copied()
        .unwrap_or(SHORT_LIFE_SECONDS)
}

/// Returns `seconds` with jitter. `random` is between 0 and 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "days in seconds"
)]
pub fn jittered(seconds: i64, random: f64) -> i64 {
    (seconds as f64 * (1.0 + JITTER * (2.0 * random - 1.0))) as i64
}

/// Returns the longest delay that a record can contain.
fn longest() -> i64 {
    let retry_after = i64::try_from(crate::acme::limits::RETRY_AFTER_MAX.as_secs()).unwrap_or(WEEK);
    jittered(
        BACKOFF_SECONDS
            .iter()
            .copied()
            .max()
            .unwrap_or(0)
            .max(retry_after),
        1.0,
    )
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
