//! Lists of clusters and sessions, page by page. Only the rows of a page are built, whatever the
//! number of clusters and sessions.

use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::entry_cache::EntryUse;
use crate::error::ControlResult;
use crate::limits;
use crate::operations::ROOT;
use crate::store::{ClusterRow, HostRow, ListStart, PartWanted, StoredCluster};
use crate::views::{
    ClusterCounts, ClusterPage, ClusterView, ClustersWanted, SessionPage, SessionView,
    SessionsWanted,
};
use tidegate_model::{ClusterName, ClusterState, Prefix, SessionInfo};

impl Control {
    /// Returns all clusters, ordered by name.
    pub async fn clusters(&self) -> ControlResult<Vec<ClusterView>> {
        let every = ClustersWanted {
            most: usize::MAX,
            ..ClustersWanted::default()
        };
        Ok(self.cluster_page(&every, |_| true).await?.rows)
    }

    /// Returns a page of the list of clusters, ordered by name, without those that the caller may
    /// not see.
    pub async fn cluster_page(
        &self,
        wanted: &ClustersWanted,
        may_see: impl Fn(&str) -> bool,
    ) -> ControlResult<ClusterPage> {
        let mut found = match (&wanted.prefix, wanted.state) {
            (Some(prefix), _) => self.with_prefix(prefix).await?,
            // These are in memory, and few.
            (None, Some(state)) if state != ClusterState::Asleep => self.in_state(state).await?,
            (None, _) => return self.stored_page(wanted, may_see).await,
        };
        let backwards = matches!(wanted.start, ListStart::Before(_));
        found.retain(|view| {
            wanted.start.includes(&view.name)
                && may_see(view.name.as_str())
                && is_named(view, &wanted.find)
                && wanted.state.is_none_or(|state| view.state == state)
        });
        found.sort_by(|a, b| a.name.cmp(&b.name));
        if backwards {
            found.reverse();
        }
        Ok(page_of(found, wanted))
    }

    /// Returns a page that is read from the store, a part at a time.
    async fn stored_page(
        &self,
        wanted: &ClustersWanted,
        may_see: impl Fn(&str) -> bool,
    ) -> ControlResult<ClusterPage> {
        let mut part = PartWanted {
            start: wanted.start.clone(),
            // A row more than a page tells whether there is another page.
            most: wanted.most.saturating_add(1).min(limits::SCAN_PART),
            find: wanted.find.clone(),
            user: ROOT,
        };
        let mut found = Vec::new();
        loop {
            let read = self.store().cluster_list(&part).await?;
            self.count_list_rows(read.rows.len());
            for row in read.rows {
                if !may_see(row.name.as_str()) {
                    continue;
                }
                let view = self.view_of(row);
                if wanted.state.is_none_or(|state| view.state == state) {
                    found.push(view);
                }
            }
            match read.last {
                Some(last) if found.len() <= wanted.most => part.start = part.start.behind(last),
                _ => return Ok(page_of(found, wanted)),
            }
            // Most clusters of the first part don't fit.
            part.most = limits::SCAN_PART;
        }
    }

    /// Returns the cluster of this prefix, if there is one.
    async fn with_prefix(&self, prefix: &str) -> ControlResult<Vec<ClusterView>> {
        // No cluster has a prefix that is not one.
        let id = Prefix::parse(prefix).and_then(|prefix| self.register().index().find(&prefix));
        let Some(id) = id else { return Ok(Vec::new()) };
        let entry = self.register().by_id(id, EntryUse::LookUp).await?;
        Ok(entry.iter().map(|entry| self.view(entry)).collect())
    }

    /// Returns the clusters in a state in which they are in memory.
    async fn in_state(&self, wanted: ClusterState) -> ControlResult<Vec<ClusterView>> {
        let mut found = Vec::new();
        for (id, state) in self.engines().not_asleep() {
            if state == wanted
                && let Some(entry) = self.register().by_id(id, EntryUse::LookUp).await?
            {
                found.push(self.view(&entry));
            }
        }
        Ok(found)
    }

    /// Returns the view of a cluster that was read from the store for a list only.
    fn view_of(&self, row: ClusterRow) -> ClusterView {
        match self.register().in_memory(row.id) {
            Some(entry) => self.view(&entry),
            None => {
                let host = HostRow::new(row.id);
                self.view(&ClusterEntry::new(StoredCluster { row, host }))
            }
        }
    }

    /// Counts all clusters by state, and the sessions.
    pub fn cluster_counts(&self) -> ClusterCounts {
        let not_asleep = self.engines().not_asleep();
        ClusterCounts {
            total: self.register().count(),
            not_asleep: not_asleep.into_iter().map(|(_, state)| state).collect(),
            sessions: self.sessions().logged_in(),
        }
    }

    /// Returns a page of the logged-in sessions, ordered by id, without those that the caller may
    /// not see. `may_see` gets `None` for the name if the cluster was deleted.
    pub async fn session_page(
        &self,
        wanted: &SessionsWanted,
        may_see: impl Fn(Option<&str>) -> bool,
    ) -> ControlResult<SessionPage> {
        let only = match &wanted.cluster {
            Some(name) => Some(self.entry(name).await?.id),
            None => None,
        };
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

/// Whether a cluster's name or its administrator's login contains a text.
fn is_named(view: &ClusterView, find: &str) -> bool {
    view.name.as_str().contains(find) || format!("{}.{ROOT}", view.prefix.as_str()).contains(find)
}

/// Returns the first of these clusters as a page, in the order of the list.
fn page_of(mut found: Vec<ClusterView>, wanted: &ClustersWanted) -> ClusterPage {
    let more = found.len() > wanted.most;
    found.truncate(wanted.most);
    if matches!(wanted.start, ListStart::Before(_)) {
        found.reverse();
    }
    ClusterPage { rows: found, more }
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
