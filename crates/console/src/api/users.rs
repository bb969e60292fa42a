//! Routes of the users of a cluster. All of them wake it, so none is open to a key that only reads.

use super::clusters::VersionQuery;
use super::idempotency::WriteApi;
use super::json_body::JsonObject;
use super::paging::UserQuery;
use crate::errors::ApiError;
use crate::state::Api;
use crate::types::{Account, CreateUser, ErrorBody, Secret, SetPassword, User, UserList};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use tidegate_control::{NewUser, UserView, UserWithPassword};
use zeroize::Zeroizing;

/// Lists the users that can log in to a cluster: those with a role first, then those that SQL made,
/// each by name, page by page. Without `limit`, a page has 1000. The cluster is woken for it.
#[utoipa::path(
    get,
    path = "/v1/clusters/{name}/users",
    tag = "users",
    security(("key" = ["clusters"])),
    params(
        ("name" = String, Path),
        ("after" = Option<String>, Query, description = "only users after this one in the list: \
         the `next` of the page before"),
        ("limit" = Option<u16>, Query, description = "most users of the page", minimum = 1,
         maximum = 1000),
        ("find" = Option<String>, Query, description = "only users whose name contains this text",
         max_length = 100)
    ),
    responses(
        (status = 200, body = UserList),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn list_users(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(query): Query<UserQuery>,
) -> Result<Json<UserList>, ApiError> {
    let page = api.control.users(&name, query.wanted()?).await?;
    let users = page.rows.into_iter().map(|user| user_body(user, None));
    Ok(Json(UserList {
        users: users.collect(),
        complete: page.complete && page.next.is_none(),
        next: page.next,
    }))
}

/// Creates a user with the rights of a role. If the password is generated, only this answer
/// contains it: the server does not store it.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/users",
    tag = "users",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    request_body = CreateUser,
    responses(
        (status = 201, body = User),
        (status = 404, description = "no such cluster or database", body = ErrorBody),
        (status = 409, description = "the name is taken, or the engine is busy", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn create_user(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
    JsonObject(wanted): JsonObject<CreateUser>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    let new = NewUser {
        name: wanted.name,
        role: wanted.role.into(),
        databases: wanted.databases,
        password: given(wanted.password),
    };
    let made = api
        .control
        .at_version(at.version)
        .create_user(&name, new)
        .await?;
    Ok((StatusCode::CREATED, Json(with_password(made))))
}

/// Deletes a user: ends its sessions and drops its accounts.
#[utoipa::path(
    delete,
    path = "/v1/clusters/{name}/users/{user}",
    tag = "users",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), ("user" = String, Path), VersionQuery),
    responses(
        (status = 204),
        (status = 404, description = "no such cluster or user", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn delete_user(
    WriteApi(api): WriteApi,
    Path((name, user)): Path<(String, String)>,
    Query(at): Query<VersionQuery>,
) -> Result<StatusCode, ApiError> {
    api.control
        .at_version(at.version)
        .delete_user(&name, &user)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the password of a user. If it is generated, only this answer contains it.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/users/{user}/password",
    tag = "users",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), ("user" = String, Path), VersionQuery),
    request_body = SetPassword,
    responses(
        (status = 200, body = User),
        (status = 404, description = "no such cluster or user", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn set_user_password(
    WriteApi(api): WriteApi,
    Path((name, user)): Path<(String, String)>,
    Query(at): Query<VersionQuery>,
    JsonObject(wanted): JsonObject<SetPassword>,
) -> Result<Json<User>, ApiError> {
    let password = given(wanted.password);
    let changed = api
        .control
        .at_version(at.version)
        .user_password(&name, &user, password)
        .await?;
    Ok(Json(with_password(changed)))
}

/// Deletes the accounts without a name, and ends the sessions of users that have no account: the
/// engine let them in by these.
#[utoipa::path(
    delete,
    path = "/v1/clusters/{name}/anonymous-user",
    tag = "users",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    responses(
        (status = 204),
        (status = 404, description = "no such cluster or accounts", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn delete_anonymous_user(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
) -> Result<StatusCode, ApiError> {
    let control = api.control.at_version(at.version);
    control.delete_user(&name, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the password of the accounts without a name. If it is generated, only this answer
/// contains it.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/anonymous-user/password",
    tag = "users",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    request_body = SetPassword,
    responses(
        (status = 200, body = User),
        (status = 404, description = "no such cluster or accounts", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn set_anonymous_password(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
    JsonObject(wanted): JsonObject<SetPassword>,
) -> Result<Json<User>, ApiError> {
    let password = given(wanted.password);
    let control = api.control.at_version(at.version);
    let changed = control.user_password(&name, "", password).await?;
    Ok(Json(with_password(changed)))
}

fn given(password: Option<Secret>) -> Option<Zeroizing<String>> {
    password.map(|secret| Zeroizing::new(secret.reveal().to_owned()))
}

fn with_password(made: UserWithPassword) -> User {
    user_body(made.user, made.password.map(Secret::new))
}

fn user_body(view: UserView, password: Option<Secret>) -> User {
    let hosts = view.accounts.iter().map(|account| account.host.clone());
    let accounts = view.accounts.iter().map(|account| Account {
        host: account.host.clone(),
        role: account.role.map(Into::into),
        locked: account.locked,
    });
    User {
        name: view.name,
        user: view.login,
        password,
        role: view.role.map(Into::into),
        every_database: view.every_database,
        databases: view.databases,
        hosts: hosts.collect(),
        accounts: accounts.collect(),
        locked: view.accounts.iter().any(|account| account.locked),
    }
}
