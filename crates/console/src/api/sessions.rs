//! Routes of sessions.

use crate::auth::scoped::ApiCaller;
use crate::errors::ApiError;
use crate::state::Api;
use crate::types::{ErrorBody, Session, SessionList};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tidegate_control::{ControlError, SessionView};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionFilter {
    cluster: Option<String>,
}

/// Lists the sessions that have logged in.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    tag = "sessions",
    security(("key" = ["read"])),
    params(("cluster" = Option<String>, Query, description = "only sessions of this cluster")),
    responses((status = 200, body = SessionList), (status = "default", body = ErrorBody))
)]
pub async fn list_sessions(
    State(api): State<Api>,
    caller: ApiCaller,
    Query(filter): Query<SessionFilter>,
) -> Result<Json<SessionList>, ApiError> {
    // The error for a cluster that this key may not see is the same as for one that does not exist.
    if let Some(hidden) = filter
        .cluster
        .as_deref()
        .filter(|name| !caller.may_read(name))
    {
        return Err(ControlError::not_found(hidden).into());
    }
    let sessions = api
        .control
        .session_list(filter.cluster.as_deref())?
        .into_iter();
    let seen = |session: &SessionView| match &session.cluster {
        Some(name) => caller.may_read(name.as_str()),
        None => caller.is_all(),
    };
    Ok(Json(SessionList {
        sessions: sessions.filter(seen).map(session_body).collect(),
    }))
}

/// Closes a session.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    tag = "sessions",
    security(("key" = ["clusters"])),
    params(("id" = u64, Path)),
    responses(
        (status = 204),
        (status = 404, description = "no such session", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn kill_session(
    State(api): State<Api>,
    Path(id): Path<u64>,
    caller: ApiCaller,
) -> Result<StatusCode, ApiError> {
    api.control.kill_session(id, |cluster| match cluster {
        Some(name) => caller.may_change(name),
        None => caller.is_all(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

fn session_body(view: SessionView) -> Session {
    Session {
        id: view.id.0,
        cluster: view.cluster.map(String::from),
        user: view.user,
        client: view.client.to_string(),
        tls: view.tls.to_owned(),
        age_seconds: view.age.as_secs(),
    }
}
