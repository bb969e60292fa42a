//! Clusters in requests and answers.

use super::limits::{Limits, LimitsWanted, Usage, object};
use super::{Secret, Warning};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidegate_control::{ClusterChange, SettingsChange};
use tidegate_model::ClusterState;
use tidegate_model::server_variables::SERVER_VARIABLES;
use utoipa::ToSchema;

/// Database that a new cluster has.
pub const DATABASE: &str = "test";

/// A cluster and its address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    #[schema(example = "demo")]
    pub name: String,
    /// First part of every user name of this cluster.
    #[schema(example = "k7m2q9x4w3tz")]
    pub prefix: String,
    /// Number that grows with every change of its name, limits or settings. A change that is sent
    /// with it is refused if the cluster was changed meanwhile.
    #[serde(default)]
    pub version: u64,
    /// Name or address of the listener, as its certificate has it.
    #[schema(example = "127.0.0.1")]
    pub host: String,
    #[schema(example = 4000)]
    pub port: u16,
    /// Full user name of the cluster's administrator.
    #[schema(example = "k7m2q9x4w3tz.root")]
    pub user: String,
    /// Only in the answer to the request that created it; the server does not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub password: Option<Secret>,
    #[schema(example = "test")]
    pub database: String,
    /// CA file that clients need; null if the certificate is publicly trusted.
    #[schema(example = "/var/lib/tidegate/ca.pem")]
    pub ca: Option<String>,
    #[schema(value_type = StateSchema)]
    pub state: ClusterState,
    /// Reason of the state `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<String>,
    /// Present if the cluster has accounts that its account book lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub incomplete_accounts: Option<Warning>,
    /// Kind of its engine.
    #[serde(default)]
    #[schema(example = "mariadb")]
    pub engine: String,
    /// Whether its kind of engine sleeps.
    #[serde(default)]
    pub sleeps: bool,
    /// Values of the kind's own parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// RFC 3339, UTC.
    #[schema(example = "2026-01-31T12:00:00Z")]
    pub created_at: String,
    /// Number of open sessions.
    pub sessions: u32,
    pub limits: Limits,
    /// Whether it can't be deleted.
    #[serde(default)]
    pub deletion_protection: bool,
    /// Whether a ping (COM_PING) counts as work, so that it keeps the cluster awake.
    #[serde(default)]
    pub ping_holds: bool,
    /// Whether the engine runs events. Only a cluster that never sleeps can.
    #[serde(default)]
    pub events: bool,
    /// Networks that logins may come from; empty: any.
    #[serde(default)]
    #[schema(example = json!(["203.0.113.0/24"]))]
    pub ip_allow: Vec<String>,
    /// Number of events that it has, running or not; only in the answer that describes one cluster,
    /// and missing if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub events_defined: Option<u64>,
    /// Whether its engine runs events now, as the engine itself tells: SQL can turn them on and off
    /// until the next sleep. Only in the answer that describes one cluster, and missing if the
    /// engine does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub events_running: Option<bool>,
    /// Server variables that were set, for all sessions.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub variables: BTreeMap<String, String>,
    /// Whether the server variables apply only from the next wake on, because the running engine
    /// could not take them.
    #[serde(default)]
    pub variables_wait: bool,
    /// Measured use; only in the answer that describes one cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub usage: Option<Usage>,
}

impl Cluster {
    /// Returns words for the events of the cluster. `None` if there is nothing to tell.
    pub fn events_text(&self) -> Option<String> {
        events_text(self.events, self.events_defined, self.events_running)
    }
}

/// Returns words for events. `setting`: whether the operator turned them on.
pub fn events_text(setting: bool, defined: Option<u64>, running: Option<bool>) -> Option<String> {
    let count = defined.map(|count| format!("{count} defined"));
    let state = match (setting, running) {
        (true, Some(true)) | (false, Some(false)) => {
            return match (setting, count) {
                (true, Some(count)) => Some(format!("on, {count}")),
                (true, None) => Some("on".to_owned()),
                (false, Some(count)) if defined > Some(0) => Some(format!("{count}, not running")),
                (false, _) => None,
            };
        }
        (true, None) => "on, but the engine does not tell whether they run",
        (true, Some(false)) => "on, but not running: they are off until the next wake",
        (false, Some(true)) => "running: SQL turned them on, until the cluster sleeps",
        (false, None) if defined > Some(0) => "the engine does not tell whether they run",
        (false, None) => return None,
    };
    let count = count.map_or(String::new(), |count| format!("{count}, "));
    Some(format!("{count}{state}"))
}

/// State of a cluster.
#[derive(ToSchema)]
#[schema(as = State, rename_all = "lowercase")]
pub enum StateSchema {
    Asleep,
    Waking,
    Awake,
    Draining,
    Failed,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CreateCluster {
    /// 1 to 63 characters of a-z, 0-9 and `-`, starting with a letter; generated if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "demo", pattern = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
    pub name: Option<String>,
    /// Kind of engine, as `GET /v1/engines` lists them; the server's default kind if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    // A pattern, not a free text: the API tests send what the description allows, and it must be
    // accepted.
    #[schema(example = "mariadb", pattern = "^mariadb$")]
    pub engine: Option<String>,
    /// Values of the kind's own parameters (`mariadb` has none). Text is accepted for every type.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(schema_with = known_parameters)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    #[serde(deserialize_with = "object")]
    pub limits: LimitsWanted,
}

/// Returns the schema of the parameters of all kinds in this version: there are none.
fn known_parameters() -> utoipa::openapi::Object {
    use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "Values of the kind's own parameters (`mariadb` has none). Text is accepted for every \
             type.",
        ))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .build()
}

/// Change of a cluster. What is missing keeps its value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeCluster {
    #[serde(deserialize_with = "object")]
    pub limits: LimitsWanted,
    /// Time in which a cluster at its disk limit may delete, drop and truncate. At most an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1.0, maximum = 3600.0)]
    pub allow_shrink_seconds: Option<f64>,
    /// Whether a deletion is refused, until this is turned off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// Whether a ping (COM_PING) counts as work, so that it keeps the cluster awake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_holds: Option<bool>,
    /// Whether the engine runs events. Only a cluster that never sleeps can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<bool>,
    /// Networks that logins may come from, which replace the list; an empty list allows any. Open
    /// sessions stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 200, example = json!(["203.0.113.0/24"]))]
    pub ip_allow: Option<Vec<String>>,
    /// Server variables by name; null as a value sets the default. The engine is woken, and must
    /// accept each value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(schema_with = known_variables)]
    pub variables: BTreeMap<String, Option<String>>,
}

/// Returns the schema of the server variables that can be set.
fn known_variables() -> utoipa::openapi::Object {
    use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
    let mut variables = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "Server variables by name; null as a value sets the default. The engine is woken, and \
             must accept each value.",
        ))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    for variable in SERVER_VARIABLES {
        let value = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some(variable.help));
        variables = variables.property(variable.name, value);
    }
    variables.build()
}

impl ChangeCluster {
    pub(crate) fn change(&self) -> ClusterChange {
        ClusterChange {
            limits: self.limits.change(),
            settings: SettingsChange {
                deletion_protection: self.deletion_protection,
                ping_holds: self.ping_holds,
                events: self.events,
                ip_allow: self.ip_allow.clone(),
                variables: self.variables.clone(),
            },
        }
    }
}

/// New name of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameCluster {
    /// 1 to 63 characters of a-z, 0-9 and `-`, starting with a letter.
    #[schema(example = "shop", pattern = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterList {
    pub clusters: Vec<Cluster>,
    /// Name to send as `after` for the next page; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "shop")]
    pub next: Option<String>,
}
