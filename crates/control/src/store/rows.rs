//! Rows of the store about clusters.

use super::access_rows::AccessRows;
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

/// A cluster's record: the facts that gateways may share.
#[derive(Debug, Clone)]
pub struct ClusterRow {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    pub limits: ClusterLimits,
    pub settings: ClusterSettings,
    pub phase: Phase,
    /// Version of the last change of the record. Runs and readings of the accounts don't change it.
    pub version: u64,
    pub book: BookHead,
}

/// Facts about the stored accounts of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookHead {
    /// Run in which they were read; 0 for those that the cluster was created with.
    pub run: RunEpoch,
    /// Whether these are all accounts of the cluster.
    pub complete: bool,
}

/// Facts of this host about a cluster whose engine runs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostRow {
    pub cluster: ClusterId,
    /// System user of its engine, if the server runs as root.
    pub uid: Option<u32>,
    /// Last run that was begun; 0 before the first.
    pub run: RunEpoch,
    /// Whether that run has not ended cleanly.
    pub awake: bool,
}

impl HostRow {
    /// A cluster whose engine has never run on this host.
    pub fn new(cluster: ClusterId) -> Self {
        Self {
            cluster,
            uid: None,
            run: RunEpoch(0),
            awake: false,
        }
    }

    /// Whether the stored accounts are those of the sleeping cluster: its last run has ended
    /// cleanly, and they were read in it.
    pub fn is_settled(&self, book: BookHead) -> bool {
        !self.awake && book.run == self.run
    }
}

/// A cluster's record with what this host knows of it.
#[derive(Debug, Clone)]
pub struct StoredCluster {
    pub row: ClusterRow,
    pub host: HostRow,
}

/// Record of a new cluster.
#[derive(Debug, Clone)]
pub struct Reservation {
    pub id: ClusterId,
    pub name: ClusterName,
    pub prefix: Prefix,
    pub created_unix: i64,
    pub engine: ClusterEngine,
    pub limits: ClusterLimits,
}

/// Changes of the store since a version.
#[derive(Debug)]
pub struct StoreChanges {
    /// Version to ask for the next changes with.
    pub version: u64,
    /// Whether there are more changes than fit into one answer.
    pub more: bool,
    /// Clusters whose record or book has changed, with the present one. Those that are gone are
    /// left out if all clusters were asked for.
    pub clusters: Vec<ClusterRow>,
    /// All links, sessions and keys, if one has changed.
    pub access: Option<AccessRows>,
}

/// Numbers that must not be given out although no row has them: those of directories that the store
/// doesn't know.
#[derive(Debug, Clone, Default)]
pub struct UnknownFolders {
    /// Numbers of these directories.
    pub ids: BTreeSet<ClusterId>,
    /// Owners of these directories.
    pub uids: BTreeSet<u32>,
}

/// Position in a list of clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ListStart {
    #[default]
    First,
    /// The clusters after this name.
    After(ClusterName),
    /// The clusters before this name: the last ones of them.
    Before(ClusterName),
}

impl ListStart {
    /// Whether a cluster of this name can be on the page.
    pub fn includes(&self, name: &ClusterName) -> bool {
        match self {
            Self::First => true,
            Self::After(start) => name > start,
            Self::Before(start) => name < start,
        }
    }

    /// Returns the position behind a cluster, in the direction of the list.
    #[must_use]
    pub fn behind(&self, last: ClusterName) -> Self {
        match self {
            Self::First | Self::After(_) => Self::After(last),
            Self::Before(_) => Self::Before(last),
        }
    }
}

/// Part of the list of clusters that is read at once.
#[derive(Debug, Clone)]
pub struct PartWanted {
    pub start: ListStart,
    pub most: usize,
    /// Text in the name, or in the prefix with `.` and `user`; empty for all.
    pub find: String,
    pub user: &'static str,
}

/// Part of the list of clusters, in the direction in which it is read.
#[derive(Debug, Default)]
pub struct ListPart {
    pub rows: Vec<ClusterRow>,
    /// Name of the last cluster if there may be others behind it.
    pub last: Option<ClusterName>,
}
