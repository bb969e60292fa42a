//! The list of clusters, and the forms that create one.

pub mod engine_form;
mod view;

#[cfg(test)]
pub mod sample;

use super::cluster_row::ClusterRow;
use super::frame::{Frame, MenuEntry, Notice};
use super::problem;
use super::respond::{html_page, status_of};
use crate::auth::{CheckedForm, SignedIn};
use crate::limits;
use crate::state::Web;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use engine_form::{EngineForms, sent_parameters};
use serde::Deserialize;
use std::collections::BTreeMap;
use tidegate_connect::bracketed;
use tidegate_control::{ClustersWanted, ControlResult, ListStart, NewCluster};
use tidegate_model::{ClusterName, ClusterState};
use view::{ClustersPage, PageLinks};

/// Part of the list that is requested.
#[derive(Default, Deserialize)]
pub struct ListQuery {
    /// Text to find in names and logins.
    #[serde(default)]
    find: String,
    /// Name of the last cluster of the page before.
    after: Option<String>,
    /// Name of the first cluster of the page after.
    before: Option<String>,
}

impl ListQuery {
    /// Returns the position of the page. Text that is no name means the first page.
    fn start(&self) -> ListStart {
        match (name_in(self.after.as_ref()), name_in(self.before.as_ref())) {
            (Some(name), _) => ListStart::After(name),
            (None, Some(name)) => ListStart::Before(name),
            (None, None) => ListStart::First,
        }
    }

    /// Returns the text to find, as names and logins are written.
    fn text(&self) -> String {
        self.find
            .trim()
            .to_lowercase()
            .chars()
            .take(limits::FIND_MAX)
            .collect()
    }

    /// Returns the query of the page after or before a name.
    fn query(&self, direction: &str, name: &ClusterName) -> String {
        let fields = [("find", self.find.trim()), (direction, name.as_str())];
        serde_urlencoded::to_string(fields).unwrap_or_default()
    }

    /// Returns the rows of the page, and the links to the pages beside it.
    async fn rows(&self, web: &Web) -> ControlResult<(Vec<ClusterRow>, PageLinks)> {
        let wanted = ClustersWanted {
            start: self.start(),
            most: limits::ROWS_PER_PAGE,
            find: self.text(),
            ..ClustersWanted::default()
        };
        let page = web.api.control.cluster_page(&wanted, |_| true).await?;
        let mut links = PageLinks::default();
        if let (Some(first), Some(last)) = (page.rows.first(), page.rows.last()) {
            let backwards = matches!(wanted.start, ListStart::Before(_));
            let has_before = match wanted.start {
                ListStart::First => false,
                ListStart::After(_) => true,
                ListStart::Before(_) => page.more,
            };
            if has_before {
                links.before = Some(self.query("before", &first.name));
            }
            if backwards || page.more {
                links.after = Some(self.query("after", &last.name));
            }
        }
        Ok((page.rows.iter().map(ClusterRow::of).collect(), links))
    }
}

/// Returns the name in a field, if it is one.
fn name_in(field: Option<&String>) -> Option<ClusterName> {
    ClusterName::parse(field?).ok()
}

pub async fn list_clusters(
    State(web): State<Web>,
    who: SignedIn,
    Query(part): Query<ListQuery>,
) -> Response {
    match clusters_page(&web, &who, &part).await {
        Ok(page) => html_page(StatusCode::OK, &page),
        Err(error) => problem::show_problem(&who, &error),
    }
}

async fn clusters_page(web: &Web, who: &SignedIn, part: &ListQuery) -> ControlResult<ClustersPage> {
    let face = web.api.face.borrow().clone();
    let counts = web.api.control.cluster_counts();
    let (rows, pages) = part.rows(web).await?;
    Ok(ClustersPage {
        frame: Frame {
            live: true,
            ..Frame::of(who, "Clusters", MenuEntry::Clusters)
        },
        endpoint: format!("{}:{}", bracketed(&face.host), face.port),
        trust: face.trust.word(),
        ready: web.api.control.is_recovered(),
        total: counts.total,
        awake: counts.of_state(ClusterState::Awake),
        find: part.find.trim().to_owned(),
        pages,
        rows,
        wanted: String::new(),
        engine_forms: EngineForms::of(who.csrf(), web.api.control.engine_kinds()),
    })
}

#[derive(Deserialize)]
pub struct NewClusterForm {
    #[serde(default)]
    name: String,
    /// Kind of engine; missing in the form with only a name.
    engine: Option<String>,
    /// All other fields, with the parameters of the kind.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

/// Creates a cluster and redirects to its Connect page, where a password can be generated. The one
/// from the creation is not shown.
pub async fn create_cluster(State(web): State<Web>, form: CheckedForm<NewClusterForm>) -> Response {
    let name = form.fields.name.trim();
    let wanted = NewCluster {
        name: (!name.is_empty()).then(|| name.to_owned()),
        engine: form.fields.engine.clone(),
        parameters: sent_parameters(&form.fields.others),
        limits: None,
    };
    match web.api.control.create_cluster(wanted).await {
        Ok(made) => {
            Redirect::to(&format!("/clusters/{}/connect?new=1", made.cluster.name)).into_response()
        }
        Err(error) => {
            let shown = clusters_page(&web, &form.who, &ListQuery::default()).await;
            let Ok(mut shown) = shown else {
                return problem::show_problem(&form.who, &error);
            };
            shown.frame.notice = Some(Notice::from(&error));
            html_page(
                status_of(&error),
                &ClustersPage {
                    wanted: name.to_owned(),
                    ..shown
                },
            )
        }
    }
}
