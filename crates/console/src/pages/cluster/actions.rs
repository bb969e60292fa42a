//! The buttons and forms of a cluster's page. Each is one operation of room `control`.

use super::limits_form::TypedLimits;
use super::page::cluster_page;
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
use tidegate_control::ControlError;

pub async fn sleep_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<NoFields>,
) -> Response {
    let done = web.api.control.sleep_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done).await
}

pub async fn wake_cluster(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: CheckedForm<NoFields>,
) -> Response {
    let done = web.api.control.wake_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done).await
}

pub async fn end_session(
    State(web): State<Web>,
    Path((name, id)): Path<(String, u64)>,
    form: CheckedForm<NoFields>,
) -> Response {
    let done = web.api.control.kill_session(id, |_| true);
    back_to(&web, &form.who, &name, done).await
}

/// The cluster's page again, with the reason if nothing was done.
async fn back_to(
    web: &Web,
    who: &SignedIn,
    name: &str,
    done: Result<(), ControlError>,
) -> Response {
    let Err(error) = done else {
        // What was found under this name is of the alphabet that names have.
        return match web.api.control.cluster(name) {
            Ok(view) => Redirect::to(&format!("/clusters/{}", view.name)).into_response(),
            Err(_) => Redirect::to("/").into_response(),
        };
    };
    match cluster_page(web, who, name, Some(Notice::from(&error))).await {
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
            text: "Nothing was deleted: what was typed is not the cluster's name.".to_owned(),
            hint: String::new(),
        };
        return match cluster_page(&web, &form.who, &name, Some(notice)).await {
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
    match web.api.control.delete_cluster(&name).await {
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
    match web.api.control.change_limits(&name, typed.change()).await {
        Ok(view) => Redirect::to(&format!("/clusters/{}#limits", view.name)).into_response(),
        Err(error) => {
            match cluster_page(&web, &form.who, &name, Some(Notice::from(&error))).await {
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
