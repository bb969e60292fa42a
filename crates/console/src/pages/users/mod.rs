//! Page of a cluster's users and databases. It lists them only while the cluster is awake: opening
//! a page must not wake a cluster. A generated password is only in the answer to a POST.

mod view;

#[cfg(test)]
pub mod sample;

use super::cluster_row::ClusterRow;
use super::frame::{Frame, MenuEntry, Notice};
use super::problem;
use super::respond::{html_page, status_of};
use super::sign_in::NoFields;
use crate::auth::{CheckedForm, SignedIn};
use crate::limits::{FIND_MAX, ROWS_PER_PAGE};
use crate::state::Web;
use crate::types::Secret;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tidegate_control::{
    Control, ControlError, ControlResult, ErrorCode, NewUser, UserWithPassword, UsersWanted,
};
use tidegate_model::{ClusterState, UserRole};
use view::{DatabaseRow, Lists, MadeUser, UserRow, UsersPage};

/// Fields of a new user.
#[derive(Deserialize)]
pub struct NewUserFields {
    user: String,
    role: String,
    /// Empty for all databases.
    #[serde(default)]
    database: String,
}

/// Name of the user that a form is about.
#[derive(Deserialize)]
pub struct UserFields {
    user: String,
}

/// Name of the database that a form is about.
#[derive(Deserialize)]
pub struct DatabaseFields {
    database: String,
}

/// Database to delete, with its name as it was typed.
#[derive(Deserialize)]
pub struct DeleteDatabaseFields {
    database: String,
    confirm: String,
}

/// Part of the list of users that is requested.
#[derive(Default, Deserialize)]
pub struct UsersQuery {
    /// Text to find in names.
    #[serde(default)]
    find: String,
    /// Name of the last user of the page before.
    after: Option<String>,
}

impl UsersQuery {
    fn text(&self) -> String {
        self.find.trim().chars().take(FIND_MAX).collect()
    }

    /// Returns the query of the page after a user.
    fn query(&self, after: &str) -> String {
        let fields = [("find", self.find.trim()), ("after", after)];
        serde_urlencoded::to_string(fields).unwrap_or_default()
    }
}

/// Parts of the page other than the lists.
#[derive(Default)]
struct UsersExtra {
    part: UsersQuery,
    made: Option<MadeUser>,
    notice: Option<Notice>,
    wanted_user: String,
    wanted_database: String,
}

pub async fn show_users(
    State(web): State<Web>,
    Path(name): Path<String>,
    Query(part): Query<UsersQuery>,
    who: SignedIn,
) -> Response {
    let extra = UsersExtra {
        part,
        ..UsersExtra::default()
    };
    respond(&web, &who, &name, StatusCode::OK, extra).await
}

/// A browser that reloads the address of a form's answer gets the page without a password.
pub async fn redirect_to_users(
    State(web): State<Web>,
    Path(name): Path<String>,
    who: SignedIn,
) -> Response {
    match web.api.control.cluster(&name).await {
        Ok(view) => Redirect::to(&address(view.name.as_str())).into_response(),
        Err(error) => problem::show_problem(&who, &error),
    }
}

pub async fn wake_for_users(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<NoFields>,
) -> Response {
    let done = form.control(&web).wake_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done, UsersExtra::default()).await
}

pub async fn create_user(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<NewUserFields>,
) -> Response {
    let made = create(&form.control(&web), &name, &form.fields).await;
    let wanted = form.fields.user;
    show_made(&web, &form.who, &name, made, wanted).await
}

async fn create(
    control: &Control,
    name: &str,
    fields: &NewUserFields,
) -> ControlResult<UserWithPassword> {
    let role = UserRole::parse(&fields.role).ok_or_else(|| {
        let hint = "choose admin, read-write or read-only";
        ControlError::new(ErrorCode::BadParameters, "there is no such role", hint)
    })?;
    let one = (!fields.database.is_empty()).then(|| vec![fields.database.clone()]);
    let new = NewUser {
        name: fields.user.trim().to_owned(),
        role,
        databases: one,
        password: None,
    };
    control.create_user(name, new).await
}

pub async fn new_user_password(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<UserFields>,
) -> Response {
    let control = form.control(&web);
    let changed = control.user_password(&name, &form.fields.user, None).await;
    show_made(&web, &form.who, &name, changed, String::new()).await
}

pub async fn delete_user(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<UserFields>,
) -> Response {
    let done = form
        .control(&web)
        .delete_user(&name, &form.fields.user)
        .await;
    back_to(&web, &form.who, &name, done, UsersExtra::default()).await
}

pub async fn create_database(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<DatabaseFields>,
) -> Response {
    let wanted = form.fields.database.trim();
    let done = form.control(&web).create_database(&name, wanted).await;
    let extra = UsersExtra {
        wanted_database: wanted.to_owned(),
        ..UsersExtra::default()
    };
    back_to(&web, &form.who, &name, done.map(drop), extra).await
}

pub async fn delete_database(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<DeleteDatabaseFields>,
) -> Response {
    let DeleteDatabaseFields { database, confirm } = &form.fields;
    if confirm.trim() != database.trim() {
        let notice = Notice {
            text: "Nothing was deleted: the text you entered is not the database's name."
                .to_owned(),
            hint: String::new(),
        };
        let extra = UsersExtra {
            notice: Some(notice),
            ..UsersExtra::default()
        };
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return respond(&web, &form.who, &name, status, extra).await;
    }
    let done = form.control(&web).delete_database(&name, database).await;
    back_to(&web, &form.who, &name, done, UsersExtra::default()).await
}

/// Answers with the page and the password of a user, or with the reason of the error.
async fn show_made(
    web: &Web,
    who: &SignedIn,
    name: &str,
    made: ControlResult<UserWithPassword>,
    wanted: String,
) -> Response {
    match made {
        Ok(made) => {
            let extra = UsersExtra {
                made: made.password.map(|password| MadeUser {
                    login: made.user.login,
                    password: Secret::new(password),
                }),
                ..UsersExtra::default()
            };
            respond(web, who, name, StatusCode::OK, extra).await
        }
        Err(error) => {
            let extra = UsersExtra {
                wanted_user: wanted,
                ..UsersExtra::default()
            };
            back_to(web, who, name, Err(error), extra).await
        }
    }
}

/// Answers with a redirect to the page after success, or with the page and the reason of the error.
async fn back_to(
    web: &Web,
    who: &SignedIn,
    name: &str,
    done: ControlResult<()>,
    extra: UsersExtra,
) -> Response {
    match done {
        // The name from the store, not the one from the address: it has no special characters.
        Ok(()) => match web.api.control.cluster(name).await {
            Ok(view) => Redirect::to(&address(view.name.as_str())).into_response(),
            Err(error) => problem::show_problem(who, &error),
        },
        Err(error) => {
            let extra = UsersExtra {
                notice: Some(Notice::of_change(&error)),
                ..extra
            };
            respond(web, who, name, status_of(&error), extra).await
        }
    }
}

fn address(cluster: &str) -> String {
    format!("/clusters/{cluster}/users")
}

async fn respond(
    web: &Web,
    who: &SignedIn,
    name: &str,
    status: StatusCode,
    extra: UsersExtra,
) -> Response {
    match users_page(web, who, name, extra).await {
        Ok(page) => html_page(status, &page),
        Err(error) => problem::show_problem(who, &error),
    }
}

async fn users_page(
    web: &Web,
    who: &SignedIn,
    name: &str,
    extra: UsersExtra,
) -> ControlResult<UsersPage> {
    let view = web.api.control.cluster(name).await?;
    let mut notice = extra.notice;
    let lists = match view.state {
        ClusterState::Awake => match lists(web, name, &extra.part).await {
            Ok(lists) => Some(lists),
            Err(error) => {
                notice = notice.or_else(|| Some(Notice::from(&error)));
                None
            }
        },
        _ => None,
    };
    let row = ClusterRow::of(&view);
    Ok(UsersPage {
        frame: Frame {
            notice,
            ..Frame::of(who, format!("Users of {name}"), MenuEntry::Clusters)
        },
        row,
        lists,
        made: extra.made,
        wanted_user: extra.wanted_user,
        wanted_database: extra.wanted_database,
    })
}

async fn lists(web: &Web, name: &str, part: &UsersQuery) -> ControlResult<Lists> {
    let wanted = UsersWanted {
        find: part.text(),
        after: part.after.clone(),
        most: ROWS_PER_PAGE,
    };
    let users = web.api.control.users(name, wanted).await?;
    let databases = web.api.control.databases(name).await?;
    Ok(Lists {
        users: users.rows.iter().map(UserRow::of).collect(),
        users_complete: users.complete && users.next.is_none(),
        next_users: users.next.map(|next| part.query(&next)),
        find: part.find.trim().to_owned(),
        databases: databases.rows.iter().map(DatabaseRow::of).collect(),
        databases_complete: databases.complete,
    })
}
