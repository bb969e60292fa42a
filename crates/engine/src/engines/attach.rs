//! Leases of running engines for sessions, and the wait of operators for a running engine.

use super::Engines;
use crate::error::{EngineError, StartError};
use crate::limits::{ANSWER_MAX, OPERATION_MAX};
use std::sync::Arc;
use tidegate_model::{
    AttachError, AttachRequest, BoxFuture, ClusterId, EngineSession, Lease, RunEpoch, Waker,
};

impl Waker for Engines {
    fn attach<'a>(
        &'a self,
        request: AttachRequest<'a>,
    ) -> BoxFuture<'a, Result<Lease, AttachError>> {
        Box::pin(async move {
            let attach = async {
                let cluster = self.cluster(request.cluster).await;
                let cluster = cluster.map_err(|error| match error {
                    EngineError::Stopping => AttachError::Stopping,
                    EngineError::Unknown(_) => AttachError::Gone,
                    other => AttachError::Failed(other.report()),
                })?;
                cluster.attach(&request).await
            };
            let attached = tokio::time::timeout_at(request.deadline.into(), attach).await;
            attached.unwrap_or(Err(AttachError::Deadline))
        })
    }

    fn end_session(&self, id: ClusterId, session: EngineSession) {
        let Some(cluster) = self.in_memory(id) else {
            return;
        };
        let Some(run) = cluster.shared.run(session.run) else {
            return;
        };
        let Ok(permit) = Arc::clone(&cluster.shared.kills).try_acquire_owned() else {
            tracing::warn!(
                cluster = %id,
                "too many sessions end at once; this one's work runs to its end"
            );
            return;
        };
        tokio::spawn(async move {
            // An error means that the session ended by itself meanwhile.
            let _ = run.end_session(session).await;
            drop(permit);
        });
    }

    fn is_alive(&self, id: ClusterId, run: RunEpoch) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let Some(cluster) = self.in_memory(id) else {
                return false;
            };
            let Some(alive) = cluster.shared.run(run) else {
                return false;
            };
            // The sockets of a process that ends close before its end is known, so it is asked.
            match tokio::time::timeout(ANSWER_MAX, alive.answers()).await {
                Ok(answers) => answers,
                // A statement of ours waits for a lock, say. The end of a process is known by now.
                Err(_) => !cluster.shared.has_ended(run).await,
            }
        })
    }
}

/// Waits for an operator's request with the deadline of this room, since it brings none.
pub(super) async fn within<T>(
    id: ClusterId,
    attach: impl Future<Output = Result<T, AttachError>>,
) -> Result<T, EngineError> {
    let done = tokio::time::timeout(OPERATION_MAX, attach).await;
    done.unwrap_or(Err(AttachError::Deadline))
        .map_err(|e| match e {
            AttachError::Failed(reason) => EngineError::Start(StartError::new(reason)),
            AttachError::Refused { kind, reason } => EngineError::Refused { kind, reason },
            // An operator's lease needs no place.
            AttachError::Full => EngineError::Busy,
            AttachError::Deadline => {
                EngineError::Start(StartError::new("the engine did not start in time"))
            }
            AttachError::Gone => EngineError::Unknown(id),
            AttachError::Stopping => EngineError::Stopping,
        })
}
