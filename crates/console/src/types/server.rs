//! State of the server, as `GET /v1/server` answers it.

use super::Warning;
use serde::{Deserialize, Serialize};
use tidegate_control::{ClusterCounts, HostView, LimitView};
use tidegate_model::ClusterState;
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
    /// Clusters by state, and their sessions.
    pub clusters: ServerClusters,
    pub memory: ServerMemory,
    /// Null if the file system can't be asked.
    pub disk: Option<ServerDisk>,
    /// Isolation of the engines from each other and from the machine.
    pub walls: ServerWalls,
    /// The means by which each limit of a cluster is enforced on this machine.
    pub limits: Vec<LimitInForce>,
    /// Backups of clusters that this server makes: none, in this version.
    pub backups: u64,
}

/// Numbers of clusters by state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerClusters {
    pub total: u64,
    pub asleep: u64,
    pub waking: u64,
    pub awake: u64,
    pub draining: u64,
    pub failed: u64,
    pub sessions: u64,
}

/// Memory of all awake engines, and what they may use together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerMemory {
    pub used_bytes: u64,
    pub max_bytes: u64,
}

/// Space of the file system of the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerDisk {
    pub free_bytes: u64,
    pub size_bytes: u64,
}

/// Isolation that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerWalls {
    /// Each engine runs under a separate user number.
    pub own_users: bool,
    pub landlock: bool,
    pub seccomp: bool,
}

/// The means by which a limit is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitInForce {
    #[schema(example = "memory")]
    pub limit: String,
    /// `cgroup v2`, `cgroup v1`, `rlimit`, `file system quota`, `measured` or `not in force`.
    #[schema(example = "cgroup v2")]
    pub by: String,
    /// Reason why there is no better means.
    pub reason: Option<String>,
}

impl From<&ClusterCounts> for ServerClusters {
    fn from(counts: &ClusterCounts) -> Self {
        let [asleep, waking, awake, draining, failed] =
            ClusterState::ALL.map(|state| counts.of_state(state) as u64);
        Self {
            total: counts.total as u64,
            asleep,
            waking,
            awake,
            draining,
            failed,
            sessions: counts.sessions as u64,
        }
    }
}

impl From<&HostView> for ServerMemory {
    fn from(host: &HostView) -> Self {
        Self {
            used_bytes: host.memory_used_bytes,
            max_bytes: host.memory_max_bytes,
        }
    }
}

impl ServerDisk {
    pub(crate) fn of(host: &HostView) -> Option<Self> {
        Some(Self {
            free_bytes: host.disk_free_bytes?,
            size_bytes: host.disk_size_bytes?,
        })
    }
}

impl From<&HostView> for ServerWalls {
    fn from(host: &HostView) -> Self {
        Self {
            own_users: host.own_users,
            landlock: host.landlock,
            seccomp: host.seccomp,
        }
    }
}

impl From<LimitView> for LimitInForce {
    fn from(view: LimitView) -> Self {
        Self {
            limit: view.limit.to_lowercase(),
            by: view.by.to_owned(),
            reason: view.reason,
        }
    }
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
            unreadable: rotation.unreadable,
        }
    }
}
