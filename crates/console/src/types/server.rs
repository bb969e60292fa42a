//! State of the server, as `GET /v1/server` answers it.

use super::Warning;
use serde::{Deserialize, Serialize};
use tidegate_tls::Rotation;
use utoipa::ToSchema;

/// Version, addresses and state of the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Server {
    pub version: String,
    pub pid: u32,
    /// Addresses that MySQL clients connect to.
    pub listeners: Vec<String>,
    /// `local`, `private` or `public`.
    #[schema(example = "local")]
    pub trust: String,
    /// Names and addresses in the certificate.
    pub names: Vec<String>,
    pub ca: Option<String>,
    pub host: String,
    pub port: u16,
    /// Address of the web console; null if there is none.
    #[schema(example = "https://127.0.0.1:4443")]
    pub console: Option<String>,
    /// False while the server recovers clusters that were not asleep when it last stopped; their
    /// logins wait.
    pub ready: bool,
    /// Present while the disk of the data directory is too full to wake clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disk_full: Option<Warning>,
}

/// The local CA, which clients must trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocalCa {
    /// Its file, which clients need.
    #[schema(example = "/var/lib/tidegate/ca.pem")]
    pub ca: String,
    /// Names and addresses in the certificate.
    pub names: Vec<String>,
}

/// The new master key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MasterKeyRotation {
    /// Id of the key, which each encrypted file names. It is no secret.
    #[schema(example = "3f9a61c20b7e84d5")]
    pub key: String,
    /// Number of files that were encrypted again.
    pub files: u64,
    /// Files that neither the former nor the new key opens. They were left as they are.
    pub unreadable: Vec<String>,
}

impl From<Rotation> for MasterKeyRotation {
    fn from(rotation: Rotation) -> Self {
        Self {
            key: rotation.key.to_string(),
            files: u64::try_from(rotation.resealed).unwrap_or(u64::MAX),
            unreadable: rotation
                .unreadable
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        }
    }
}
