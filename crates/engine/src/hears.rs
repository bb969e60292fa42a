//! What a supervisor hears: requests from outside, and what its own tasks bring back. Never who
//! asked.

use crate::drain::DrainEnd;
use crate::error::{EngineError, StartError};
use crate::readings::{Answer, Reply as BookReply};
use crate::tasks::Started;
use std::time::Instant;
use tidegate_model::{ClusterLimits, RunEpoch};
use tokio::sync::oneshot;

pub enum Command {
    /// From now on these.
    Limits(ClusterLimits),
    Sleep(oneshot::Sender<Result<(), EngineError>>),
    Accounts {
        not_before: Instant,
        users: Vec<String>,
        reply: BookReply,
    },
    /// Ends the cluster's engine for good, and its data if it is removed.
    End {
        remove: bool,
        reply: oneshot::Sender<Result<(), EngineError>>,
    },
}

/// What a supervisor's own tasks bring back.
pub enum Report {
    Started(Result<Started, StartError>),
    Drained(DrainEnd),
    Read(Answer),
    /// The engine of this run gives no sign of life.
    Frozen(RunEpoch),
    /// The end of this run was noted late.
    Noted(RunEpoch),
}
