//! Lists of clusters and sessions, page by page. Only the rows of a page are built, whatever the
//! number of clusters and sessions.

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::error::ControlResult;
use crate::limits;
use crate::operations::ROOT;
use crate::views::{
    ClusterCounts, ClusterPage, ClusterView, ClustersWanted, ListStart, SessionPage, SessionView,
    SessionsWanted,
};
use std::sync::Arc;
use tidegate_model::{ClusterName, ClusterState, Prefix, SessionInfo};

impl Control {
    /// Returns all clusters, ordered by name.
    pub fn clusters(&self) -> Vec<ClusterView> {
        self.register()
            .all()
            .iter()
            .map(|entry| self.view(entry))
            .collect()
    }

    /// Returns a page of the list of clusters, ordered by name, without those that the caller may
    /// not see.
    pub fn cluster_page(
        &self,
        wanted: &ClustersWanted,
        may_see: impl Fn(&str) -> bool,
    ) -> ClusterPage {
        let mut found = Vec::new();
        let mut start = wanted.start.clone();
        // One more than a page tells whether there is another page.
        'pages: loop {
            let part = self.scan_part(wanted, &start);
            let Some(last) = part.last().map(|entry| entry.name()) else {
                break;
            };
            for entry in part {
                if may_see(entry.name().as_str()) && self.fits(&entry, wanted) {
                    found.push(entry);
                }
                if found.len() > wanted.most {
                    break 'pages;
                }
            }
            start = match start {
                ListStart::Before(_) => ListStart::Before(last),
                ListStart::First | ListStart::After(_) => ListStart::After(last),
            };
            if wanted.prefix.is_some() {
                break;
            }
        }
        let more = found.len() > wanted.most;
        found.truncate(wanted.most);
        if matches!(wanted.start, ListStart::Before(_)) {
            found.reverse();
        }
        ClusterPage {
            rows: found.iter().map(|entry| self.view(entry)).collect(),
            more,
        }
    }

    /// Returns the next clusters from this start on, which may not fit. At most
    /// [`limits::SCAN_PART`], so that a scan never keeps logins from the register for long.
    fn scan_part(&self, wanted: &ClustersWanted, start: &ListStart) -> Vec<Arc<ClusterEntry>> {
        match &wanted.prefix {
            // No cluster has a prefix that is not one.
            Some(prefix) => Prefix::parse(prefix)
                .and_then(|prefix| self.register().by_prefix(&prefix))
                .into_iter()
                .filter(|entry| start.includes(&entry.name()))
                .collect(),
            None => self.register().part(start, limits::SCAN_PART),
        }
    }

    fn fits(&self, entry: &ClusterEntry, wanted: &ClustersWanted) -> bool {
        let find = wanted.find.as_str();
        let named = find.is_empty()
            || entry.name().as_str().contains(find)
            || format!("{}.{ROOT}", entry.prefix.as_str()).contains(find);
        named
            && wanted
                .state
                .is_none_or(|state| self.state_of(entry) == state)
    }

    /// Returns the state of a cluster. One that is deleted at this moment has no engine any more.
    pub(crate) fn state_of(&self, entry: &ClusterEntry) -> ClusterState {
        self.engines()
            .state(entry.id)
            .unwrap_or(ClusterState::Asleep)
    }

    /// Counts all clusters by state, and the sessions.
    pub fn cluster_counts(&self) -> ClusterCounts {
        let total = self.register().count();
        let states = self.engines().states();
        let awaken = states
            .into_iter()
            .filter(|state| *state != ClusterState::Asleep);
        let not_asleep: Vec<_> = awaken.collect();
        ClusterCounts {
            total,
            not_asleep,
            sessions: self.sessions().logged_in(),
        }
    }

    /// Returns a page of the logged-in sessions, ordered by id, without those that the caller may
    /// not see. `may_see` gets `None` for the name if the cluster was deleted.
    pub fn session_page(
        &self,
        wanted: &SessionsWanted,
        may_see: impl Fn(Option<&str>) -> bool,
    ) -> ControlResult<SessionPage> {
        let only = wanted
            .cluster
            .as_deref()
            .map(|name| self.entry(name))
            .transpose()?
            .map(|entry| entry.id);
        let mut rows = Vec::new();
        let mut after = wanted.after;
        'parts: loop {
            let part = self.sessions().page(only, after, limits::SCAN_PART);
            let Some(last) = part.last().map(|session| session.id) else {
                break;
            };
            for session in part {
                let cluster = self.name_of(session.cluster);
                let of_user = wanted
                    .user
                    .as_deref()
                    .is_none_or(|user| session.user == user);
                if of_user && may_see(cluster.as_ref().map(ClusterName::as_str)) {
                    rows.push(session_view(session, cluster));
                }
                if rows.len() > wanted.most {
                    break 'parts;
                }
            }
            after = Some(last);
        }
        let more = rows.len() > wanted.most;
        rows.truncate(wanted.most);
        Ok(SessionPage { rows, more })
    }
}

fn session_view(session: SessionInfo, cluster: Option<ClusterName>) -> SessionView {
    SessionView {
        id: session.id,
        client: session.client,
        cluster,
        user: session.user,
        tls: session.tls,
        age: session.age,
    }
}
