//! Check of a cluster's limits.

use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use std::ops::RangeInclusive;
use std::time::Duration;
use tidegate_model::{ClusterLimits, Size};

pub fn check_limits(wanted: &ClusterLimits) -> ControlResult<()> {
    let bad = |what: &str, hint: String| Err(ControlError::new(ErrorCode::BadLimits, what, hint));
    let (least, most) = limits::CONNECTIONS.into_inner();
    if !limits::CONNECTIONS.contains(&wanted.connections_max) {
        return bad(
            "connections_max is out of range",
            format!("give a number from {least} to {most}"),
        );
    }
    let time = |what: &str, range: RangeInclusive<Duration>| {
        let (least, most) = range.into_inner();
        let days = most.as_secs() / 86_400;
        bad(
            what,
            format!("give a time from {} s to {days} days", least.as_secs_f64()),
        )
    };
    if !limits::SLEEP_AFTER.contains(&wanted.sleep_after) {
        return time("sleep_after is out of range", limits::SLEEP_AFTER);
    }
    if !limits::TRANSACTION_IDLE.contains(&wanted.transaction_idle_max) {
        return time(
            "transaction_idle_max is out of range",
            limits::TRANSACTION_IDLE,
        );
    }
    check_machine(wanted)
}

/// Limits of what the engine may use of the machine.
fn check_machine(wanted: &ClusterLimits) -> ControlResult<()> {
    let size = |name: &str, value: u64, range: RangeInclusive<u64>, why: &str| {
        let (least, most) = range.clone().into_inner();
        if range.contains(&value) {
            return Ok(());
        }
        let (message, hint) = match value < least {
            true => (
                format!("{name} of {} is too small: {why}", Size(value)),
                format!("give at least {}", Size(least)),
            ),
            false => (
                format!("{name} of {} is too large", Size(value)),
                format!("give at most {}", Size(most)),
            ),
        };
        Err(ControlError::new(ErrorCode::BadLimits, message, hint))
    };
    let number = |name: &str, value: u32, range: RangeInclusive<u32>| {
        if range.contains(&value) {
            return Ok(());
        }
        let (least, most) = range.into_inner();
        let hint = format!("give a number from {least} to {most}");
        Err(ControlError::new(
            ErrorCode::BadLimits,
            format!("{name} of {value} is out of range"),
            hint,
        ))
    };
    size(
        "memory_max",
        wanted.memory_max_bytes,
        limits::MEMORY,
        "the engine can't start with it",
    )?;
    size(
        "disk_max",
        wanted.disk_max_bytes,
        limits::DISK,
        "a cluster without data nearly fills it",
    )?;
    number("cpu_weight", wanted.cpu_weight, limits::CPU_WEIGHT)?;
    number("tasks_max", wanted.tasks_max, limits::TASKS)
}
