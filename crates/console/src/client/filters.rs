//! Filters of lists, and the requests for their pages.

use tidegate_model::ClusterState;

/// Clusters that a list contains.
#[derive(Debug, Clone, Default)]
pub struct ClusterFilter {
    /// Text in the name or the administrator's login.
    pub find: Option<String>,
    /// Login prefix.
    pub prefix: Option<String>,
    pub state: Option<ClusterState>,
}

/// Sessions that a list contains.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Name of the cluster.
    pub cluster: Option<String>,
    /// User name without the prefix.
    pub user: Option<String>,
}

/// Users that a page contains.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Text in the name.
    pub find: Option<String>,
    /// Only users after this one in the list.
    pub after: Option<String>,
}

impl ClusterFilter {
    /// Returns the path of the page after this name, of at most `limit` clusters.
    pub(super) fn path(&self, after: Option<&str>, limit: Option<&str>) -> String {
        let state = self.state.map(ClusterState::as_str);
        let fields = [
            ("limit", limit),
            ("find", self.find.as_deref()),
            ("prefix", self.prefix.as_deref()),
            ("state", state),
            ("after", after),
        ];
        path_with("/v1/clusters", &fields)
    }
}

impl SessionFilter {
    /// Returns the path of the page after this id.
    pub(super) fn path(&self, after: Option<u32>) -> String {
        let after = after.map(|id| id.to_string());
        let fields = [
            ("cluster", self.cluster.as_deref()),
            ("user", self.user.as_deref()),
            ("after", after.as_deref()),
        ];
        path_with("/v1/sessions", &fields)
    }
}

impl UserFilter {
    /// Returns the path of the page of a cluster's users.
    pub(super) fn path(&self, list: &str) -> String {
        let fields = [
            ("find", self.find.as_deref()),
            ("after", self.after.as_deref()),
        ];
        path_with(list, &fields)
    }
}

/// Returns a path with the fields that have a value as its query.
fn path_with(path: &str, fields: &[(&str, Option<&str>)]) -> String {
    let given: Vec<_> = fields
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)))
        .collect();
    match serde_urlencoded::to_string(given) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}
