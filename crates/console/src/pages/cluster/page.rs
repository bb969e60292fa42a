//! View of one cluster, filled in from the server's state.

use super::SessionsQuery;
use super::limits_form::LimitsForm;
use super::settings_form::SettingsForm;
use super::view::{ClusterPage, RefusalRow, SessionPages, SessionRow, WakeRow};
use crate::auth::SignedIn;
use crate::events::{ClusterWake, RefusedBy, RefusedLogin};
use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::{Frame, MenuEntry, Notice, WarningView};
use crate::pages::words::{Moment, span};
use crate::state::Web;
use crate::types::{DATABASE, FILE_SIZE_WAITS, Warning, events_text};
use std::time::Duration;
use tidegate_connect::bracketed;
use tidegate_control::{ControlError, SessionPage, SessionView};
use tidegate_model::{ClusterEngine, ClusterLimits, ClusterUsage, Size, printable};

/// Least duration that a full bar represents, so that a normal wake fills less than half of it.
const WAKE_SCALE_MIN: Duration = Duration::from_millis(300);

/// Page of one cluster, with a notice about a refused request.
pub async fn page_with_notice(
    web: &Web,
    who: &SignedIn,
    name: &str,
    notice: Notice,
) -> Result<ClusterPage, ControlError> {
    cluster_page(web, who, name, Some(notice), &SessionsQuery::default()).await
}

/// Page of one cluster, with a part of its sessions.
pub async fn cluster_page(
    web: &Web,
    who: &SignedIn,
    name: &str,
    notice: Option<Notice>,
    part: &SessionsQuery,
) -> Result<ClusterPage, ControlError> {
    let control = &web.api.control;
    let view = control.cluster(name).await?;
    let usage = control.usage(name).await?;
    let events = control.events(name).await?;
    let recent = web.api.events.of_cluster(view.id);
    let face = web.api.face.borrow().clone();
    let sessions = control.session_page(&part.wanted(name), |_| true).await?;
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
        sessions_open: view.sessions,
        session_pages: session_pages(part, &sessions),
        sessions: sessions.rows.into_iter().map(session_row).collect(),
        wakes: recent
            .wakes
            .iter()
            .map(|woken| wake_row(woken, scale))
            .collect(),
        refusals: recent.refusals.iter().map(refusal_row).collect(),
        sleep_after: (!view.limits.never_sleeps()).then(|| span(view.limits.sleep_after)),
        transaction_idle_max: span(view.limits.transaction_idle_max),
        since: Moment::from_system(web.api.events.since()),
        machine: machine_rows(&view.limits, &usage),
        limits: LimitsForm::of(view.limits),
        settings: SettingsForm::of(&view.settings),
        protected: view.settings.deletion_protection,
        variables: view
            .settings
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        variables_wait: view.variables_wait,
        events: events_text(view.settings.events, events.defined, events.running)
            .unwrap_or_else(|| "off".to_owned()),
        deleting: false,
        row: ClusterRow::of(&view),
    })
}

/// Returns the kind of an engine with its parameters.
fn engine_text(engine: &ClusterEngine) -> String {
    let mut text = engine.kind.clone();
    for (name, value) in engine.parameters.rows() {
        text.push_str(&format!(", {name}: {value}"));
    }
    printable(&text).into_owned()
}

/// Returns the links beside the sessions that are shown.
fn session_pages(part: &SessionsQuery, shown: &SessionPage) -> SessionPages {
    let last = shown.rows.last().filter(|_| shown.more).map(|row| row.id);
    let next = last.map(|id| match part.is_first_part() {
        // The first ones are shown again, as a part of a page.
        true => part.page_query(None),
        false => part.page_query(Some(id)),
    });
    SessionPages {
        user: part.user.trim().to_owned(),
        first: part.after.is_some().then(|| part.page_query(None)),
        next,
    }
}

fn session_row(view: SessionView) -> SessionRow {
    SessionRow {
        id: view.id.0,
        user: printable(&view.user).into_owned(),
        client: view.client.to_string(),
        tls: view.tls.to_owned(),
        // In whole seconds, so that a refresh within the second does not change the page.
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

/// Returns measured use and limits of the machine's resources: labels and values.
fn machine_rows(limits: &ClusterLimits, usage: &ClusterUsage) -> Vec<(&'static str, String)> {
    let cpu_time = usage.cpu_micros.map(Duration::from_micros);
    let cpu = cpu_time
        .map(|time| format!(", {:.1} s used", time.as_secs_f64()))
        .unwrap_or_default();
    let files = usage
        .files
        .zip(usage.files_max)
        .map(|(used, most)| ("Files", format!("{used} of {most}")));
    let mut rows = vec![
        (
            "Memory",
            size_text(usage.memory_bytes, limits.memory_max_bytes),
        ),
        ("Disk", size_text(usage.disk_bytes, limits.disk_max_bytes)),
        ("CPU", format!("weight {}{cpu}", limits.cpu_weight)),
        (
            "Tasks",
            use_text(
                usage.tasks.map(|tasks| tasks.to_string()),
                limits.tasks_max.to_string(),
            ),
        ),
    ];
    if let Some(files) = files {
        rows.insert(2, files);
    }
    if usage.file_size_waits {
        rows.insert(2, ("File size", FILE_SIZE_WAITS.to_owned()));
    }
    rows
}

fn size_text(used: Option<u64>, most: u64) -> String {
    use_text(used.map(|used| Size(used).rounded()), Size(most).rounded())
}

fn use_text(used: Option<String>, most: String) -> String {
    match used {
        Some(used) => format!("{used} of {most}"),
        None => format!("up to {most}"),
    }
}
