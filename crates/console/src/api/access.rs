//! Routes of sign-in links and API keys.

use super::idempotency::WriteApi;
use super::json_body::JsonObject;
use crate::errors::ApiError;
use crate::state::Api;
use crate::timestamp::rfc3339_date;
use crate::types::{CreateKey, ErrorBody, Key, KeyList, Secret, SignInLink};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::time::Duration;
use tidegate_control::{ApiKey, Scopes};
use zeroize::Zeroizing;

/// Creates a link that signs in one browser to the console, once. Only available on the control
/// socket.
#[utoipa::path(
    post,
    path = "/v1/operator/link",
    tag = "access",
    security(("key" = ["operator"])),
    responses(
        (status = 201, body = SignInLink),
        (status = 409, description = "there is no console", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn create_link(
    WriteApi(api): WriteApi,
) -> Result<(StatusCode, Json<SignInLink>), ApiError> {
    let Some(base) = api.face.borrow().console.clone() else {
        return Err(ApiError::no_console());
    };
    let made = api.control.new_sign_in_link().await?;
    let url = Zeroizing::new(format!("{base}/link/{}", *made.token));
    Ok((
        StatusCode::CREATED,
        Json(SignInLink {
            url: Secret::new(url),
            expires_at: rfc3339_date(made.made),
        }),
    ))
}

/// Lists all API keys, without their secrets.
#[utoipa::path(
    get,
    path = "/v1/keys",
    tag = "access",
    security(("key" = ["operator"])),
    responses(
        (status = 200, body = KeyList),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn list_keys(State(api): State<Api>) -> Result<Json<KeyList>, ApiError> {
    let keys = api
        .control
        .keys()
        .into_iter()
        .map(|key| key_body(key, None))
        .collect();
    Ok(Json(KeyList { keys }))
}

/// Creates an API key. Only this answer contains it: the server stores its hash.
#[utoipa::path(
    post,
    path = "/v1/keys",
    tag = "access",
    security(("key" = ["operator"])),
    request_body = CreateKey,
    responses(
        (status = 201, body = Key),
        (status = 409, description = "the name is taken", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn create_key(
    WriteApi(api): WriteApi,
    JsonObject(wanted): JsonObject<CreateKey>,
) -> Result<(StatusCode, Json<Key>), ApiError> {
    let scopes = Scopes::parse(&wanted.scopes.join(","))?;
    // A number that no `Duration` can represent becomes zero, which is refused.
    let life = wanted
        .expires_after_seconds
        .map(|s| Duration::try_from_secs_f64(s).unwrap_or_default());
    let made = api.control.create_key(&wanted.name, scopes, life).await?;
    tracing::info!(
        key = made.made.id,
        name = made.made.name,
        scopes = %made.made.scopes,
        "API key created"
    );
    Ok((
        StatusCode::CREATED,
        Json(key_body(made.made, Some(Secret::new(made.token)))),
    ))
}

/// Revokes an API key, by id or name. It is invalid from then on.
#[utoipa::path(
    delete,
    path = "/v1/keys/{key}",
    tag = "access",
    security(("key" = ["operator"])),
    params(("key" = String, Path)),
    responses(
        (status = 204),
        (status = 404, description = "no such key", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn revoke_key(
    WriteApi(api): WriteApi,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    api.control.revoke_key(&key).await?;
    tracing::info!(key, "API key revoked");
    Ok(StatusCode::NO_CONTENT)
}

fn key_body(key: ApiKey, token: Option<Secret>) -> Key {
    Key {
        id: key.id,
        name: key.name,
        scopes: key.scopes.words(),
        key: token,
        created_at: rfc3339_date(key.created_unix),
        expires_at: key.expires_unix.map(rfc3339_date),
        used_at: key.used_unix.map(rfc3339_date),
    }
}
