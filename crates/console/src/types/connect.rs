//! Connection strings and the connection test in requests and answers.

use super::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
