//! Limits of clusters and their measured use, in requests and answers.

use serde::de::{DeserializeOwned, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;
use tidegate_control::LimitsChange;
use tidegate_model::ClusterUsage;
use utoipa::ToSchema;

/// Limits of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Maximum number of open sessions.
    #[schema(example = 200)]
    pub connections_max: u32,
    /// Time without a busy session or an open transaction after which the cluster goes to sleep. A
    /// part of a second is rounded up.
    #[schema(example = 300)]
    pub sleep_after_seconds: u64,
    /// Time after which an idle transaction no longer keeps the cluster awake, rounded up.
    #[schema(example = 3600)]
    pub transaction_idle_max_seconds: u64,
    /// Memory of its engine.
    #[schema(example = 1_073_741_824_u64)]
    pub memory_max_bytes: u64,
    /// Disk space of its files. Above it, the cluster is read-only.
    #[schema(example = 4_294_967_296_u64)]
    pub disk_max_bytes: u64,
    /// Weight of its engine when engines compete for the processor.
    #[schema(example = 100)]
    pub cpu_weight: u32,
    /// Processes and threads of its engine.
    #[schema(example = 512)]
    pub tasks_max: u32,
}

/// Words for [`Usage::file_size_waits`], in the console and on the command line.
pub const FILE_SIZE_WAITS: &str = "the limit of one file's size applies at the next wake";

/// Measured use of a cluster. Null if it can't be measured or has not been measured yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    pub disk_bytes: Option<u64>,
    /// Number of its files and folders, and their maximum: a share of the file system's inodes.
    pub files: Option<u64>,
    pub files_max: Option<u64>,
    /// Whether its limit of one file's size applies only at its next wake, because this server may
    /// not change that of a running engine. The disk limit itself applies immediately.
    #[serde(default)]
    pub file_size_waits: bool,
    /// Memory of its engine that the kernel can't reclaim.
    pub memory_bytes: Option<u64>,
    /// Whole seconds of processor time of its engine since the server started.
    pub cpu_seconds: Option<u64>,
    pub tasks: Option<u64>,
}

impl From<ClusterUsage> for Usage {
    fn from(usage: ClusterUsage) -> Self {
        Self {
            disk_bytes: usage.disk_bytes,
            files: usage.files,
            files_max: usage.files_max,
            file_size_waits: usage.file_size_waits,
            memory_bytes: usage.memory_bytes,
            cpu_seconds: usage
                .cpu_micros
                .map(|micros| Duration::from_micros(micros).as_secs()),
            tasks: usage.tasks,
        }
    }
}

/// Limits to set: in a creation instead of the server's defaults, in a change instead of the
/// cluster's present limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsWanted {
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub connections_max: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.1, maximum = 31_622_400.0)]
    pub sleep_after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.1, maximum = 31_622_400.0)]
    pub transaction_idle_max_seconds: Option<f64>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_bytes"
    )]
    #[schema(minimum = 134_217_728_u64, maximum = 70_368_744_177_664_u64)]
    pub memory_max_bytes: Option<u64>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_bytes"
    )]
    #[schema(minimum = 268_435_456_u64, maximum = 1_125_899_906_842_624_u64)]
    pub disk_max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub cpu_weight: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(minimum = 64, maximum = 65_536)]
    pub tasks_max: Option<u32>,
}

impl LimitsWanted {
    pub(crate) fn change(&self) -> LimitsChange {
        LimitsChange {
            connections_max: self.connections_max,
            sleep_after: self.sleep_after_seconds.map(limit_duration),
            transaction_idle_max: self.transaction_idle_max_seconds.map(limit_duration),
            memory_max_bytes: self.memory_max_bytes,
            disk_max_bytes: self.disk_max_bytes,
            cpu_weight: self.cpu_weight,
            tasks_max: self.tasks_max,
        }
    }
}

/// Converts a limit. A number that no `Duration` can represent becomes zero, which the operation
/// refuses as too short.
fn limit_duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Reads a whole number. JSON Schema, and so the API's description, regards 41.0 as an integer;
/// serde does not.
fn whole<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(d)? else {
        return Ok(None);
    };
    let whole_number = (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok());
    match whole_number.flatten() {
        Some(limit) => Ok(Some(limit)),
        None => Err(serde::de::Error::invalid_value(
            Unexpected::Float(number),
            &"a whole number from 0 to 4294967295",
        )),
    }
}

/// Reads a whole number of bytes, up to 2^53: above it, JSON readers that use `f64` lose digits.
fn whole_bytes<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let Some(number) = Option::<f64>::deserialize(d)? else {
        return Ok(None);
    };
    let in_range = number.fract() == 0.0 && (0.0..=MOST).contains(&number);
    let bytes = in_range.then(|| format!("{number:.0}").parse().ok());
    match bytes.flatten() {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(serde::de::Error::invalid_value(
            Unexpected::Float(number),
            &"a whole number of bytes, up to 2^53",
        )),
    }
}

/// Reads a struct from a JSON object only: serde also accepts a list of its fields, which the API's
/// description does not.
pub(super) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<T, D::Error> {
    let map = serde_json::Map::deserialize(d)?;
    serde_json::from_value(map.into()).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::LimitsWanted;

    fn read(text: &str) -> Option<Option<u32>> {
        serde_json::from_str::<LimitsWanted>(text)
            .ok()
            .map(|limits| limits.connections_max)
    }

    #[test]
    fn a_whole_number_may_have_a_point_and_no_other_may() {
        assert_eq!(read(r#"{"connections_max": 41.0}"#), Some(Some(41)));
        assert_eq!(read(r#"{"connections_max": 41}"#), Some(Some(41)));
        assert_eq!(read(r#"{"connections_max": null}"#), Some(None));
        assert_eq!(read("{}"), Some(None));
        for wrong in ["41.5", "-1", "4294967296", "1e300", "\"41\"", "true"] {
            assert_eq!(
                read(&format!(r#"{{"connections_max": {wrong}}}"#)),
                None,
                "{wrong}"
            );
        }
    }
}
