//! Routes of sessions.

use super::idempotency::WriteApi;
use super::paging::SessionQuery;
use crate::auth::scoped::ApiCaller;
use crate::errors::ApiError;
use crate::state::Api;
use crate::types::{ErrorBody, Session, SessionList};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use tidegate_control::{ControlError, SessionView};

/// Lists the sessions that have logged in by their ids, page by page. Without `limit`, a page has
/// 1000 of them.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    tag = "sessions",
    security(("key" = ["read"])),
    params(
        ("cluster" = Option<String>, Query, description = "only sessions of this cluster"),
        ("user" = Option<String>, Query, description = "only sessions of this user, without the \
         prefix"),
        ("after" = Option<u32>, Query, description = "only sessions with larger ids than this: the \
         `next` of the page before", maximum = 2147483647),
        ("limit" = Option<u16>, Query, description = "most sessions of the page", minimum = 1,
         maximum = 1000)
    ),
    responses((status = 200, body = SessionList), (status = "default", body = ErrorBody))
)]
pub async fn list_sessions(
    State(api): State<Api>,
    caller: ApiCaller,
    Query(query): Query<SessionQuery>,
) -> Result<Json<SessionList>, ApiError> {
    // The error for a cluster that this key may not see is the same as for one that does not exist.
    if let Some(hidden) = query
        .cluster
        .as_deref()
        .filter(|name| !caller.may_read(name))
    {
        return Err(ControlError::not_found(hidden).into());
    }
    let wanted = query.wanted()?;
    let may_see = |cluster: Option<&str>| match cluster {
        Some(name) => caller.may_read(name),
        None => caller.is_all(),
    };
    let page = api.control.session_page(&wanted, may_see).await?;
    let last = page.rows.last().filter(|_| page.more);
    Ok(Json(SessionList {
        next: last.map(|session| session.id.0),
        sessions: page.rows.into_iter().map(session_body).collect(),
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
    WriteApi(api): WriteApi,
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
