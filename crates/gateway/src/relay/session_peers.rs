//! Needs of a session's driver beside its two connections, and the end of its relay.

use crate::held::HeldShare;
use std::sync::Arc;
use tidegate_model::journal::Ending;
use tidegate_model::{ClusterId, EngineSession, LiveSwitch, Sessions, Wording};

/// Reason why the relay ended.
pub(crate) enum RelayEnd {
    Told(Ending),
    /// The client begins to log in as another user. All answers before that are complete.
    ChangeUser,
    /// The engine closed its side. Whether it is alive is asked next.
    EngineClosed {
        detail: Option<String>,
    },
}

impl From<Ending> for RelayEnd {
    fn from(ending: Ending) -> Self {
        Self::Told(ending)
    }
}

/// Both ends of a session, for the ids in KILL statements, and what the session needs to send its
/// own errors.
pub(crate) struct SessionPeers {
    pub cluster: ClusterId,
    pub user: String,
    pub engine_session: EngineSession,
    pub sessions: Sessions,
    pub wording: Arc<Wording>,
    /// Whether a ping counts as work.
    pub ping_holds: LiveSwitch,
    /// Whether the engine is read-only because of the cluster's disk limit.
    pub at_disk_limit: LiveSwitch,
    /// Share of this session in its cluster's budget of memory.
    pub held: HeldShare,
    /// Records that may be sealed under one key of TLS 1.2.
    pub records_max: u64,
}
