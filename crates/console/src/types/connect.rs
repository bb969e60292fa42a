//! Connection strings and the connection test in requests and answers.

use super::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Clients and operating systems with connection strings.
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
    /// Whether its strings can require TLS 1.3.
    pub tls13: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownPlatform {
    #[schema(example = "debian")]
    pub id: String,
    pub name: String,
}

/// Connection strings of one client. Later versions may add fields.
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
    /// Strings, the recommended one first.
    pub forms: Vec<ConnectForm>,
    pub notes: Vec<String>,
}

/// A string to copy.
#[derive(ToSchema)]
pub struct ConnectForm {
    pub id: String,
    pub title: String,
    pub syntax: String,
    pub format: String,
    /// `env`, `literal`, `asked` or `apart` (a list of values without it).
    pub password: String,
    pub text: String,
}

/// Login of a connection test.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestConnection {
    /// User name without the prefix; `root` if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// If missing, the test stops before the login. The server does not store it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// Result of a connection test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestResult {
    pub ok: bool,
    /// Steps in order. If one failed, it is the last.
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
    /// Reason of the failure; null if the step succeeded.
    pub failure: Option<String>,
}
