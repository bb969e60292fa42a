//! Check of a cluster's limits.

use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use std::ops::RangeInclusive;
use std::time::Duration;
use tidegate_model::{ClusterLimits, Size};

/// Checks the limits that an operator asks for.
pub fn check_limits(wanted: &ClusterLimits) -> ControlResult<()> {
    if !limits::CONNECTIONS.contains(&wanted.connections_max) {
        let hint = number_hint(limits::CONNECTIONS);
        return Err(bad_limits("connections_max is out of range", hint));
    }
    if !limits::SLEEP_AFTER.contains(&wanted.sleep_after) {
        let hint = time_hint(limits::SLEEP_AFTER);
        return Err(bad_limits("sleep_after is out of range", hint));
    }
    if !limits::TRANSACTION_IDLE.contains(&wanted.transaction_idle_max) {
        let hint = time_hint(limits::TRANSACTION_IDLE);
        return Err(bad_limits("transaction_idle_max is out of range", hint));
    }
    check_size(
        "memory_max",
        wanted.memory_max_bytes,
        limits::MEMORY,
        "the engine can't start with it",
    )?;
    check_size(
        "disk_max",
        wanted.disk_max_bytes,
        limits::DISK,
        "a cluster without data nearly fills it",
    )?;
    check_number("cpu_weight", wanted.cpu_weight, limits::CPU_WEIGHT)?;
    check_number("tasks_max", wanted.tasks_max, limits::TASKS)
}

fn check_size(name: &str, value: u64, range: RangeInclusive<u64>, why: &str) -> ControlResult<()> {
    if value < *range.start() {
        return Err(bad_limits(
            format!("{name} of {} is too small: {why}", Size(value)),
            format!("give at least {}", Size(*range.start())),
        ));
    }
    if value > *range.end() {
        return Err(bad_limits(
            format!("{name} of {} is too large", Size(value)),
            format!("give at most {}", Size(*range.end())),
        ));
    }
    Ok(())
}

fn check_number(name: &str, value: u32, range: RangeInclusive<u32>) -> ControlResult<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let message = format!("{name} of {value} is out of range");
    Err(bad_limits(message, number_hint(range)))
}

fn number_hint(range: RangeInclusive<u32>) -> String {
    format!("give a number from {} to {}", range.start(), range.end())
}

fn time_hint(range: RangeInclusive<Duration>) -> String {
    let days = range.end().as_secs() / 86_400;
    let seconds = range.start().as_secs_f64();
    format!("give a time from {seconds} s to {days} days")
}

fn bad_limits(message: impl Into<String>, hint: String) -> ControlError {
    ControlError::new(ErrorCode::BadLimits, message, hint)
}
