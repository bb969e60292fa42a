//! A cluster whose users or databases an operation manages: awake, and locked for others.

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::engine_error::{Work, administration_error, engine_error};
use crate::error::{ControlError, ControlResult, ErrorCode};
use std::sync::Arc;
use tidegate_engine::{AdministeredRun, Administration, AdministrationError, RunError};
use tokio::sync::OwnedMutexGuard;

/// Characters of a wrong name that an error repeats.
pub const SHOWN_CHARS_MAX: usize = 80;

/// An awake cluster with its lock.
pub struct Administered {
    pub entry: Arc<ClusterEntry>,
    run: AdministeredRun,
    _held: OwnedMutexGuard<()>,
}

impl Administered {
    pub fn admin(&self) -> ControlResult<&dyn Administration> {
        let admin = self.run.administration();
        admin.map_err(|e| engine_error(e, &self.entry.name()))
    }

    pub fn error(&self, error: AdministrationError, work: Work<'_>) -> ControlError {
        administration_error(error, work, &self.entry.name())
    }
}

/// Tries of one operation: two, if the engine ended or closed the connection during the first. A
/// cluster whose engine ended is woken again.
#[derive(Default)]
pub struct Tries {
    is_second: bool,
    /// Whether an earlier execution of the request was interrupted.
    is_resumed: bool,
}

impl Tries {
    /// Whether there was a try before. What it did is found, and is no error.
    pub fn has_earlier(&self) -> bool {
        self.is_second || self.is_resumed
    }

    /// Ends the operation with the error of a try, or lets it be tried again.
    pub async fn try_again(
        &mut self,
        on: &Administered,
        error: AdministrationError,
        work: Work<'_>,
    ) -> ControlResult<()> {
        let is_lost = matches!(
            &error,
            AdministrationError::Run(RunError::Lost(_))
                | AdministrationError::Unfinished {
                    source: RunError::Lost(_),
                    ..
                }
        );
        if !is_lost || std::mem::replace(&mut self.is_second, true) {
            return Err(on.error(error, work));
        }
        // The next lease must be one of the next run.
        on.run.has_ended().await;
        Ok(())
    }
}

impl Control {
    /// Tries of a change for the request of this operation.
    pub(super) fn tries(&self) -> Tries {
        Tries {
            is_second: false,
            is_resumed: self.is_resumed(),
        }
    }

    /// Wakes a cluster to manage its users or databases.
    pub(super) async fn administered(&self, cluster: &str) -> ControlResult<Administered> {
        let (entry, held) = self.exclusive(cluster).await?;
        let run = self.engines().administer(entry.id).await;
        let run = run.map_err(|e| engine_error(e, &entry.name()))?;
        Ok(Administered {
            entry,
            run,
            _held: held,
        })
    }
}

/// Error of a name that nothing can have.
pub fn no_such(kind: &str, name: &str, cluster: &str) -> ControlError {
    let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
    ControlError::new(
        ErrorCode::NotFound,
        format!("there is no {kind} {shown:?} in cluster {cluster:?}"),
        format!("`tidegate {kind} list {cluster}` shows those that exist"),
    )
}
