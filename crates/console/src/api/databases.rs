//! Routes of the databases of a cluster. All of them wake it, so none is open to a key that only
//! reads.

use super::clusters::VersionQuery;
use super::idempotency::WriteApi;
use super::json_body::JsonObject;
use crate::errors::ApiError;
use crate::state::Api;
use crate::types::{CreateDatabase, Database, DatabaseList, ErrorBody};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use tidegate_control::DatabaseView;

/// Lists the databases of a cluster by name. The cluster is woken for it.
#[utoipa::path(
    get,
    path = "/v1/clusters/{name}/databases",
    tag = "databases",
    security(("key" = ["clusters"])),
    params(("name" = String, Path)),
    responses(
        (status = 200, body = DatabaseList),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn list_databases(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<DatabaseList>, ApiError> {
    let list = api.control.databases(&name).await?;
    Ok(Json(DatabaseList {
        databases: list.rows.into_iter().map(database_body).collect(),
        complete: list.complete,
    }))
}

/// Creates a database. Users whose role is for all databases get it too.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/databases",
    tag = "databases",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    request_body = CreateDatabase,
    responses(
        (status = 201, body = Database),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = 409, description = "the name is taken, or the engine is busy", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn create_database(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
    JsonObject(wanted): JsonObject<CreateDatabase>,
) -> Result<(StatusCode, Json<Database>), ApiError> {
    let made = api
        .control
        .at_version(at.version)
        .create_database(&name, &wanted.name)
        .await?;
    Ok((StatusCode::CREATED, Json(database_body(made))))
}

/// Deletes a database with all its data, and the grants of the roles on it.
#[utoipa::path(
    delete,
    path = "/v1/clusters/{name}/databases/{database}",
    tag = "databases",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), ("database" = String, Path), VersionQuery),
    responses(
        (status = 204),
        (status = 404, description = "no such cluster or database", body = ErrorBody),
        (status = 409, description = "a session uses it", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn delete_database(
    WriteApi(api): WriteApi,
    Path((name, database)): Path<(String, String)>,
    Query(at): Query<VersionQuery>,
) -> Result<StatusCode, ApiError> {
    api.control
        .at_version(at.version)
        .delete_database(&name, &database)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn database_body(view: DatabaseView) -> Database {
    Database {
        name: view.name,
        character_set: view.character_set,
        collation: view.collation,
    }
}
