//! What a cluster may use, as a form: numbers with their units. Whether they will do is the
//! operation's to say.

use super::answer::{self, page, status_of};
use super::clusters::cluster;
use super::frame::Notice;
use super::views::{ClusterPage, Length, LimitsForm};
use crate::auth::Form;
use crate::state::Web;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::time::Duration;
use tidegate_control::LimitsChange;
use tidegate_model::{ClusterLimits, ClusterUsage, Size};

/// As they were typed.
#[derive(Deserialize)]
pub struct Typed {
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

/// The units that a length may have, and their seconds.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

pub async fn change(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: Form<Typed>,
) -> Response {
    let typed = &form.fields;
    // What can't be read becomes zero, which the operation refuses as out of range.
    let change = LimitsChange {
        connections_max: Some(typed.connections_max.trim().parse().unwrap_or(0)),
        sleep_after: Some(length(&typed.sleep_after, &typed.sleep_after_unit)),
        transaction_idle_max: Some(length(
            &typed.transaction_idle_max,
            &typed.transaction_idle_max_unit,
        )),
        memory_max_bytes: Some(bytes(&typed.memory_max)),
        disk_max_bytes: Some(bytes(&typed.disk_max)),
        cpu_weight: Some(typed.cpu_weight.trim().parse().unwrap_or(0)),
        tasks_max: Some(typed.tasks_max.trim().parse().unwrap_or(0)),
    };
    match web.api.control.change_limits(&name, change).await {
        Ok(view) => Redirect::to(&format!("/clusters/{}#limits", view.name)).into_response(),
        Err(error) => match cluster(&web, &form.who, &name, Some(Notice::from(&error))).await {
            Ok(shown) => page(
                status_of(&error),
                &ClusterPage {
                    limits: again(typed),
                    ..shown
                },
            ),
            Err(gone) => answer::problem(&form.who, &gone),
        },
    }
}

/// What was typed, to be mended.
fn again(typed: &Typed) -> LimitsForm {
    let unit = |sent: &str| {
        UNITS
            .iter()
            .find(|(unit, _)| *unit == sent)
            .map_or("m", |(unit, _)| *unit)
    };
    LimitsForm {
        connections_max: typed.connections_max.clone(),
        sleep_after: Length {
            number: typed.sleep_after.clone(),
            unit: unit(&typed.sleep_after_unit),
        },
        transaction_idle_max: Length {
            number: typed.transaction_idle_max.clone(),
            unit: unit(&typed.transaction_idle_max_unit),
        },
        memory_max: typed.memory_max.clone(),
        disk_max: typed.disk_max.clone(),
        cpu_weight: typed.cpu_weight.clone(),
        tasks_max: typed.tasks_max.clone(),
        open: true,
    }
}

fn length(number: &str, unit: &str) -> Duration {
    let seconds = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map_or(0, |(_, seconds)| *seconds);
    let number: f64 = number.trim().parse().unwrap_or(0.0);
    Duration::try_from_secs_f64(Duration::from_secs(seconds).as_secs_f64() * number)
        .unwrap_or_default()
}

fn bytes(text: &str) -> u64 {
    Size::parse(text.trim()).map_or(0, |size| size.0)
}

/// Measured use of the machine beside its limits: a label and a value.
pub fn machine_rows(limits: &ClusterLimits, usage: &ClusterUsage) -> Vec<(&'static str, String)> {
    let of = |used: Option<String>, most: String| match used {
        Some(used) => format!("{used} of {most}"),
        None => format!("up to {most}"),
    };
    let size = |used: Option<u64>, most: u64| {
        of(
            used.map(|used| Size(used).rounded()),
            Size(most).to_string(),
        )
    };
    let seconds = |micros| Duration::from_micros(micros).as_secs_f64();
    let cpu = usage
        .cpu_micros
        .map(|micros| format!(", {:.1} s used", seconds(micros)))
        .unwrap_or_default();
    let files = usage
        .files
        .zip(usage.files_max)
        .map(|(used, most)| ("Files", format!("{used} of {most}")));
    let mut rows = vec![
        ("Memory", size(usage.memory_bytes, limits.memory_max_bytes)),
        ("Disk", size(usage.disk_bytes, limits.disk_max_bytes)),
        ("CPU", format!("weight {}{cpu}", limits.cpu_weight)),
        (
            "Tasks",
            of(
                usage.tasks.map(|tasks| tasks.to_string()),
                limits.tasks_max.to_string(),
            ),
        ),
    ];
    if let Some(files) = files {
        rows.insert(2, files);
    }
    rows
}

/// The form as a cluster's present limits fill it in.
pub fn form(limits: ClusterLimits) -> LimitsForm {
    LimitsForm {
        connections_max: limits.connections_max.to_string(),
        sleep_after: shown(limits.sleep_after),
        transaction_idle_max: shown(limits.transaction_idle_max),
        memory_max: Size(limits.memory_max_bytes).to_string(),
        disk_max: Size(limits.disk_max_bytes).to_string(),
        cpu_weight: limits.cpu_weight.to_string(),
        tasks_max: limits.tasks_max.to_string(),
        open: false,
    }
}

/// In the largest unit that keeps it whole.
fn shown(time: Duration) -> Length {
    let whole = |seconds: u64| time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(seconds);
    let fits = UNITS.iter().rev().find(|(_, seconds)| whole(*seconds));
    match fits {
        Some((unit, seconds)) => Length {
            number: (time.as_secs() / seconds).to_string(),
            unit,
        },
        None => Length {
            number: time.as_secs_f64().to_string(),
            unit: "s",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_comes_back_as_it_was_shown() {
        for (ms, number, unit) in [
            (300_000, "5", "m"),
            (3_600_000, "1", "h"),
            (90_000, "90", "s"),
            (1_500, "1.5", "s"),
            (172_800_000, "2", "d"),
        ] {
            let time = Duration::from_millis(ms);
            let length_of = shown(time);
            assert_eq!((length_of.number.as_str(), length_of.unit), (number, unit));
            assert_eq!(length(&length_of.number, length_of.unit), time);
        }
        for (number, unit) in [
            ("", "m"),
            ("-1", "m"),
            ("1e300", "d"),
            ("NaN", "s"),
            ("1", "year"),
            ("inf", "s"),
        ] {
            assert_eq!(length(number, unit), Duration::ZERO, "{number} {unit}");
        }
    }
}
