//! Rows of the store about clusters.

use std::collections::BTreeSet;
use tidegate_model::{
    ClusterEngine, ClusterId, ClusterLimits, ClusterName, ClusterSettings, Prefix, RunEpoch,
};

/// Phase of a cluster's record. Only `Live` clusters are visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Recorded before any file exists. A start that finds it removes the files.
    Creating,
    Live,
    /// Invisible; its directory is being removed.
    Deleting,
    /// A tombstone: its number and prefix are never reused.
    Gone,
}

/// A cluster's record.
#[derive(Debug, Clone)]
pub struct ClusterRow {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    /// User number of its engine, if the server runs as root.
    pub uid: Option<u32>,
    pub limits: ClusterLimits,
    pub settings: ClusterSettings,
    pub phase: Phase,
    /// Last run that was begun; 0 before the first.
    pub run: RunEpoch,
    /// Whether a run was begun and has not ended cleanly.
    pub awake: bool,
    /// Run in which its stored accounts were read.
    pub accounts_run: RunEpoch,
    /// Whether these are all accounts of the cluster.
    pub accounts_complete: bool,
}

/// Record of a new cluster.
#[derive(Debug, Clone)]
pub struct Reservation {
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    pub limits: ClusterLimits,
}

/// Numbers that must not be given out although no row has them: those of directories that the store
/// doesn't know.
#[derive(Debug, Clone, Default)]
pub struct UnknownFolders {
    /// Highest number of these directories.
    pub id_max: u64,
    /// Owners of these directories.
    pub uids: BTreeSet<u32>,
}
