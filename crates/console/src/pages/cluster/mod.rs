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

/// Number of sessions that are requested.
#[derive(Deserialize)]
pub struct SessionsQuery {
    /// `all`, or missing for the first ones.
    sessions: Option<String>,
}

pub async fn show_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    who: SignedIn,
    Query(wanted): Query<SessionsQuery>,
) -> Response {
    let most = if wanted.sessions.as_deref() == Some("all") {
        limits::SESSIONS_SHOWN_MAX
    } else {
        limits::SESSIONS_SHOWN
    };
    match cluster_page(&web, &who, &name, None, most).await {
        Ok(shown) => html_page(StatusCode::OK, &shown),
        Err(error) => problem::show_problem(&who, &error),
    }
}
