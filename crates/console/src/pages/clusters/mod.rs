//! The list of clusters, and the forms that create one.

pub mod engine_form;
mod view;

#[cfg(test)]
pub mod sample;

use super::cluster_row::ClusterRow;
use super::frame::{Frame, MenuEntry, Notice};
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
use tidegate_control::{ClusterView, NewCluster};
use tidegate_model::ClusterState;
use view::{ClustersPage, PageLinks};

/// Part of the list that is requested.
#[derive(Default, Deserialize)]
pub struct ListQuery {
    /// Text to find in names and logins.
    #[serde(default)]
    find: String,
    /// Number of the page, from 1.
    page: Option<usize>,
}

pub async fn list_clusters(
    State(web): State<Web>,
    who: SignedIn,
    Query(part): Query<ListQuery>,
) -> Response {
    html_page(StatusCode::OK, &clusters_page(&web, &who, &part))
}

fn clusters_page(web: &Web, who: &SignedIn, part: &ListQuery) -> ClustersPage {
    let face = web.api.face.borrow().clone();
    let all = web.api.control.clusters();
    let find = part.find.trim().to_lowercase();
    let total = all.len();
    let is_awake = |view: &&ClusterView| view.state == ClusterState::Awake;
    let awake = all.iter().filter(is_awake).count();
    let found: Vec<ClusterRow> = all
        .iter()
        .map(ClusterRow::of)
        .filter(|row| row.name.contains(&find) || row.login.contains(&find))
        .collect();
    let pages = found.len().div_ceil(limits::ROWS_PER_PAGE).max(1);
    let number = part.page.unwrap_or(1).clamp(1, pages);
    ClustersPage {
        frame: Frame {
            live: true,
            ..Frame::of(who, "Clusters", MenuEntry::Clusters)
        },
        endpoint: format!("{}:{}", bracketed(&face.host), face.port),
        trust: face.trust.word(),
        ready: web.api.control.is_recovered(),
        total,
        awake,
        find: part.find.trim().to_owned(),
        pages: PageLinks {
            number,
            of: pages,
            before: (number > 1).then(|| page_query(part, number - 1)),
            after: (number < pages).then(|| page_query(part, number + 1)),
        },
        rows: found
            .into_iter()
            .skip((number - 1) * limits::ROWS_PER_PAGE)
            .take(limits::ROWS_PER_PAGE)
            .collect(),
        wanted: String::new(),
        engine_forms: EngineForms::of(who.csrf(), web.api.control.engine_kinds()),
    }
}

/// Returns the query of another page of the same list.
fn page_query(part: &ListQuery, number: usize) -> String {
    let fields = [("find", part.find.trim()), ("page", &number.to_string())];
    serde_urlencoded::to_string(fields).unwrap_or_default()
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
            let mut shown = clusters_page(&web, &form.who, &ListQuery::default());
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
