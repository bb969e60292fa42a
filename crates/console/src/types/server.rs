//! The server in answers.

use super::Warning;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
