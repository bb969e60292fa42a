//! Form for the limits of a cluster: numbers with their units. The operation checks their ranges.

use serde::Deserialize;
use std::time::Duration;
use tidegate_control::LimitsChange;
use tidegate_model::{ClusterLimits, Size};

/// Duration in a form.
pub struct LengthField {
    pub number: String,
    /// `s`, `m`, `h` or `d`.
    pub unit: &'static str,
}

pub struct LimitsForm {
    pub connections_max: String,
    pub sleep_after: LengthField,
    pub transaction_idle_max: LengthField,
    /// With a unit, such as `1G`.
    pub memory_max: String,
    pub disk_max: String,
    pub cpu_weight: String,
    pub tasks_max: String,
    /// Whether the form is expanded, because a value in it was refused.
    pub open: bool,
}

/// Limits as they were entered.
#[derive(Deserialize)]
pub struct TypedLimits {
    connections_max: String,
    sleep_after: String,
    sleep_after_unit: String,
    transaction_idle_max: String,
    transaction_idle_max_unit: String,
    memory_max: String,
    disk_max: String,
    cpu_weight: String,
    tasks_max: String,
}

/// Units of durations, with their seconds.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

impl TypedLimits {
    pub fn change(&self) -> LimitsChange {
        // A value that can't be read becomes zero, which the operation refuses as out of range.
        LimitsChange {
            connections_max: Some(self.connections_max.trim().parse().unwrap_or(0)),
            sleep_after: Some(parse_length(&self.sleep_after, &self.sleep_after_unit)),
            transaction_idle_max: Some(parse_length(
                &self.transaction_idle_max,
                &self.transaction_idle_max_unit,
            )),
            memory_max_bytes: Some(parse_size(&self.memory_max)),
            disk_max_bytes: Some(parse_size(&self.disk_max)),
            cpu_weight: Some(self.cpu_weight.trim().parse().unwrap_or(0)),
            tasks_max: Some(self.tasks_max.trim().parse().unwrap_or(0)),
        }
    }

    /// Returns the form with the values that were entered, for a correction.
    pub fn again(&self) -> LimitsForm {
        LimitsForm {
            connections_max: self.connections_max.clone(),
            sleep_after: LengthField {
                number: self.sleep_after.clone(),
                unit: known_unit(&self.sleep_after_unit),
            },
            transaction_idle_max: LengthField {
                number: self.transaction_idle_max.clone(),
                unit: known_unit(&self.transaction_idle_max_unit),
            },
            memory_max: self.memory_max.clone(),
            disk_max: self.disk_max.clone(),
            cpu_weight: self.cpu_weight.clone(),
            tasks_max: self.tasks_max.clone(),
            open: true,
        }
    }
}

impl LimitsForm {
    /// Form with a cluster's present limits.
    pub fn of(limits: ClusterLimits) -> Self {
        Self {
            connections_max: limits.connections_max.to_string(),
            sleep_after: length_field(limits.sleep_after),
            transaction_idle_max: length_field(limits.transaction_idle_max),
            memory_max: Size(limits.memory_max_bytes).to_string(),
            disk_max: Size(limits.disk_max_bytes).to_string(),
            cpu_weight: limits.cpu_weight.to_string(),
            tasks_max: limits.tasks_max.to_string(),
            open: false,
        }
    }
}

/// Returns the unit with this name, or minutes.
fn known_unit(name: &str) -> &'static str {
    let known = UNITS.iter().find(|(unit, _)| *unit == name);
    known.map_or("m", |(unit, _)| unit)
}

fn parse_length(number: &str, unit: &str) -> Duration {
    let seconds = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map_or(0, |(_, seconds)| *seconds);
    let number: f64 = number.trim().parse().unwrap_or(0.0);
    Duration::try_from_secs_f64(Duration::from_secs(seconds).as_secs_f64() * number)
        .unwrap_or_default()
}

fn parse_size(text: &str) -> u64 {
    Size::parse(text.trim()).map_or(0, |size| size.0)
}

/// Returns a duration in the largest unit in which it is a whole number.
fn length_field(time: Duration) -> LengthField {
    let whole = |seconds: u64| time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(seconds);
    let fits = UNITS.iter().rev().find(|(_, seconds)| whole(*seconds));
    match fits {
        Some((unit, seconds)) => LengthField {
            number: (time.as_secs() / seconds).to_string(),
            unit,
        },
        None => LengthField {
            number: time.as_secs_f64().to_string(),
            unit: "s",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_was_shown() {
        for (ms, number, unit) in [
            (300_000, "5", "m"),
            (3_600_000, "1", "h"),
            (90_000, "90", "s"),
            (1_500, "1.5", "s"),
            (172_800_000, "2", "d"),
        ] {
            let time = Duration::from_millis(ms);
            let length_of = length_field(time);
            assert_eq!((length_of.number.as_str(), length_of.unit), (number, unit));
            assert_eq!(parse_length(&length_of.number, length_of.unit), time);
        }
        for (number, unit) in [
            ("", "m"),
            ("-1", "m"),
            ("1e300", "d"),
            ("NaN", "s"),
            ("1", "year"),
            ("inf", "s"),
        ] {
            assert_eq!(
                parse_length(number, unit),
                Duration::ZERO,
                "{number} {unit}"
            );
        }
    }
}
