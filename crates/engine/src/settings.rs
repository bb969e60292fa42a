//! What an operator may choose about engines, with the defaults and why. Never read from a file
//! here: `cli` merges.

use crate::local::machine;
use crate::local::uids::UidClaim;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How our own binary is called to become an engine.
#[derive(Debug, Clone)]
pub struct Helper {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

/// Where the engines' control groups are made.
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

/// The template's user without a claim: the last number that a claim could have.
const NO_CLAIM_UID: u32 = 2_147_352_575;

#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The data directory. `engines/`, `templates/` and `run/` below it are this room's.
    pub folder: PathBuf,
    /// The engine's program. Default: `/usr/sbin/mariadbd`, then `mariadbd` on PATH.
    pub mariadbd: Option<PathBuf>,
    /// What fills the named time zones when the template is built. Default:
    /// `$TIDEGATE_TZINFO_TO_SQL`, then `mariadb-tzinfo-to-sql` or `mysql_tzinfo_to_sql` on PATH;
    /// without one there are no named zones.
    pub tzinfo_to_sql: Option<PathBuf>,
    /// The helper. Default: this very program with the argument `engine-exec`.
    pub helper: Option<Helper>,
    /// Engines that start at the same moment. A start costs 60 ms of one core, so more than twice
    /// the cores only make everybody wait longer.
    pub wakes_at_once_max: usize,
    /// As root, each cluster's engine runs under a uid of its own. The user numbers that this
    /// server has for itself; without a claim no process is ended because of its user.
    pub uid_claim: Option<Arc<UidClaim>>,
    /// InnoDB's buffer pool at the start of an engine; small, since a cluster that sleeps has
    /// filled nothing.
    pub buffer_pool_bytes: u64,
    /// What the pool may be grown to while the engine runs.
    pub buffer_pool_max_bytes: u64,
    /// Redo log: the measured middle between write speed and the time of a recovery (about 130 ms
    /// after kill -9).
    pub redo_log_bytes: u64,
    pub max_allowed_packet_bytes: u64,
    /// Address space of one engine. A tenant may ask its engine for any buffer size; the machine is
    /// shared.
    pub address_space_max_bytes: u64,
    /// Anonymous memory of all awake engines together. Default: 70 % of the machine's.
    pub awake_memory_max_bytes: u64,
    /// Where the engines' control groups are made.
    pub cgroup: CgroupChoice,
    /// An awake engine that gives no greeting and uses no CPU time for this long is frozen: it is
    /// killed and recovered.
    pub frozen_after: Duration,
    /// For tests of the wall: use no Landlock above this version.
    pub landlock_abi_max: Option<u8>,
}

/// Part of the machine's memory that awake engines may use. The rest is for the gateway, the page
/// cache, which keeps sleeping clusters warm, and everything else on the machine.
const AWAKE_PERCENT: u64 = 70;

impl EngineSettings {
    /// Part of the memory that this machine, or the control group it runs in, gives to the server.
    /// Everything if that can't be read.
    pub fn part_of_memory(percent: u64) -> u64 {
        machine::memory_bytes().map_or(u64::MAX, |bytes| bytes / 100 * percent)
    }

    pub fn new(folder: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            folder,
            mariadbd: None,
            tzinfo_to_sql: None,
            helper: None,
            wakes_at_once_max: cores * 2,
            uid_claim: None,
            buffer_pool_bytes: 16 << 20,
            buffer_pool_max_bytes: 512 << 20,
            redo_log_bytes: 16 << 20,
            max_allowed_packet_bytes: 64 << 20,
            address_space_max_bytes: 8 << 30,
            awake_memory_max_bytes: Self::part_of_memory(AWAKE_PERCENT),
            cgroup: CgroupChoice::Auto,
            frozen_after: Duration::from_secs(30),
            landlock_abi_max: None,
        }
    }

    /// The user that builds the template, as root: nobody's cluster.
    pub(crate) fn template_uid(&self) -> u32 {
        self.uid_claim
            .as_ref()
            .map_or(NO_CLAIM_UID, |claim| *claim.range().end())
    }
}
