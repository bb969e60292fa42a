//! Measured use of one cluster, beside its limits.

/// Use of one cluster at one moment. A value that can't be measured on this machine is `None`;
/// memory and tasks of a sleeping cluster are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterUsage {
    /// Disk space of its files in bytes, temporary files included. `None` before the first
    /// measurement since the server's start.
    pub disk_bytes: Option<u64>,
    /// Number of its files and folders, and its limit: a share of the file system's.
    pub files: Option<u64>,
    pub files_max: Option<u64>,
    /// Whether its limit of one file's size applies only at its next wake, because this server may
    /// not change that of a running engine. The disk limit itself applies immediately.
    pub file_size_waits: bool,
    /// Anonymous memory of its engine, which can't be reclaimed without ending the engine.
    pub memory_bytes: Option<u64>,
    /// CPU time of its engine since this server started.
    pub cpu_micros: Option<u64>,
    /// Processes and threads of its engine.
    pub tasks: Option<u64>,
}
