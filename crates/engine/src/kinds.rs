//! List of the kinds of engines and their settings: the one file outside a kind's own folder that
//! names it.

use crate::error::EngineError;
use crate::kind::EngineKind;
use crate::local::folder::Folder;
use crate::local::machine;
use crate::local::{LocalKind, LocalSettings, MARIADB};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::{ClusterId, KindDescription};

/// Descriptions of all kinds, for programs that talk about them without a server.
pub const KINDS: &[&KindDescription] = &[&MARIADB];

/// Opens every kind. The first is that of clusters for which none was named.
pub fn open_kinds(settings: &EngineSettings) -> Result<Vec<Arc<dyn EngineKind>>, EngineError> {
    let mut kinds: Vec<Arc<dyn EngineKind>> = vec![Arc::new(LocalKind::open(
        &settings.folder,
        &settings.local,
    )?)];
    kinds.extend(settings.more_kinds.0.iter().cloned());
    Ok(kinds)
}

/// Kinds beside those of this room.
#[derive(Clone, Default)]
pub struct MoreKinds(pub Vec<Arc<dyn EngineKind>>);

impl fmt::Debug for MoreKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|kind| kind.description().name);
        f.debug_list().entries(names).finish()
    }
}

/// Settings of this room with their defaults. `cli` reads the configuration file and merges it into
/// them.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The data directory. `engines/`, `templates/` and `run/` below it are this room's.
    pub folder: PathBuf,
    /// Engines that start at the same moment. A start costs 60 ms of one core, so more than twice
    /// the cores only make everybody wait longer.
    pub wakes_at_once_max: usize,
    /// Anonymous memory of all awake engines together. Default: 70 % of the machine's.
    pub awake_memory_max_bytes: u64,
    /// An awake engine that gives no greeting and uses no CPU time for this long is frozen: it is
    /// killed and recovered.
    pub frozen_after: Duration,
    /// MariaDB processes of this machine.
    pub local: LocalSettings,
    /// Kinds that the caller brings along.
    pub more_kinds: MoreKinds,
}

/// Part of the machine's memory that awake engines may use. The rest is for the gateway, the page
/// cache, which keeps sleeping clusters warm, and everything else on the machine.
const AWAKE_PERCENT: u64 = 70;

impl EngineSettings {
    /// Part of the memory that this machine, or the control group it runs in, gives to the server.
    /// No bound if that can't be read.
    pub fn part_of_memory(percent: u64) -> u64 {
        machine::memory_bytes().map_or(u64::MAX, |bytes| bytes / 100 * percent)
    }

    /// Returns the path of the log of a cluster's engine, which exists after its first start.
    pub fn log_of(data: &Path, cluster: ClusterId) -> PathBuf {
        Folder::new(data.join("engines").join(cluster.to_string()), None).log()
    }

    pub fn new(folder: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            folder,
            wakes_at_once_max: cores * 2,
            awake_memory_max_bytes: Self::part_of_memory(AWAKE_PERCENT),
            frozen_after: Duration::from_secs(30),
            local: LocalSettings::default(),
            more_kinds: MoreKinds::default(),
        }
    }
}
