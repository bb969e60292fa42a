//! View of the list of clusters.

use super::engine_form::EngineForms;
use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::Frame;
use crate::pages::words::filters;
use askama::Template;

/// Where in a long list this is.
pub struct PageLinks {
    pub number: usize,
    pub of: usize,
    /// Addresses' queries.
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Template)]
#[template(path = "clusters.html")]
pub struct ClustersPage {
    pub frame: Frame,
    pub endpoint: String,
    pub trust: &'static str,
    pub ready: bool,
    /// Of all clusters, whatever is shown.
    pub total: usize,
    pub awake: usize,
    /// What was looked for; empty: nothing.
    pub find: String,
    pub pages: PageLinks,
    pub rows: Vec<ClusterRow>,
    /// What was typed as a name and refused.
    pub wanted: String,
    pub engine_forms: EngineForms,
}
