//! The page of one cluster, filled in from the server's state.

use super::limits_form::LimitsForm;
use super::view::{ClusterPage, RefusalRow, SessionRow, WakeRow};
use crate::auth::SignedIn;
use crate::events::{ClusterWake, RefusedBy, RefusedLogin};
use crate::limits;
use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::{Frame, MenuEntry, Notice, WarningView};
use crate::pages::words::{Moment, span};
use crate::state::Web;
use crate::types::{DATABASE, Warning};
use std::time::Duration;
use tidegate_connect::bracketed;
use tidegate_control::{ControlError, SessionView};
use tidegate_model::{ClusterEngine, ClusterLimits, ClusterUsage, Size, printable};

/// A wake as it should be fills less than half of its bar.
const WAKE_SCALE_MIN: Duration = Duration::from_millis(300);

/// The page of one cluster, with what went wrong.
pub async fn cluster_page(
    web: &Web,
    who: &SignedIn,
    name: &str,
    notice: Option<Notice>,
) -> Result<ClusterPage, ControlError> {
    with_sessions(web, who, name, (notice, limits::SESSIONS_SHOWN)).await
}

pub async fn with_sessions(
    web: &Web,
    who: &SignedIn,
    name: &str,
    (notice, most): (Option<Notice>, usize),
) -> Result<ClusterPage, ControlError> {
    let control = &web.api.control;
    let view = control.cluster(name)?;
    let usage = control.usage(name).await?;
    let recent = web.api.events.of_cluster(view.id);
    let face = web.api.face.borrow().clone();
    let sessions: Vec<_> = control
        .session_list(Some(name))?
        .into_iter()
        .map(session_row)
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
            ..Frame::of(who, name, MenuEntry::Clusters)
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
        refusals: recent.refusals.iter().map(refusal_row).collect(),
        sleep_after: span(view.limits.sleep_after),
        transaction_idle_max: span(view.limits.transaction_idle_max),
        since: Moment::from_system(web.api.events.since()),
        machine: machine_rows(&view.limits, &usage),
        limits: LimitsForm::of(view.limits),
        deleting: false,
        row: ClusterRow::of(&view),
    })
}

/// Kind of an engine, with its parameters.
fn engine_text(engine: &ClusterEngine) -> String {
    let mut text = engine.kind.clone();
    for (name, value) in engine.parameters.rows() {
        text.push_str(&format!(", {name}: {value}"));
    }
    printable(&text).into_owned()
}

fn session_row(view: SessionView) -> SessionRow {
    SessionRow {
        id: view.id.0,
        user: printable(&view.user).into_owned(),
        client: view.client.to_string(),
        tls: view.tls.to_owned(),
        // Whole seconds, or the page would change at every look.
        age: span(Duration::from_secs(view.age.as_secs())),
    }
}

fn wake_row(woken: &ClusterWake, scale: Duration) -> WakeRow {
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

fn refusal_row(refused: &RefusedLogin) -> RefusalRow {
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

/// Measured use of the machine beside its limits: a label and a value.
fn machine_rows(limits: &ClusterLimits, usage: &ClusterUsage) -> Vec<(&'static str, String)> {
    let of = |used: Option<String>, most: String| match used {
        Some(used) => format!("{used} of {most}"),
        None => format!("up to {most}"),
    };
    let size = |used: Option<u64>, most: u64| {
        of(
            used.map(|used| Size(used).rounded()),
            Size(most).to_string(),
        )
    };
    let seconds = |micros| Duration::from_micros(micros).as_secs_f64();
    let cpu = usage
        .cpu_micros
        .map(|micros| format!(", {:.1} s used", seconds(micros)))
        .unwrap_or_default();
    let files = usage
        .files
        .zip(usage.files_max)
        .map(|(used, most)| ("Files", format!("{used} of {most}")));
    let mut rows = vec![
        ("Memory", size(usage.memory_bytes, limits.memory_max_bytes)),
        ("Disk", size(usage.disk_bytes, limits.disk_max_bytes)),
        ("CPU", format!("weight {}{cpu}", limits.cpu_weight)),
        (
            "Tasks",
            of(
                usage.tasks.map(|tasks| tasks.to_string()),
                limits.tasks_max.to_string(),
            ),
        ),
    ];
    if let Some(files) = files {
        rows.insert(2, files);
    }
    rows
}
