//! Finds out which limits this machine enforces for MariaDB processes. Never changes anything that
//! stays.

use crate::in_force::{Enforcer, InForce, LimitsInForce};
use crate::local::cgroup::{CgroupHome, Controller, Version};
use crate::local::disk::DiskQuotas;
use crate::local::settings::LocalSettings;
use crate::local::walls::Walls;
use std::path::Path;

impl LimitsInForce {
    /// Finds out what a server with these settings and this data directory, started by this process'
    /// user, would enforce. [`crate::Engines::limits_in_force`] is exact.
    pub fn probe(folder: &Path, settings: &LocalSettings) -> Self {
        Self::of(
            &CgroupHome::probe(&settings.cgroup),
            Walls::look(),
            &DiskQuotas::find(folder),
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
}
