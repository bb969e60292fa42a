//! Connect page: a client's connection strings, a new password and the connection test. A password
//! is only in answers to a POST, never in an address, and the server does not store it.

mod platform;
mod view;

#[cfg(test)]
pub mod sample;

use super::cluster_row::ClusterRow;
use super::frame::{Frame, MenuEntry, Notice};
use super::problem;
use super::respond::{html_page, status_of};
use super::words::sentence;
use crate::auth::{CheckedForm, SignedIn};
use crate::machine::machine_platform;
use crate::probe::{ProbeStage, ProbeStep};
use crate::state::Web;
use crate::types::{Secret, TestConnection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tidegate_connect::{RenderOptions, TlsMinimum, clients, platforms};
use tidegate_control::ControlError;
use tidegate_model::{error_chain, printable};
use view::{ClientChoice, ConnectPage, StepView, client_groups};

/// Fields of this page's forms: the choice, and values that one form passes on to the next page.
#[derive(Deserialize)]
pub struct ConnectFields {
    with: Option<String>,
    os: Option<String>,
    tls: Option<String>,
    /// Present if the cluster was just created.
    new: Option<String>,
    /// Password that an earlier answer showed. The form sends it back, so that the strings keep it.
    password: Option<Secret>,
    /// Password that was entered for the test. It is not shown.
    typed: Option<Secret>,
}

impl ConnectFields {
    /// Returns the choice, by default with the visitor's own operating system.
    fn chosen(&self, headers: &HeaderMap) -> ClientChoice {
        let first = clients()
            .first()
            .map(|client| client.id.clone())
            .unwrap_or_default();
        ClientChoice {
            with: self.with.clone().unwrap_or(first),
            os: self
                .os
                .clone()
                .unwrap_or_else(|| platform::guess_platform(headers).to_owned()),
            tls: if self.tls.as_deref() == Some("1.3") {
                "1.3"
            } else {
                "1.2"
            }
            .to_owned(),
        }
    }

    /// Removes the passwords of a `GET`: addresses are stored in histories and logs.
    fn without_password(self) -> Self {
        Self {
            password: None,
            typed: None,
            ..self
        }
    }
}

/// Parts of the page other than the choice.
#[derive(Default)]
struct ConnectExtra {
    password: Option<Secret>,
    fresh: bool,
    steps: Vec<StepView>,
    notice: Option<Notice>,
}

pub async fn show_connect(
    State(web): State<Web>,
    Path(name): Path<String>,
    who: SignedIn,
    Query(fields): Query<ConnectFields>,
    headers: HeaderMap,
) -> Response {
    let fields = fields.without_password();
    let extra = ConnectExtra {
        fresh: fields.new.is_some(),
        ..ConnectExtra::default()
    };
    page_or_problem(
        &who,
        StatusCode::OK,
        connect_page(&web, &who, &name, fields.chosen(&headers), extra).await,
    )
}

pub async fn show_choice(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: CheckedForm<ConnectFields>,
) -> Response {
    let chosen = form.fields.chosen(&headers);
    let extra = ConnectExtra {
        password: form.fields.password,
        ..ConnectExtra::default()
    };
    page_or_problem(
        &form.who,
        StatusCode::OK,
        connect_page(&web, &form.who, &name, chosen, extra).await,
    )
}

pub async fn redirect_to_connect(
    State(web): State<Web>,
    Path(name): Path<String>,
    who: SignedIn,
) -> Response {
    match web.api.control.cluster(&name).await {
        Ok(view) => Redirect::to(&format!("/clusters/{}/connect", view.name)).into_response(),
        Err(error) => problem::show_problem(&who, &error),
    }
}

pub async fn new_password(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: CheckedForm<ConnectFields>,
) -> Response {
    let chosen = form.fields.chosen(&headers);
    let (status, extra) = match form.control(&web).new_password(&name).await {
        Ok(made) => (
            StatusCode::OK,
            ConnectExtra {
                password: Some(Secret::new(made.password)),
                ..ConnectExtra::default()
            },
        ),
        Err(error) => (
            status_of(&error),
            ConnectExtra {
                notice: Some(Notice::of_change(&error)),
                ..ConnectExtra::default()
            },
        ),
    };
    page_or_problem(
        &form.who,
        status,
        connect_page(&web, &form.who, &name, chosen, extra).await,
    )
}

pub async fn test_connection(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: CheckedForm<ConnectFields>,
) -> Response {
    let chosen = form.fields.chosen(&headers);
    let ConnectFields {
        password, typed, ..
    } = form.fields;
    let view = match web.api.control.cluster(&name).await {
        Ok(view) => view,
        Err(error) => return problem::show_problem(&form.who, &error),
    };
    let given = password
        .clone()
        .or(typed)
        .filter(|secret| !secret.reveal().is_empty());
    let asked = TestConnection {
        password: given,
        ..TestConnection::default()
    };
    let steps = web
        .api
        .test(&view, &asked)
        .await
        .into_iter()
        .map(step_view)
        .collect();
    page_or_problem(
        &form.who,
        StatusCode::OK,
        connect_page(
            &web,
            &form.who,
            &name,
            chosen,
            ConnectExtra {
                password,
                steps,
                ..ConnectExtra::default()
            },
        )
        .await,
    )
}

fn page_or_problem(
    who: &SignedIn,
    status: StatusCode,
    shown: Result<ConnectPage, ControlError>,
) -> Response {
    match shown {
        Ok(shown) => html_page(status, &shown),
        Err(error) => problem::show_problem(who, &error),
    }
}

async fn connect_page(
    web: &Web,
    who: &SignedIn,
    name: &str,
    chosen: ClientChoice,
    extra: ConnectExtra,
) -> Result<ConnectPage, ControlError> {
    let view = web.api.control.cluster(name).await?;
    let face = web.api.face.borrow().clone();
    let wish = RenderOptions {
        os: Some(&chosen.os),
        tls: if chosen.tls == "1.3" {
            TlsMinimum::Tls13
        } else {
            TlsMinimum::Tls12
        },
        password: extra.password.as_ref().map(Secret::reveal),
        ca_machine: Some(machine_platform()),
        names: &face.names,
    };
    let strings = web
        .api
        .strings(&view, None, &chosen.with, wish)
        .map_err(|error| sentence(&error_chain(&error)));
    Ok(ConnectPage {
        frame: Frame {
            notice: extra.notice,
            ..Frame::of(who, format!("Connect to {name}"), MenuEntry::Clusters)
        },
        row: ClusterRow::of(&view),
        clients: client_groups(),
        platforms: platforms(),
        strings,
        wish: chosen,
        password: extra.password,
        fresh: extra.fresh,
        trust: face.trust.word(),
        ca_offered: face.trust.ca_path().is_some(),
        steps: extra.steps,
    })
}

fn step_view(step: ProbeStep) -> StepView {
    let name = match step.step {
        ProbeStage::Tcp => "Connect",
        ProbeStage::Tls => "TLS handshake, verified",
        ProbeStage::Login => "Log in",
        ProbeStage::FirstRow => "Read a row",
    };
    let ms = u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX);
    let ok = step.failure.is_none();
    let detail = step.failure.unwrap_or(step.detail);
    StepView {
        name: name.to_owned(),
        ok,
        ms: ok.then_some(ms),
        detail: printable(&detail).into_owned(),
    }
}
