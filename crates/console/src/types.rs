//! What the API's requests and answers look like, for server and client alike. A password stands in
//! here only on its way out, and no `Debug` prints it.

use serde::de::{DeserializeOwned, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;
use tidegate_control::LimitsChange;
use tidegate_model::{ClusterState, ClusterUsage};
use utoipa::ToSchema;

pub use crate::secret::Secret;
pub use crate::warning::Warning;

/// The database a fresh cluster has.
pub const DATABASE: &str = "test";

/// A cluster and how it is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    #[schema(example = "demo")]
    pub name: String,
    /// What every login of this cluster begins with.
    #[schema(example = "k7m2q9x4w3tz")]
    pub prefix: String,
    /// A name or address that reaches the listener and that its certificate carries.
    #[schema(example = "127.0.0.1")]
    pub host: String,
    #[schema(example = 4000)]
    pub port: u16,
    /// The full login of the cluster's administrator.
    #[schema(example = "k7m2q9x4w3tz.root")]
    pub user: String,
    /// Only in the answer that made it; kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub password: Option<Secret>,
    #[schema(example = "test")]
    pub database: String,
    /// The CA file a client needs; null where the certificate is publicly trusted.
    #[schema(example = "/var/lib/tidegate/ca.pem")]
    pub ca: Option<String>,
    #[schema(value_type = State)]
    pub state: ClusterState,
    /// Why it stands in `failed`.
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
    /// Sessions open now.
    pub sessions: u32,
    pub limits: Limits,
    /// Measured use; only in the answer about one cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub usage: Option<Usage>,
}

/// Where a cluster stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum State {
    Asleep,
    Waking,
    Awake,
    Draining,
    Failed,
}

/// What a cluster may use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Sessions at once.
    #[schema(example = 200)]
    pub connections_max: u32,
    /// It goes to sleep after this long without a busy session or an open transaction.
    #[schema(example = 300.0)]
    pub sleep_after_seconds: f64,
    /// A transaction idle for longer no longer holds it awake.
    #[schema(example = 3600.0)]
    pub transaction_idle_max_seconds: f64,
    /// Memory of its engine.
    #[schema(example = 1_073_741_824_u64)]
    pub memory_max_bytes: u64,
    /// Disk of its files; above it the cluster is read-only.
    #[schema(example = 4_294_967_296_u64)]
    pub disk_max_bytes: u64,
    /// Share of the processor when engines compete for it.
    #[schema(example = 100)]
    pub cpu_weight: u32,
    /// Processes and threads of its engine.
    #[schema(example = 512)]
    pub tasks_max: u32,
}

/// Measured use of a cluster. Null where it can't be measured, or was not yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    pub disk_bytes: Option<u64>,
    /// Files and folders it has, and how many it may have: a share of the file system's inodes.
    pub files: Option<u64>,
    pub files_max: Option<u64>,
    /// Memory of its engine that can't be taken from it.
    pub memory_bytes: Option<u64>,
    /// Of its engine, since the server started.
    pub cpu_seconds: Option<f64>,
    pub tasks: Option<u64>,
}

impl From<ClusterUsage> for Usage {
    fn from(usage: ClusterUsage) -> Self {
        Self {
            disk_bytes: usage.disk_bytes,
            files: usage.files,
            files_max: usage.files_max,
            memory_bytes: usage.memory_bytes,
            cpu_seconds: usage
                .cpu_micros
                .map(|micros| Duration::from_micros(micros).as_secs_f64()),
            tasks: usage.tasks,
        }
    }
}

/// Limits that differ: in a creation from the server's defaults, in a change from the cluster's
/// own.
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
        // A number no duration can hold becomes zero, which the operation refuses as too short.
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or(Duration::ZERO);
        LimitsChange {
            connections_max: self.connections_max,
            sleep_after: self.sleep_after_seconds.map(seconds),
            transaction_idle_max: self.transaction_idle_max_seconds.map(seconds),
            memory_max_bytes: self.memory_max_bytes,
            disk_max_bytes: self.disk_max_bytes,
            cpu_weight: self.cpu_weight,
            tasks_max: self.tasks_max,
        }
    }
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
    // The kinds of this version and their parameters: a client that follows the description is
    // never refused.
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

/// What shall be otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeCluster {
    #[serde(deserialize_with = "object")]
    pub limits: LimitsWanted,
    /// For this long a cluster at its disk limit may delete, drop and truncate. At most an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1.0, maximum = 3600.0)]
    pub allow_shrink_seconds: Option<f64>,
}

/// 41.0 is an integer to JSON Schema, and so to the API's description; to serde it is none.
fn whole<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(d)? else {
        return Ok(None);
    };
    let expected = || {
        serde::de::Error::invalid_value(
            Unexpected::Float(number),
            &"a whole number from 0 to 4294967295",
        )
    };
    if number.fract() != 0.0 {
        return Err(expected());
    }
    format!("{number:.0}")
        .parse()
        .map(Some)
        .map_err(|_| expected())
}

/// As [`whole`], up to the largest number that JSON's readers agree on.
fn whole_bytes<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let Some(number) = Option::<f64>::deserialize(d)? else {
        return Ok(None);
    };
    let expected = || {
        serde::de::Error::invalid_value(
            Unexpected::Float(number),
            &"a whole number of bytes, up to 2^53",
        )
    };
    if number.fract() != 0.0 || !(0.0..=MOST).contains(&number) {
        return Err(expected());
    }
    format!("{number:.0}")
        .parse()
        .map(Some)
        .map_err(|_| expected())
}

/// serde takes a list for a struct too, field by field; the API's description does not.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<T, D::Error> {
    let map = serde_json::Map::deserialize(d)?;
    serde_json::from_value(map.into()).map_err(serde::de::Error::custom)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterList {
    pub clusters: Vec<Cluster>,
}

/// A session that has logged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// As the client's own connection id.
    #[schema(example = 2_147_483_655_u32)]
    pub id: u32,
    /// Null for one that is ending because its cluster was deleted.
    pub cluster: Option<String>,
    /// The user as the engine knows it.
    #[schema(example = "root")]
    pub user: String,
    #[schema(example = "203.0.113.9:51234")]
    pub client: String,
    #[schema(example = "TLS 1.3")]
    pub tls: String,
    pub age_seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    pub sessions: Vec<Session>,
}

/// The server itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Server {
    pub version: String,
    pub pid: u32,
    /// Addresses that MySQL clients connect to.
    pub listeners: Vec<String>,
    /// `local`, `private` or `public`.
    #[schema(example = "local")]
    pub trust: String,
    /// Names and addresses the certificate carries.
    pub names: Vec<String>,
    pub ca: Option<String>,
    pub host: String,
    pub port: u16,
    /// Where the web console is; null if there is none.
    #[schema(example = "https://127.0.0.1:4443")]
    pub console: Option<String>,
    /// False while clusters that were not cleanly asleep at the start are being recovered; logins
    /// wait for it.
    pub ready: bool,
    /// Present while the disk of the data directory is too full to wake clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disk_full: Option<Warning>,
}

/// The local CA that clients must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocalCa {
    /// Its file, for clients.
    #[schema(example = "/var/lib/tidegate/ca.pem")]
    pub ca: String,
    /// Names and addresses the certificate carries.
    pub names: Vec<String>,
}

/// What every error looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// For programs; never changes its meaning.
    #[schema(example = "not_found")]
    pub code: String,
    #[schema(example = "there is no cluster \"demo\"")]
    pub message: String,
    /// What to do about it.
    #[schema(example = "`tidegate cluster list` shows those that exist")]
    pub hint: String,
    /// The same as in the server's log.
    pub request_id: String,
}

/// A link that signs a browser in, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    #[schema(value_type = String, example = "https://127.0.0.1:4443/link/5f2c...")]
    pub url: Secret,
    /// RFC 3339, UTC.
    pub expires_at: String,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    #[schema(example = "k7m2q9x4w3tz")]
    pub id: String,
    #[schema(example = "terraform")]
    pub name: String,
    /// `read`, `clusters:PATTERN`, `all`.
    #[schema(example = json!(["clusters:shop-*"]))]
    pub scopes: Vec<String>,
    /// Only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub key: Option<Secret>,
    pub created_at: String,
    /// Null for one that ends only when it is revoked.
    pub expires_at: Option<String>,
    /// To the minute; null if never.
    pub used_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    pub keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// What it is for: 1 to 64 characters, none of them a control character, no space at either
    /// end.
    #[schema(
        example = "terraform",
        pattern = r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]{0,62}[^\s\u0000-\u001f\u007f-\u009f])?$"
    )]
    pub name: String,
    /// What its holder may do. `read`: see all clusters and their sessions, without logs.
    /// `clusters:PATTERN`: everything on clusters whose names match, with limits up to the server's
    /// defaults. `all`: everything but keys and operators.
    #[schema(min_items = 1, max_items = 32, example = json!(["clusters:shop-*"]), value_type = Vec<KeyScope>)]
    pub scopes: Vec<String>,
    /// At most ten years; missing: only when it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1.0, maximum = 316_224_000.0)]
    pub expires_after_seconds: Option<f64>,
}

/// One scope of a key.
#[derive(ToSchema)]
#[schema(pattern = r"^(all|read|clusters:[a-z0-9*-]{1,63})$")]
pub struct KeyScope(#[expect(dead_code, reason = "for the description only")] String);

/// Clients and operating systems that there are strings for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientList {
    pub clients: Vec<KnownClient>,
    pub platforms: Vec<KnownPlatform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownClient {
    #[schema(example = "mysql")]
    pub id: String,
    pub name: String,
    pub language: String,
    /// Whether its strings can insist on TLS 1.3.
    pub tls13: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownPlatform {
    #[schema(example = "debian")]
    pub id: String,
    pub name: String,
}

/// The strings of one client. More fields than these may come.
#[derive(ToSchema)]
pub struct ConnectStrings {
    pub client: String,
    pub name: String,
    pub language: String,
    pub install: String,
    pub minimum_version: String,
    pub platform: String,
    /// `local`, `private` or `public`.
    pub trust: String,
    pub tls: String,
    pub ca: Option<String>,
    /// The strings, the best first.
    pub forms: Vec<ConnectForm>,
    pub notes: Vec<String>,
}

/// One string to copy.
#[derive(ToSchema)]
pub struct ConnectForm {
    pub id: String,
    pub title: String,
    pub syntax: String,
    pub format: String,
    /// `env`, `literal` or `asked`.
    pub password: String,
    pub text: String,
}

/// Whom to log in as.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestConnection {
    /// Inside the cluster; `root` if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Without it the test ends before the login. Kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// How a test went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestResult {
    pub ok: bool,
    /// In order; the one that failed is the last.
    pub steps: Vec<TestStep>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestStep {
    /// `tcp`, `tls`, `login` or `first_row`.
    #[schema(example = "tls")]
    pub step: String,
    pub took_ms: f64,
    #[schema(example = "TLS 1.3")]
    pub detail: String,
    /// Why it failed; null if it did not.
    pub failure: Option<String>,
}

/// What lately happened to a cluster, latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    pub refusals: Vec<RecentRefusal>,
    pub wakes: Vec<RecentWake>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecentRefusal {
    pub at: String,
    #[schema(example = "203.0.113.9")]
    pub client: String,
    /// As the client saw it.
    #[schema(example = 1045)]
    pub code: u16,
    /// The name of its help page; null where the engine refused.
    #[schema(example = "access-denied")]
    pub reason: Option<String>,
    pub meaning: String,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecentWake {
    pub at: String,
    pub took_ms: f64,
    /// It had not slept cleanly.
    pub recovery: bool,
}

#[cfg(test)]
mod tests {
    use super::LimitsWanted;

    #[test]
    fn a_whole_number_may_have_a_point_and_no_other_may() {
        let read = |text: &str| {
            serde_json::from_str::<LimitsWanted>(text)
                .ok()
                .map(|limits| limits.connections_max)
        };
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
