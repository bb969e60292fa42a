//! Limits of a cluster that are in force on this machine: by which means each is enforced, and why
//! a better means is not available.

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

/// Means by which a limit is enforced; unless it is the best means, with the reason and a hint.
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
    /// Killing everything that an engine started.
    pub kill: InForce,
}

impl LimitsInForce {
    /// Returns each limit with its name, in the order of display.
    pub fn rows(&self) -> [(&'static str, &InForce); 5] {
        [
            ("memory", &self.memory),
            ("CPU", &self.cpu),
            ("tasks", &self.tasks),
            ("disk", &self.disk),
            ("kill", &self.kill),
        ]
    }

    /// Returns the limits that nothing enforces, for the warning at start.
    pub fn missing(&self) -> Vec<String> {
        let rows = self
            .rows()
            .into_iter()
            .filter(|(_, row)| row.by == Enforcer::Nothing);
        rows.map(|(name, row)| {
            format!(
                "{name}: {}",
                row.reason.as_deref().unwrap_or("reason unknown")
            )
        })
        .collect()
    }
}
