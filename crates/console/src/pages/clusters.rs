//! The list of clusters, and one cluster: its state, its sessions, what lately happened to it. Each
//! button is one operation of room `control`.

use super::answer::{self, page, status_of};
use super::door::Nothing;
use super::engine_form::{EngineForms, sent_parameters};
use super::frame::{Frame, Notice, WarningView};
use super::limits::{form as limits_form, machine_rows};
use super::views::{ClusterPage, ClusterRow, ClustersPage, Pages, RefusalRow, SessionRow, WakeRow};
use super::words::{Moment, span};
use crate::auth::{Form, SignedIn};
use crate::events::{Refused, RefusedBy, Woken};
use crate::limits;
use crate::state::Web;
use crate::types::{DATABASE, Warning};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tidegate_connect::bracketed;
use tidegate_control::{ClusterView, ControlError, NewCluster, ROOT, SessionView};
use tidegate_model::{ClusterEngine, ClusterState, printable};

/// A wake as it should be fills less than half of its bar.
const WAKE_SCALE_MIN: Duration = Duration::from_millis(300);

/// Which of many are shown.
#[derive(Default, Deserialize)]
pub struct Part {
    /// In a name or a login.
    #[serde(default)]
    find: String,
    /// From 1 on.
    page: Option<usize>,
}

pub async fn list(State(web): State<Web>, who: SignedIn, Query(part): Query<Part>) -> Response {
    page(StatusCode::OK, &clusters(&web, &who, &part))
}

fn clusters(web: &Web, who: &SignedIn, part: &Part) -> ClustersPage {
    let face = web.api.face.borrow().clone();
    let (all, find) = (web.api.control.clusters(), part.find.trim().to_lowercase());
    let (total, awake) = (
        all.len(),
        all.iter()
            .filter(|view| view.state == ClusterState::Awake)
            .count(),
    );
    let found: Vec<ClusterRow> = all
        .iter()
        .map(row)
        .filter(|row| row.name.contains(&find) || row.login.contains(&find))
        .collect();
    let pages = found.len().div_ceil(limits::ROWS_PER_PAGE).max(1);
    let number = part.page.unwrap_or(1).clamp(1, pages);
    let to = |number: usize| {
        let fields = [("find", part.find.trim()), ("page", &number.to_string())];
        (1..=pages)
            .contains(&number)
            .then(|| serde_urlencoded::to_string(fields).unwrap_or_default())
    };
    ClustersPage {
        frame: Frame {
            live: true,
            ..Frame::of(who, "Clusters", "clusters")
        },
        endpoint: format!("{}:{}", bracketed(&face.host), face.port),
        trust: face.trust_word(),
        ready: web.api.control.is_recovered(),
        total,
        awake,
        find: part.find.trim().to_owned(),
        pages: Pages {
            number,
            of: pages,
            before: to(number - 1),
            after: to(number + 1),
        },
        rows: found
            .into_iter()
            .skip((number - 1) * limits::ROWS_PER_PAGE)
            .take(limits::ROWS_PER_PAGE)
            .collect(),
        wanted: String::new(),
        engine_forms: EngineForms::of(who.csrf(), web.api.control.engine_kinds()),
    }
}

#[derive(Deserialize)]
pub struct Create {
    #[serde(default)]
    name: String,
    /// Kind of engine; missing in the short form.
    engine: Option<String>,
    /// All other fields: among them the parameters of the kind.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

/// Its password is not shown here: the Connect page makes one, into the string it is for.
pub async fn create(State(web): State<Web>, form: Form<Create>) -> Response {
    let name = form.fields.name.trim();
    let wanted = NewCluster {
        name: (!name.is_empty()).then(|| name.to_owned()),
        engine: form.fields.engine.clone(),
        parameters: sent_parameters(&form.fields.others),
        limits: None,
    };
    match web.api.control.create_cluster(wanted).await {
        Ok(made) => {
            Redirect::to(&format!("/clusters/{}/connect?new=1", made.cluster.name)).into_response()
        }
        Err(error) => {
            let mut shown = clusters(&web, &form.who, &Part::default());
            shown.frame.notice = Some(Notice::from(&error));
            page(
                status_of(&error),
                &ClustersPage {
                    wanted: name.to_owned(),
                    ..shown
                },
            )
        }
    }
}

/// How many of a cluster's sessions are shown.
#[derive(Deserialize)]
pub struct Shown {
    /// `all`, or a first look.
    sessions: Option<String>,
}

pub async fn show(
    State(web): State<Web>,
    Path(name): Path<String>,
    who: SignedIn,
    Query(wanted): Query<Shown>,
) -> Response {
    let most = if wanted.sessions.as_deref() == Some("all") {
        limits::SESSIONS_SHOWN_MAX
    } else {
        limits::SESSIONS_SHOWN
    };
    match with_sessions(&web, &who, &name, (None, most)).await {
        Ok(shown) => page(StatusCode::OK, &shown),
        Err(error) => answer::problem(&who, &error),
    }
}

/// The page of one cluster, with what went wrong.
pub async fn cluster(
    web: &Web,
    who: &SignedIn,
    name: &str,
    notice: Option<Notice>,
) -> Result<ClusterPage, ControlError> {
    with_sessions(web, who, name, (notice, limits::SESSIONS_SHOWN)).await
}

async fn with_sessions(
    web: &Web,
    who: &SignedIn,
    name: &str,
    (notice, most): (Option<Notice>, usize),
) -> Result<ClusterPage, ControlError> {
    let control = &web.api.control;
    let view = control.cluster(name)?;
    let usage = control.usage(name).await?;
    let recent = web.api.events.of(view.id);
    let face = web.api.face.borrow().clone();
    let sessions: Vec<_> = control
        .session_list(Some(name))?
        .into_iter()
        .map(session)
        .collect();
    let slowest = recent
        .wakes
        .iter()
        .map(|woken| woken.took)
        .max()
        .unwrap_or_default();
    let scale = slowest.max(WAKE_SCALE_MIN);
    Ok(ClusterPage {
        frame: Frame {
            live: true,
            notice,
            ..Frame::of(who, name, "clusters")
        },
        endpoint: format!("{}:{}", bracketed(&face.host), face.port),
        database: DATABASE,
        engine: engine_text(&view.engine),
        accounts: (!view.complete_book)
            .then(|| WarningView::from(&Warning::incomplete_accounts(name))),
        sessions_open: sessions.len(),
        sessions: sessions.into_iter().take(most).collect(),
        wakes: recent
            .wakes
            .iter()
            .map(|woken| wake_row(woken, scale))
            .collect(),
        refusals: recent.refusals.iter().map(refusal).collect(),
        sleep_after: span(view.limits.sleep_after),
        transaction_idle_max: span(view.limits.transaction_idle_max),
        since: Moment::from_system(web.api.events.since()),
        machine: machine_rows(&view.limits, &usage),
        limits: limits_form(view.limits),
        deleting: false,
        row: row(&view),
    })
}

pub async fn sleep(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: Form<Nothing>,
) -> Response {
    let done = web.api.control.sleep_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done).await
}

pub async fn wake(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: Form<Nothing>,
) -> Response {
    let done = web.api.control.wake_cluster(&name).await.map(drop);
    back_to(&web, &form.who, &name, done).await
}

pub async fn end_session(
    State(web): State<Web>,
    Path((name, id)): Path<(String, u64)>,
    form: Form<Nothing>,
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
    match cluster(web, who, name, Some(Notice::from(&error))).await {
        Ok(shown) => page(status_of(&error), &shown),
        Err(gone) => answer::problem(who, &gone),
    }
}

#[derive(Deserialize)]
pub struct Confirm {
    confirm: String,
}

pub async fn delete(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: Form<Confirm>,
) -> Response {
    if form.fields.confirm.trim() != name {
        let notice = Notice {
            text: "Nothing was deleted: what was typed is not the cluster's name.".to_owned(),
            hint: String::new(),
        };
        return match cluster(&web, &form.who, &name, Some(notice)).await {
            Ok(shown) => page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &ClusterPage {
                    deleting: true,
                    ..shown
                },
            ),
            Err(error) => answer::problem(&form.who, &error),
        };
    }
    match web.api.control.delete_cluster(&name).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => back_to(&web, &form.who, &name, Err(error)).await,
    }
}

/// Kind of an engine, with its parameters.
fn engine_text(engine: &ClusterEngine) -> String {
    let mut text = engine.kind.clone();
    for (name, value) in engine.parameters.rows() {
        text.push_str(&format!(", {name}: {value}"));
    }
    printable(&text).into_owned()
}

/// A cluster as pages show it.
pub fn row(view: &ClusterView) -> ClusterRow {
    ClusterRow {
        name: view.name.to_string(),
        state: view.state,
        failure: view
            .failure
            .as_deref()
            .map(|text| printable(text).into_owned()),
        login: format!("{}.{ROOT}", view.prefix.as_str()),
        sleeps: view.sleeps,
        sessions: view.sessions,
        sessions_max: view.limits.connections_max,
        created: Moment::from_unix(view.created_unix),
    }
}

fn session(view: SessionView) -> SessionRow {
    SessionRow {
        id: view.id.0,
        user: printable(&view.user).into_owned(),
        client: view.client.to_string(),
        tls: view.tls.to_owned(),
        // Whole seconds, or the page would change at every look.
        age: span(Duration::from_secs(view.age.as_secs())),
    }
}

fn wake_row(woken: &Woken, scale: Duration) -> WakeRow {
    let ms = u64::try_from(woken.took.as_millis()).unwrap_or(u64::MAX);
    let part =
        u64::try_from(woken.took.as_millis() * 100 / scale.as_millis().max(1)).unwrap_or(100);
    WakeRow {
        at: Moment::from_system(woken.at),
        ms,
        part,
        recovery: woken.recovery,
    }
}

fn refusal(refused: &Refused) -> RefusalRow {
    let (slug, text, code) = match &refused.what {
        RefusedBy::Gateway(kind) => {
            let entry = kind.entry();
            (Some(entry.slug), entry.text.to_owned(), entry.code)
        }
        RefusedBy::Engine { code, message } => (None, printable(message).into_owned(), *code),
    };
    RefusalRow {
        at: Moment::from_system(refused.at),
        client: refused.client.to_string(),
        slug,
        text,
        code,
    }
}
