//! Messages to a supervisor: requests from outside, and reports of its tasks.

use crate::drain::DrainEnd;
use crate::error::{EngineError, StartError};
use crate::readings::{ReadingAnswer, ReadingReply};
use crate::tasks::Started;
use std::time::Instant;
use tidegate_model::{ClusterLimits, RunEpoch};
use tokio::sync::oneshot;

pub enum SupervisorCommand {
    /// Use these limits from now on.
    Limits {
        limits: ClusterLimits,
        reply: oneshot::Sender<()>,
    },
    Sleep(oneshot::Sender<Result<(), EngineError>>),
    /// Sleep whatever the sessions do: others need the memory.
    Yield(oneshot::Sender<Result<(), EngineError>>),
    Accounts {
        not_before: Instant,
        users: Vec<String>,
        reply: ReadingReply,
    },
    /// Stops the cluster's engine for good, and deletes its data if `remove` is set.
    End {
        remove: bool,
        reply: oneshot::Sender<Result<(), EngineError>>,
    },
}

/// Report of one of the supervisor's own tasks.
pub enum SupervisorReport {
    Started(Result<Started, StartError>),
    Drained(DrainEnd),
    Read(ReadingAnswer),
    /// The engine of this run gives no sign of life.
    Frozen(RunEpoch),
    /// The end of this run was recorded late.
    Recorded(RunEpoch),
}
