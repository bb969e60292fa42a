//! Routes of the server.

use super::idempotency::WriteApi;
use crate::errors::ApiError;
use crate::state::Api;
use crate::types::{ErrorBody, LocalCa, MasterKeyRotation, Server, ServerDisk, Warning};
use axum::Json;
use axum::extract::State;

/// Shows the server.
#[utoipa::path(
    get,
    path = "/v1/server",
    tag = "server",
    security(("key" = ["read"])),
    responses(
        (status = 200, body = Server),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn show_server(State(api): State<Api>) -> Json<Server> {
    let face = api.face.borrow().clone();
    let host = api.control.host().await;
    Json(Server {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        listeners: face.listeners.iter().map(ToString::to_string).collect(),
        trust: face.trust.word().to_owned(),
        ca: face.ca(),
        names: face.names,
        host: face.host,
        port: face.port,
        console: face.console,
        ready: api.control.is_recovered(),
        disk_full: api.control.disk_full().as_deref().map(Warning::disk_full),
        clusters: (&api.control.cluster_counts()).into(),
        memory: (&host).into(),
        disk: ServerDisk::of(&host),
        walls: (&host).into(),
        limits: host.limits.into_iter().map(Into::into).collect(),
        backups: 0,
    })
}

/// Creates a new local CA and serves a certificate that it signed. Open sessions continue; every
/// client then needs the new CA file.
#[utoipa::path(
    post,
    path = "/v1/server/ca",
    tag = "server",
    security(("key" = ["all"])),
    responses(
        (status = 200, body = LocalCa),
        (status = 409, description = "the certificate is not from a local CA", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn renew_ca(WriteApi(api): WriteApi) -> Result<Json<LocalCa>, ApiError> {
    let identity = api.identity;
    let renewed = move || {
        identity
            .renew_ca()
            .map(|()| (identity.ca_path(), identity.names()))
    };
    let (ca, names) = tokio::task::spawn_blocking(renewed)
        .await
        .map_err(ApiError::panicked)??;
    Ok(Json(LocalCa {
        ca: ca
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        names,
    }))
}

/// Replaces the master key by a new one and encrypts everything again that the former one
/// encrypted. Nothing is interrupted. A rotation that a crash interrupted is completed instead.
#[utoipa::path(
    post,
    path = "/v1/server/master-key",
    tag = "server",
    security(("key" = ["operator"])),
    responses(
        (status = 200, body = MasterKeyRotation),
        (status = 409, description = "the key can't be replaced here", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn rotate_master_key(
    WriteApi(api): WriteApi,
) -> Result<Json<MasterKeyRotation>, ApiError> {
    let master = api.identity.master_key().clone();
    let rotated = tokio::task::spawn_blocking(move || master.rotate())
        .await
        .map_err(ApiError::panicked)??;
    tracing::info!(key = %rotated.key, files = rotated.resealed, "the master key was replaced");
    Ok(Json(rotated.into()))
}
