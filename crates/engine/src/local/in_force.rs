//! Finds out which limits this machine enforces for MariaDB processes. It leaves nothing changed.

use crate::in_force::{Enforcer, InForce, LimitsInForce};
use crate::local::cgroup::{CgroupHome, Controller, Version};
use crate::local::disk::DiskQuotas;
use crate::local::settings::LocalSettings;
use crate::local::walls::Walls;
use std::path::Path;

/// Means of a limit that a control group enforces, or `otherwise` with the reason.
fn by_group(home: &CgroupHome, controller: Controller, otherwise: Enforcer) -> InForce {
    match home.enforcer(controller) {
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
    }
}

impl LimitsInForce {
    /// Finds out what a server with these settings and this data directory, started by this
    /// process' user, would enforce. [`crate::Engines::limits_in_force`] is exact.
    pub fn probe(folder: &Path, settings: &LocalSettings) -> Self {
        Self::of(
            &CgroupHome::probe(&settings.cgroup),
            Walls::detect(),
            &DiskQuotas::find(folder),
        )
    }

    pub(crate) fn of(home: &CgroupHome, walls: Walls, quotas: &DiskQuotas) -> Self {
        // The kernel counts all processes of a user, so this limit works only if each engine has
        // its own user.
        let tasks = if walls.own_uids {
            Enforcer::Rlimit
        } else {
            Enforcer::Nothing
        };
        let kill = match by_group(home, Controller::Kill, Enforcer::Nothing) {
            InForce {
                by: Enforcer::Nothing,
                ..
            } => by_group(home, Controller::Freezer, Enforcer::Nothing),
            found => found,
        };
        Self {
            // Without a group, RLIMIT_DATA limits private memory.
            memory: by_group(home, Controller::Memory, Enforcer::Rlimit),
            cpu: by_group(home, Controller::Cpu, Enforcer::Nothing),
            tasks: by_group(home, Controller::Pids, tasks),
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
}
