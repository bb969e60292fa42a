//! The group in one hierarchy that contains the engines' groups, and the controllers that it
//! provides.

use super::hierarchy::Version;
use std::path::{Path, PathBuf};

/// Prefix of the names of all groups that contain engines.
pub const GROUP_PREFIX: &str = "tidegate-";

/// A facility of the kernel that a limit, a measurement or a kill needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    Memory,
    Cpu,
    /// Accounting of CPU time: on v2 a part of `cpu`, on v1 `cpuacct`.
    CpuTime,
    Pids,
    Freezer,
    /// `cgroup.kill` (v2, Linux 5.14).
    Kill,
}

impl Controller {
    pub const V1: [(Self, &'static str); 5] = [
        (Self::Memory, "memory"),
        (Self::Cpu, "cpu"),
        (Self::CpuTime, "cpuacct"),
        (Self::Pids, "pids"),
        (Self::Freezer, "freezer"),
    ];
    pub const V2: [(Self, &'static str); 3] = [
        (Self::Memory, "memory"),
        (Self::Cpu, "cpu"),
        (Self::Pids, "pids"),
    ];
}

/// The place of all engines' groups in one hierarchy: beside each other, and not below one group.
/// The kernel gives CPU time group by group, so below one group an engine that uses much would use
/// up what all of them have: measured, the p99 of other clusters' queries was three times as long
/// (45 ms instead of 17 ms).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub version: Version,
    /// The group that contains the engines' groups.
    pub base: PathBuf,
    /// Prefix of the names of this server's groups.
    pub prefix: String,
    controllers: Vec<Controller>,
}

impl Parent {
    pub fn new(
        version: Version,
        base: PathBuf,
        prefix: String,
        controllers: Vec<Controller>,
    ) -> Self {
        Self {
            version,
            base,
            prefix,
            controllers,
        }
    }

    /// For a group that another server made: by which means it can be killed is read from its
    /// files.
    pub fn of_leftover(dir: &Path) -> Self {
        let by_kernel = dir.join("cgroup.kill").exists();
        let freezer = dir.join("freezer.state").exists();
        let controllers = match (by_kernel, freezer) {
            (true, _) => vec![Controller::Kill],
            (false, true) => vec![Controller::Freezer],
            (false, false) => Vec::new(),
        };
        let version = if by_kernel { Version::V2 } else { Version::V1 };
        Self {
            version,
            base: dir.parent().unwrap_or(dir).to_owned(),
            prefix: String::new(),
            controllers,
        }
    }

    /// The directory of a group of this server.
    pub fn group(&self, name: &str) -> PathBuf {
        self.base.join(format!("{}{name}", self.prefix))
    }

    #[cfg(test)]
    pub fn forget(&mut self, controllers: &[Controller]) {
        self.controllers.retain(|c| !controllers.contains(c));
    }

    pub fn has(&self, controller: Controller) -> bool {
        self.controllers.contains(&controller)
    }
}
