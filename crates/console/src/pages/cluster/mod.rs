//! Page of one cluster: its state, sessions, recent events and limits.

pub mod actions;
mod limits_form;
mod page;
mod settings_form;
mod view;

#[cfg(test)]
pub mod sample;

use super::problem;
use super::respond::html_page;
use crate::auth::SignedIn;
use crate::limits;
use crate::state::Web;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use page::cluster_page;
use serde::Deserialize;
use tidegate_control::SessionsWanted;
use tidegate_model::SessionId;

/// Part of the sessions that is requested.
#[derive(Default, Deserialize)]
pub struct SessionsQuery {
    /// `all` for pages of all sessions; missing for the first ones.
    sessions: Option<String>,
    /// User of the sessions; empty for all.
    #[serde(default)]
    user: String,
    /// Id of the last session of the page before.
    after: Option<u32>,
}

impl SessionsQuery {
    fn is_first_part(&self) -> bool {
        self.sessions.as_deref() != Some("all")
    }

    /// Returns the part of the list of this cluster's sessions.
    fn wanted(&self, cluster: &str) -> SessionsWanted {
        let user = self.user.trim();
        SessionsWanted {
            cluster: Some(cluster.to_owned()),
            user: (!user.is_empty()).then(|| user.to_owned()),
            after: self.after.map(SessionId),
            most: if self.is_first_part() {
                limits::SESSIONS_SHOWN
            } else {
                limits::SESSIONS_PER_PAGE
            },
        }
    }

    /// Returns the query of the page after this session, or of the first page.
    fn page_query(&self, after: Option<SessionId>) -> String {
        let after = after.map(|id| id.0.to_string());
        let mut fields = vec![("sessions", "all"), ("user", self.user.trim())];
        fields.extend(after.as_deref().map(|id| ("after", id)));
        serde_urlencoded::to_string(fields).unwrap_or_default()
    }
}

pub async fn show_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    who: SignedIn,
    Query(wanted): Query<SessionsQuery>,
) -> Response {
    match cluster_page(&web, &who, &name, None, &wanted).await {
        Ok(shown) => html_page(StatusCode::OK, &shown),
        Err(error) => problem::show_problem(&who, &error),
    }
}
