//! Rows of the store about clusters.

use std::collections::BTreeSet;
use tidegate_model::{ClusterEngine, ClusterId, ClusterLimits, ClusterName, Prefix, RunEpoch};

/// How far a cluster has come. Only `Live` ones are ever shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Written before anything stands on disk: whoever finds it at start sweeps what there is.
    Creating,
    Live,
    /// Invisible from here on; its directory is going or gone.
    Deleting,
    /// A tombstone: keeps the number and the prefix from being given out again.
    Gone,
}

/// One cluster as the store has it.
#[derive(Debug, Clone)]
pub struct ClusterRow {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    /// The system user its engine runs as, where the server is root.
    pub uid: Option<u32>,
    pub limits: ClusterLimits,
    pub phase: Phase,
    /// The last run that was begun; 0 before the first.
    pub run: RunEpoch,
    /// A run was begun and has not ended cleanly.
    pub awake: bool,
    /// The run that its stored accounts were read in.
    pub accounts_run: RunEpoch,
    /// Whether they are all accounts of the cluster.
    pub accounts_complete: bool,
}

/// What a new cluster is made from.
#[derive(Debug, Clone)]
pub struct Reservation {
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    pub limits: ClusterLimits,
}

/// What may not be given out although no row holds it: directories that lie about from an older
/// store.
#[derive(Debug, Clone, Default)]
pub struct Strays {
    /// The highest number that a directory carries.
    pub id_max: u64,
    /// Owners of those directories.
    pub uids: BTreeSet<u32>,
}
