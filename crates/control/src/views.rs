//! Parameters and results of operations, as plain values. Only [`WithPassword`] contains a
//! password, which is shown once.

use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits::IP_ALLOW_MAX;
use crate::store::ListStart;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_model::server_variables::{check_charset, check_variable, find_variable};
use tidegate_model::{
    AddressRange, ClusterEngine, ClusterId, ClusterLimits, ClusterName, ClusterSettings,
    ClusterState, Prefix, SessionId, UserRole, WrongRange,
};
use zeroize::Zeroizing;

/// A cluster as API and console show it.
#[derive(Debug, Clone)]
pub struct ClusterView {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    /// Version of the last change of its name, limits or settings.
    pub version: u64,
    pub state: ClusterState,
    /// Reason why its state is `failed`.
    pub failure: Option<String>,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    /// Whether its kind of engine goes to sleep.
    pub sleeps: bool,
    pub sessions: u32,
    pub limits: ClusterLimits,
    pub settings: ClusterSettings,
    /// Whether its server variables apply only from its next start on.
    pub variables_wait: bool,
    /// Whether the account book has all accounts of the cluster.
    pub complete_book: bool,
}

/// A cluster with its new password, which is shown once.
pub struct WithPassword {
    pub cluster: ClusterView,
    pub password: Zeroizing<String>,
}

/// Parameters of a new cluster.
#[derive(Debug, Clone, Default)]
pub struct NewCluster {
    /// Generated if missing.
    pub name: Option<String>,
    /// Name of the kind of its engine; the server's default kind if missing.
    pub engine: Option<String>,
    /// Values of the kind's own parameters, as JSON or as text.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// The server's defaults if missing.
    pub limits: Option<ClusterLimits>,
}

/// Change of a cluster's limits; missing limits stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsChange {
    pub connections_max: Option<u32>,
    pub sleep_after: Option<Duration>,
    pub transaction_idle_max: Option<Duration>,
    pub memory_max_bytes: Option<u64>,
    pub disk_max_bytes: Option<u64>,
    pub cpu_weight: Option<u32>,
    pub tasks_max: Option<u32>,
}

impl LimitsChange {
    /// Name of the first limit that is above these.
    pub fn first_above(&self, most: ClusterLimits) -> Option<&'static str> {
        let above = [
            (
                "connections_max",
                self.connections_max > Some(most.connections_max),
            ),
            ("sleep_after", self.sleep_after > Some(most.sleep_after)),
            (
                "transaction_idle_max",
                self.transaction_idle_max > Some(most.transaction_idle_max),
            ),
            (
                "memory_max",
                self.memory_max_bytes > Some(most.memory_max_bytes),
            ),
            ("disk_max", self.disk_max_bytes > Some(most.disk_max_bytes)),
            ("cpu_weight", self.cpu_weight > Some(most.cpu_weight)),
            ("tasks_max", self.tasks_max > Some(most.tasks_max)),
        ];
        above
            .into_iter()
            .find(|(_, above)| *above)
            .map(|(name, _)| name)
    }

    /// Applies the change to these limits.
    pub fn apply_to(self, now: ClusterLimits) -> ClusterLimits {
        ClusterLimits {
            connections_max: self.connections_max.unwrap_or(now.connections_max),
            sleep_after: self.sleep_after.unwrap_or(now.sleep_after),
            transaction_idle_max: self
                .transaction_idle_max
                .unwrap_or(now.transaction_idle_max),
            memory_max_bytes: self.memory_max_bytes.unwrap_or(now.memory_max_bytes),
            disk_max_bytes: self.disk_max_bytes.unwrap_or(now.disk_max_bytes),
            cpu_weight: self.cpu_weight.unwrap_or(now.cpu_weight),
            tasks_max: self.tasks_max.unwrap_or(now.tasks_max),
        }
    }
}

/// Change of a cluster's settings; missing settings stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    pub deletion_protection: Option<bool>,
    pub ping_holds: Option<bool>,
    pub events: Option<bool>,
    /// Networks that logins may come from; an empty list allows any.
    pub ip_allow: Option<Vec<String>>,
    /// Server variables by name. `None` as a value: the default.
    pub variables: BTreeMap<String, Option<String>>,
}

impl SettingsChange {
    /// Applies the change to these settings.
    ///
    /// # Errors
    /// If a server variable can't be set, or not to this value, or if a network is not one.
    pub fn apply_to(self, now: ClusterSettings) -> ControlResult<ClusterSettings> {
        let mut variables = now.variables;
        let changes_variables = !self.variables.is_empty();
        for (name, value) in self.variables {
            let known = find_variable(&name);
            match (value, known) {
                (None, Some(known)) => drop(variables.remove(known.name)),
                (value, _) => {
                    let (name, value) = check_variable(&name, &value.unwrap_or_default())
                        .map_err(|wrong| ControlError::bad_variable(&wrong))?;
                    variables.insert(name.to_owned(), value);
                }
            }
        }
        if changes_variables {
            check_charset(&variables).map_err(|wrong| ControlError::bad_variable(&wrong))?;
        }
        Ok(ClusterSettings {
            deletion_protection: self.deletion_protection.unwrap_or(now.deletion_protection),
            ping_holds: self.ping_holds.unwrap_or(now.ping_holds),
            events: self.events.unwrap_or(now.events),
            ip_allow: match self.ip_allow {
                Some(texts) => read_networks(&texts)?,
                None => now.ip_allow,
            },
            variables,
        })
    }
}

/// Reads the networks of a list. Each is in it once.
fn read_networks(texts: &[String]) -> ControlResult<Vec<AddressRange>> {
    let mut networks = Vec::new();
    for text in texts {
        let network = AddressRange::parse_network(text).map_err(|wrong| {
            let hint = match &wrong {
                WrongRange::InsideNetwork { network, .. } => {
                    format!("give {network}, or the address alone")
                }
                WrongRange::NotARange(_) => {
                    "give addresses and networks such as 203.0.113.9 or 2001:db8::/32".to_owned()
                }
            };
            ControlError::new(ErrorCode::Invalid, format!("ip_allow: {wrong}"), hint)
        })?;
        if !networks.contains(&network) {
            networks.push(network);
        }
        if networks.len() > IP_ALLOW_MAX {
            return Err(ControlError::new(
                ErrorCode::Invalid,
                format!("ip_allow has more than {IP_ALLOW_MAX} networks"),
                "give wider networks instead",
            ));
        }
    }
    Ok(networks)
}

/// Change of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterChange {
    pub limits: LimitsChange,
    pub settings: SettingsChange,
}

/// Part of the list of clusters that is requested.
#[derive(Debug, Clone, Default)]
pub struct ClustersWanted {
    pub start: ListStart,
    /// Rows of the page.
    pub most: usize,
    /// Text in the name or the administrator's login; empty for all.
    pub find: String,
    /// Login prefix of the cluster.
    pub prefix: Option<String>,
    pub state: Option<ClusterState>,
}

/// Page of the list of clusters.
#[derive(Debug, Clone)]
pub struct ClusterPage {
    pub rows: Vec<ClusterView>,
    /// Whether there are others in the direction of the list.
    pub more: bool,
}

/// Numbers of clusters and sessions.
#[derive(Debug, Clone)]
pub struct ClusterCounts {
    pub total: usize,
    /// States of the clusters that are not asleep.
    pub not_asleep: Vec<ClusterState>,
    pub sessions: usize,
}

impl ClusterCounts {
    /// Returns the number of clusters in a state.
    pub fn of_state(&self, state: ClusterState) -> usize {
        if state == ClusterState::Asleep {
            return self.total.saturating_sub(self.not_asleep.len());
        }
        self.not_asleep.iter().filter(|s| **s == state).count()
    }
}

/// Part of the list of sessions that is requested.
#[derive(Debug, Clone, Default)]
pub struct SessionsWanted {
    /// Name of the cluster; all clusters if missing.
    pub cluster: Option<String>,
    /// User name without the prefix.
    pub user: Option<String>,
    /// The sessions with larger ids than this.
    pub after: Option<SessionId>,
    /// Rows of the page.
    pub most: usize,
}

/// Page of the list of sessions.
#[derive(Debug, Clone)]
pub struct SessionPage {
    pub rows: Vec<SessionView>,
    /// Whether there are others with larger ids.
    pub more: bool,
}

/// A session as API and console show it.
#[derive(Debug, Clone)]
pub struct SessionView {
    pub id: SessionId,
    pub client: SocketAddr,
    /// `None` if its cluster was deleted; the session is then about to end.
    pub cluster: Option<ClusterName>,
    pub user: String,
    pub tls: &'static str,
    pub age: Duration,
}

/// Rows of a list, up to its limit.
#[derive(Debug, Clone)]
pub struct ListView<T> {
    pub rows: Vec<T>,
    /// Whether these are all rows.
    pub complete: bool,
}

/// Page of the list of users.
#[derive(Debug, Clone)]
pub struct UserPage {
    pub rows: Vec<UserView>,
    /// Name to continue after, if there are more.
    pub next: Option<String>,
    /// Whether all accounts of the engine were read.
    pub complete: bool,
}

/// A database of a cluster.
#[derive(Debug, Clone)]
pub struct DatabaseView {
    pub name: String,
    pub character_set: String,
    pub collation: String,
}

/// A user of a cluster: all accounts of one name.
#[derive(Debug, Clone)]
pub struct UserView {
    pub name: String,
    /// Name to log in with: the cluster's prefix, a dot and the name.
    pub login: String,
    pub accounts: Vec<AccountView>,
    /// Role of its account at `%`. `None` if SQL created that, or there is none.
    pub role: Option<UserRole>,
    /// Whether that account gets databases that are created later.
    pub every_database: bool,
    /// Databases of the role. Empty for an administrator, who has all.
    pub databases: Vec<String>,
}

/// Account of a user at one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Host pattern.
    pub host: String,
    /// `None` if SQL created it.
    pub role: Option<UserRole>,
    pub locked: bool,
}

/// Parameters of a new user.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub name: String,
    pub role: UserRole,
    /// All databases, and those that are created later, if `None`.
    pub databases: Option<Vec<String>>,
    /// Generated if missing.
    pub password: Option<Zeroizing<String>>,
}

/// A user with its generated password, which is shown once. `None` if the caller chose it.
pub struct UserWithPassword {
    pub user: UserView,
    pub password: Option<Zeroizing<String>>,
}

/// State of the machine that the engines run on.
#[derive(Debug, Clone)]
pub struct HostView {
    /// Whether each engine has a separate user number, Landlock rules, and a filter of system
    /// calls.
    pub own_users: bool,
    pub landlock: bool,
    pub seccomp: bool,
    pub limits: Vec<LimitView>,
    /// Free space and size of the file system of the data directory.
    pub disk_free_bytes: Option<u64>,
    pub disk_size_bytes: Option<u64>,
    /// Memory of all awake engines, and what they may use together.
    pub memory_used_bytes: u64,
    pub memory_max_bytes: u64,
}

/// The means by which a limit of clusters is enforced.
#[derive(Debug, Clone)]
pub struct LimitView {
    pub limit: &'static str,
    pub by: &'static str,
    /// Reason why there is no better means.
    pub reason: Option<String>,
}
