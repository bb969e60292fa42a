//! List and end of sessions.

use crate::control::Control;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::views::SessionView;
use tidegate_model::{ClusterName, SessionId};

impl Control {
    /// Sessions that have logged in; of one cluster or of all.
    pub fn session_list(&self, cluster: Option<&str>) -> ControlResult<Vec<SessionView>> {
        let only = cluster
            .map(|name| self.entry(name))
            .transpose()?
            .map(|entry| entry.id);
        let view = |s: tidegate_model::SessionInfo| SessionView {
            id: s.id,
            client: s.client,
            cluster: self
                .register()
                .by_id(s.cluster)
                .map(|entry| entry.name.clone()),
            user: s.user,
            tls: s.tls,
            age: s.age,
        };
        Ok(self.sessions().list(only).into_iter().map(view).collect())
    }

    /// Asks one session to end. To a caller who may not end those of its cluster it does not exist;
    /// the name is `None` if that cluster was deleted.
    pub fn kill_session(
        &self,
        id: u64,
        may_end: impl Fn(Option<&str>) -> bool,
    ) -> ControlResult<()> {
        let found = SessionId::is_ours(id)
            .and_then(|session| Some((session, self.sessions().cluster_of(session)?)));
        let name = |cluster| {
            self.register()
                .by_id(cluster)
                .map(|entry| entry.name.clone())
        };
        match found {
            Some((session, cluster))
                if may_end(name(cluster).as_ref().map(ClusterName::as_str))
                    && self.sessions().kill(session) =>
            {
                Ok(())
            }
            _ => Err(ControlError::new(
                ErrorCode::NotFound,
                format!("there is no session {id}"),
                "`tidegate session list` shows those that are open",
            )),
        }
    }
}
