//! View of the list of clusters.

use super::engine_form::EngineForms;
use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::Frame;
use crate::pages::words::filters;
use askama::Template;

/// Links to the pages beside a page of a list.
#[derive(Default)]
pub struct PageLinks {
    /// Query of the page before; None on the first page.
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
    /// Number of all clusters, not only of those shown.
    pub total: usize,
    pub awake: usize,
    /// Text that was searched for; may be empty.
    pub find: String,
    pub pages: PageLinks,
    pub rows: Vec<ClusterRow>,
    /// Name that was entered and refused.
    pub wanted: String,
    pub engine_forms: EngineForms,
}
