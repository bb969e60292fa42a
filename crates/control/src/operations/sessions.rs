//! Ends sessions.

use crate::control::Control;
use crate::error::{ControlError, ControlResult, ErrorCode};
use tidegate_model::{ClusterId, ClusterName, SessionId};

impl Control {
    /// Name of a cluster that has sessions: it is awake, and so in memory.
    pub(crate) fn name_of(&self, cluster: ClusterId) -> Option<ClusterName> {
        let entry = self.register().in_memory(cluster)?;
        Some(entry.name())
    }

    /// Asks a session to end. A caller who may not end sessions of its cluster gets the same error
    /// as for a session that doesn't exist. `may_end` gets `None` for the name if the cluster was
    /// deleted.
    pub fn kill_session(
        &self,
        id: u64,
        may_end: impl Fn(Option<&str>) -> bool,
    ) -> ControlResult<()> {
        let found = SessionId::is_ours(id)
            .and_then(|session| Some((session, self.sessions().cluster_of(session)?)));
        match found {
            Some((session, cluster))
                if may_end(self.name_of(cluster).as_ref().map(ClusterName::as_str))
                    && self.sessions().kill(session) =>
            {
                Ok(())
            }
            // An interrupted execution of this request has ended it, or the end of the server has.
            None if self.is_resumed() => Ok(()),
            _ => Err(ControlError::new(
                ErrorCode::NotFound,
                format!("there is no session {id}"),
                "`tidegate session list` shows those that are open",
            )),
        }
    }
}
