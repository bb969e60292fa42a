//! The list of clusters, and one cluster: its state, its sessions, what lately happened to it. Each button is one
//! operation of room `control`.

use super::answer::{self, page, status_of};
use super::door::Nothing;
use super::frame::{Frame, Notice};
use super::limits;
use super::views::{ClusterPage, ClusterRow, ClustersPage, RefusalRow, SessionRow, WakeRow};
use super::words::{Moment, span};
use crate::auth::{Form, SignedIn};
use crate::events::{Refused, RefusedBy, Woken};
use crate::types::DATABASE;
use crate::web::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::time::Duration;
use tidegate_connect::bracketed;
use tidegate_control::{ClusterView, ControlError, NewCluster, ROOT, SessionView};

/// A wake as it should be fills less than half of its bar.
const WAKE_SCALE_MIN: Duration = Duration::from_millis(300);

pub async fn list(State(web): State<Web>, who: SignedIn) -> Response {
    page(StatusCode::OK, &clusters(&web, &who, None, ""))
}

fn clusters(web: &Web, who: &SignedIn, notice: Option<Notice>, wanted: &str) -> ClustersPage {
    let face = web.api.face.borrow().clone();
    ClustersPage {
        frame: Frame { live: true, notice, ..Frame::of(who, "Clusters", "clusters") },
        endpoint: format!("{}:{}", bracketed(&face.host), face.port),
        trust: face.trust_word(),
        ready: web.api.control.is_recovered(),
        rows: web.api.control.clusters().iter().map(row).collect(),
        wanted: wanted.to_owned(),
    }
}

#[derive(Deserialize)]
pub struct Create {
    #[serde(default)]
    name: String,
}

/// Its password is not shown here: the Connect page makes one, into the string it is for.
pub async fn create(State(web): State<Web>, form: Form<Create>) -> Response {
    let name = form.fields.name.trim();
    let wanted = NewCluster { name: (!name.is_empty()).then(|| name.to_owned()), limits: None };
    match web.api.control.create_cluster(wanted).await {
        Ok(made) => Redirect::to(&format!("/clusters/{}/connect?new=1", made.cluster.name)).into_response(),
        Err(error) => page(status_of(&error), &clusters(&web, &form.who, Some(Notice::from(&error)), name)),
    }
}

pub async fn show(State(web): State<Web>, Path(name): Path<String>, who: SignedIn) -> Response {
    match cluster(&web, &who, &name, None) {
        Ok(shown) => page(StatusCode::OK, &shown),
        Err(error) => answer::problem(&error),
    }
}

/// The page of one cluster, with what went wrong.
pub fn cluster(web: &Web, who: &SignedIn, name: &str, notice: Option<Notice>) -> Result<ClusterPage, ControlError> {
    let control = &web.api.control;
    let view = control.cluster(name)?;
    let recent = web.api.events.of(view.id);
    let face = web.api.face.borrow().clone();
    let slowest = recent.wakes.iter().map(|woken| woken.took).max().unwrap_or_default();
    let scale = slowest.max(WAKE_SCALE_MIN);
    Ok(ClusterPage {
        frame: Frame { live: true, notice, ..Frame::of(who, name, "clusters") },
        endpoint: format!("{}:{}", bracketed(&face.host), face.port),
        database: DATABASE,
        sessions: control.session_list(Some(name))?.into_iter().map(session).collect(),
        wakes: recent.wakes.iter().map(|woken| wake_row(woken, scale)).collect(),
        refusals: recent.refusals.iter().map(refusal).collect(),
        sleep_after: span(view.limits.sleep_after),
        transaction_idle_max: span(view.limits.transaction_idle_max),
        since: Moment::from_system(web.api.events.since()),
        limits: limits::form(view.limits),
        deleting: false,
        row: row(&view),
    })
}

pub async fn sleep(State(web): State<Web>, Path(name): Path<String>, form: Form<Nothing>) -> Response {
    let done = web.api.control.sleep_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done)
}

pub async fn wake(State(web): State<Web>, Path(name): Path<String>, form: Form<Nothing>) -> Response {
    let done = web.api.control.wake_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done)
}

pub async fn end_session(
    State(web): State<Web>,
    Path((name, id)): Path<(String, u64)>,
    form: Form<Nothing>,
) -> Response {
    let done = web.api.control.kill_session(id);
    back_to(&web, &form.who, &name, done)
}

/// The cluster's page again, with the reason if nothing was done.
fn back_to(web: &Web, who: &SignedIn, name: &str, done: Result<(), ControlError>) -> Response {
    let Err(error) = done else {
        // What was found under this name is of the alphabet that names have.
        return match web.api.control.cluster(name) {
            Ok(view) => Redirect::to(&format!("/clusters/{}", view.name)).into_response(),
            Err(_) => Redirect::to("/").into_response(),
        };
    };
    match cluster(web, who, name, Some(Notice::from(&error))) {
        Ok(shown) => page(status_of(&error), &shown),
        Err(gone) => answer::problem(&gone),
    }
}

#[derive(Deserialize)]
pub struct Confirm {
    confirm: String,
}

pub async fn delete(State(web): State<Web>, Path(name): Path<String>, form: Form<Confirm>) -> Response {
    if form.fields.confirm.trim() != name {
        let notice = Notice {
            text: "Nothing was deleted: what was typed is not the cluster's name.".to_owned(),
            hint: String::new(),
        };
        return match cluster(&web, &form.who, &name, Some(notice)) {
            Ok(shown) => page(StatusCode::UNPROCESSABLE_ENTITY, &ClusterPage { deleting: true, ..shown }),
            Err(error) => answer::problem(&error),
        };
    }
    match web.api.control.delete_cluster(&name).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => back_to(&web, &form.who, &name, Err(error)),
    }
}

/// A cluster as pages show it.
pub fn row(view: &ClusterView) -> ClusterRow {
    ClusterRow {
        name: view.name.to_string(),
        state: view.state,
        failure: view.failure.clone(),
        login: format!("{}.{ROOT}", view.prefix.as_str()),
        sessions: view.sessions,
        sessions_max: view.limits.connections_max,
        created: Moment::from_unix(view.created_unix),
    }
}

fn session(view: SessionView) -> SessionRow {
    SessionRow {
        id: view.id.0,
        user: view.user,
        client: view.client.to_string(),
        tls: view.tls.to_owned(),
        // Whole seconds, or the page would change at every look.
        age: span(Duration::from_secs(view.age.as_secs())),
    }
}

fn wake_row(woken: &Woken, scale: Duration) -> WakeRow {
    let ms = u64::try_from(woken.took.as_millis()).unwrap_or(u64::MAX);
    let part = u64::try_from(woken.took.as_millis() * 100 / scale.as_millis().max(1)).unwrap_or(100);
    WakeRow { at: Moment::from_system(woken.at), ms, part, recovery: woken.recovery }
}

fn refusal(refused: &Refused) -> RefusalRow {
    let (slug, text, code) = match &refused.what {
        RefusedBy::Gateway(kind) => {
            let entry = kind.entry();
            (Some(entry.slug), entry.text.to_owned(), entry.code)
        }
        RefusedBy::Engine { code, message } => (None, message.clone(), *code),
    };
    RefusalRow { at: Moment::from_system(refused.at), client: refused.client.to_string(), slug, text, code }
}
