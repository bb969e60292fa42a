//! Settings of MariaDB processes with their defaults. `cli` reads the configuration file and merges
//! it into them.

use crate::local::uids::UidClaim;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// Command line by which our own binary becomes an engine.
#[derive(Debug, Clone)]
pub struct Helper {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

/// Place of the engines' control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgroupChoice {
    /// Below the server's own group in each hierarchy.
    Auto,
    /// Nowhere: limits that need groups are not in force.
    Off,
    /// Below this group in each hierarchy, such as `/tidegate`. It is made if need be.
    Under(PathBuf),
}

impl CgroupChoice {
    /// Reads `auto`, `off`, or the path of a group.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            path if path.starts_with('/') && !path.split('/').any(|part| part == "..") => {
                Ok(Self::Under(path.into()))
            }
            _ => Err(
                "must be \"auto\", \"off\" or the absolute path of a group such as \"/tidegate\"",
            ),
        }
    }
}

/// Uid that builds the template where no range is claimed: the last number that a claim could have.
const NO_CLAIM_UID: u32 = 2_147_352_575;

#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// The engine's program. Default: `/usr/sbin/mariadbd`, then `mariadbd` on PATH.
    pub mariadbd: Option<PathBuf>,
    /// Program that fills the named time zones when the template is built. Default:
    /// `$TIDEGATE_TZINFO_TO_SQL`, then `mariadb-tzinfo-to-sql` or `mysql_tzinfo_to_sql` on PATH;
    /// without one there are no named zones.
    pub tzinfo_to_sql: Option<PathBuf>,
    /// The helper. Default: this very program with the argument `engine-exec`.
    pub helper: Option<Helper>,
    /// User numbers that this server has for itself: as root, each cluster's engine runs under its
    /// own uid. Without a claim no process is ended because of its user.
    pub uid_claim: Option<Arc<UidClaim>>,
    /// InnoDB's buffer pool at the start of an engine; small, since a cluster that sleeps has
    /// filled nothing.
    pub buffer_pool_bytes: u64,
    /// Size to which the pool may be grown while the engine runs.
    pub buffer_pool_max_bytes: u64,
    /// Redo log: the measured middle between write speed and the time of a recovery (about 130 ms
    /// after kill -9).
    pub redo_log_bytes: u64,
    pub max_allowed_packet_bytes: u64,
    /// Address space of one engine. A tenant may ask its engine for any buffer size; the machine is
    /// shared.
    pub address_space_max_bytes: u64,
    /// Place of the engines' control groups.
    pub cgroup: CgroupChoice,
    /// For tests of the walls: use no Landlock above this version.
    pub landlock_abi_max: Option<u8>,
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self {
            mariadbd: None,
            tzinfo_to_sql: None,
            helper: None,
            uid_claim: None,
            buffer_pool_bytes: 16 << 20,
            buffer_pool_max_bytes: 512 << 20,
            redo_log_bytes: 16 << 20,
            max_allowed_packet_bytes: 64 << 20,
            address_space_max_bytes: 8 << 30,
            cgroup: CgroupChoice::Auto,
            landlock_abi_max: None,
        }
    }
}

impl LocalSettings {
    /// Uid of the engine that builds the template, where the server is root: no cluster's.
    pub(crate) fn template_uid(&self) -> u32 {
        self.uid_claim
            .as_ref()
            .map_or(NO_CLAIM_UID, |claim| *claim.range().end())
    }
}
