//! Buttons and forms of a cluster's page. Each calls one operation of room `control`.

use super::limits_form::TypedLimits;
use super::page::page_with_notice;
use super::settings_form::TypedSettings;
use super::view::ClusterPage;
use crate::auth::{CheckedForm, SignedIn};
use crate::pages::frame::Notice;
use crate::pages::problem;
use crate::pages::respond::{html_page, status_of};
use crate::pages::sign_in::NoFields;
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tidegate_control::{ClusterChange, ControlError};

pub async fn sleep_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<NoFields>,
) -> Response {
    let done = form.control(&web).sleep_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done).await
}

pub async fn wake_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<NoFields>,
) -> Response {
    let done = form.control(&web).wake_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done).await
}

pub async fn end_session(
    State(web): State<Web>,
    Path((name, id)): Path<(String, u64)>,
    form: CheckedForm<NoFields>,
) -> Response {
    // Operators may end every session.
    let done = web.api.control.kill_session(id, |_| true);
    back_to(&web, &form.who, &name, done).await
}

/// Answers with the cluster's page: a redirect after success, or the page with the reason of the
/// error.
async fn back_to(
    web: &Web,
    who: &SignedIn,
    name: &str,
    done: Result<(), ControlError>,
) -> Response {
    let Err(error) = done else {
        // The name from the store, not the one from the address: it has no special characters.
        return match web.api.control.cluster(name).await {
            Ok(view) => Redirect::to(&format!("/clusters/{}", view.name)).into_response(),
            Err(_) => Redirect::to("/").into_response(),
        };
    };
    match page_with_notice(web, who, name, Notice::of_change(&error)).await {
        Ok(shown) => html_page(status_of(&error), &shown),
        Err(gone) => problem::show_problem(who, &gone),
    }
}

#[derive(Deserialize)]
pub struct DeleteFields {
    confirm: String,
}

pub async fn delete_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<DeleteFields>,
) -> Response {
    if form.fields.confirm.trim() != name {
        let notice = Notice {
            text: "Nothing was deleted: the text you entered is not the cluster's name.".to_owned(),
            hint: String::new(),
        };
        return match page_with_notice(&web, &form.who, &name, notice).await {
            Ok(shown) => html_page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &ClusterPage {
                    deleting: true,
                    ..shown
                },
            ),
            Err(error) => problem::show_problem(&form.who, &error),
        };
    }
    match form.control(&web).delete_cluster(&name).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => back_to(&web, &form.who, &name, Err(error)).await,
    }
}

pub async fn change_limits(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<TypedLimits>,
) -> Response {
    let typed = &form.fields;
    let changed = form
        .control(&web)
        .change_limits(&name, typed.change())
        .await;
    match changed {
        Ok(view) => Redirect::to(&format!("/clusters/{}#limits", view.name)).into_response(),
        Err(error) => {
            match page_with_notice(&web, &form.who, &name, Notice::of_change(&error)).await {
                Ok(shown) => html_page(
                    status_of(&error),
                    &ClusterPage {
                        limits: typed.again(),
                        ..shown
                    },
                ),
                Err(gone) => problem::show_problem(&form.who, &gone),
            }
        }
    }
}

pub async fn change_settings(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<TypedSettings>,
) -> Response {
    let typed = &form.fields;
    let change = ClusterChange {
        settings: typed.change(),
        ..ClusterChange::default()
    };
    match form.control(&web).change_cluster(&name, change).await {
        Ok(view) => Redirect::to(&format!("/clusters/{}#settings", view.name)).into_response(),
        Err(error) => {
            match page_with_notice(&web, &form.who, &name, Notice::of_change(&error)).await {
                Ok(shown) => html_page(
                    status_of(&error),
                    &ClusterPage {
                        settings: typed.again(),
                        ..shown
                    },
                ),
                Err(gone) => problem::show_problem(&form.who, &gone),
            }
        }
    }
}

#[derive(Deserialize)]
pub struct RenameFields {
    new_name: String,
}

pub async fn rename_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<RenameFields>,
) -> Response {
    let new = form.fields.new_name.trim();
    match form.control(&web).rename_cluster(&name, new).await {
        Ok(view) => Redirect::to(&format!("/clusters/{}", view.name)).into_response(),
        Err(error) => back_to(&web, &form.who, &name, Err(error)).await,
    }
}
