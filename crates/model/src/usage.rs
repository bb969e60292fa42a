//! Measured use of one cluster, beside its limits.

/// Use of one cluster at one moment. A field that can't be measured on this machine is `None`;
/// memory and tasks of a cluster that is asleep are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterUsage {
    /// Blocks of its files, temporary ones included. `None` before the first measurement of this
    /// server's life.
    pub disk_bytes: Option<u64>,
    /// Files and folders it has, and how many it may have: a share of the file system's.
    pub files: Option<u64>,
    pub files_max: Option<u64>,
    /// Anonymous memory of its engine: what can't be taken from it without ending it.
    pub memory_bytes: Option<u64>,
    /// CPU time of its engine since this server started.
    pub cpu_micros: Option<u64>,
    /// Processes and threads of its engine.
    pub tasks: Option<u64>,
}
