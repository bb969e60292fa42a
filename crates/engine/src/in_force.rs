//! Which limits of a cluster are in force on this machine, by which means, and why a better one is
//! not. Never changes anything that stays.

use crate::local::cgroup::{CgroupHome, Controller, Version};
use crate::local::disk::DiskQuotas;
use crate::local::walls::Walls;
use crate::settings::EngineSettings;
use std::fmt;

/// The means by which a limit is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcer {
    CgroupV2,
    CgroupV1,
    /// A limit of the process (setrlimit(2)).
    Rlimit,
    /// A quota of the file system.
    Quota,
    /// Measured by the server every few seconds: may be exceeded for that long.
    Measured,
    /// Not in force.
    Nothing,
}

impl Enforcer {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CgroupV2 => "cgroup v2",
            Self::CgroupV1 => "cgroup v1",
            Self::Rlimit => "rlimit",
            Self::Quota => "file system quota",
            Self::Measured => "measured",
            Self::Nothing => "not in force",
        }
    }
}

impl fmt::Display for Enforcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One limit: its means, and for all but the best one the reason with a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    pub by: Enforcer,
    pub reason: Option<String>,
}

/// All limits of a cluster that the machine has to enforce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsInForce {
    pub memory: InForce,
    pub cpu: InForce,
    pub tasks: InForce,
    pub disk: InForce,
    /// The end of everything that an engine started.
    pub kill: InForce,
}

impl LimitsInForce {
    /// Finds out what a server with these settings, started from here by this user, would enforce.
    /// A running server knows better: [`crate::Engines::limits_in_force`].
    pub fn probe(settings: &EngineSettings) -> Self {
        Self::of(
            &CgroupHome::probe(&settings.cgroup),
            Walls::look(),
            &DiskQuotas::find(&settings.folder),
        )
    }

    pub(crate) fn of(home: &CgroupHome, walls: Walls, quotas: &DiskQuotas) -> Self {
        let group = |controller, otherwise: Enforcer| match home.enforcer(controller) {
            Ok(Version::V2) => InForce {
                by: Enforcer::CgroupV2,
                reason: None,
            },
            Ok(Version::V1) => InForce {
                by: Enforcer::CgroupV1,
                reason: None,
            },
            Err(reason) => InForce {
                by: otherwise,
                reason: Some(reason.to_owned()),
            },
        };
        // A limit of processes counts all of a user's, so it needs a user of its own for each
        // engine.
        let tasks = if walls.own_uids {
            Enforcer::Rlimit
        } else {
            Enforcer::Nothing
        };
        let kill = match group(Controller::Kill, Enforcer::Nothing) {
            InForce {
                by: Enforcer::Nothing,
                ..
            } => group(Controller::Freezer, Enforcer::Nothing),
            found => found,
        };
        Self {
            memory: group(Controller::Memory, Enforcer::Rlimit),
            cpu: group(Controller::Cpu, Enforcer::Nothing),
            tasks: group(Controller::Pids, tasks),
            disk: match quotas.available() {
                Ok(()) => InForce {
                    by: Enforcer::Quota,
                    reason: None,
                },
                Err(reason) => InForce {
                    by: Enforcer::Measured,
                    reason: Some(reason.to_owned()),
                },
            },
            kill,
        }
    }

    /// Each limit with its name, in the order in which people read them.
    pub fn rows(&self) -> [(&'static str, &InForce); 5] {
        [
            ("memory", &self.memory),
            ("CPU", &self.cpu),
            ("tasks", &self.tasks),
            ("disk", &self.disk),
            ("kill", &self.kill),
        ]
    }

    /// Limits that nothing enforces, in words, for the one warning at start.
    pub fn missing(&self) -> Vec<String> {
        let rows = self
            .rows()
            .into_iter()
            .filter(|(_, row)| row.by == Enforcer::Nothing);
        rows.map(|(name, row)| {
            format!(
                "{name}: {}",
                row.reason.as_deref().unwrap_or("no reason is known")
            )
        })
        .collect()
    }
}
