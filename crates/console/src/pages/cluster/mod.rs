//! One cluster: its state, its sessions, what lately happened to it.

pub mod actions;
mod limits_form;
mod page;
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
use page::with_sessions;
use serde::Deserialize;

/// How many of a cluster's sessions are shown.
#[derive(Deserialize)]
pub struct SessionsQuery {
    /// `all`, or a first look.
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
    match with_sessions(&web, &who, &name, (None, most)).await {
        Ok(shown) => html_page(StatusCode::OK, &shown),
        Err(error) => problem::show_problem(&who, &error),
    }
}
