//! View of the page of one cluster.

use super::limits_form::LimitsForm;
use super::settings_form::SettingsForm;
use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::{Frame, WarningView};
use crate::pages::words::{Moment, filters};
use askama::Template;

pub struct SessionRow {
    pub id: u32,
    pub user: String,
    pub client: String,
    pub tls: String,
    pub age: String,
}

/// Filter of the sessions, and links to other pages of them.
#[derive(Default)]
pub struct SessionPages {
    /// User whose sessions are shown; empty for all.
    pub user: String,
    /// Query of the first page, on all others.
    pub first: Option<String>,
    pub next: Option<String>,
}

pub struct WakeRow {
    pub at: Moment,
    pub ms: u64,
    /// Length of its bar, in percent.
    pub part: u64,
    pub recovery: bool,
}

pub struct RefusalRow {
    pub at: Moment,
    pub client: String,
    /// Slug of its help page; errors of the engine have none.
    pub slug: Option<&'static str>,
    pub text: String,
    pub code: u16,
}

#[derive(Template)]
#[template(path = "cluster.html")]
pub struct ClusterPage {
    pub frame: Frame,
    pub row: ClusterRow,
    pub endpoint: String,
    pub database: &'static str,
    /// Kind of the engine, with the parameters.
    pub engine: String,
    /// Warning if the account book lacks accounts.
    pub accounts: Option<WarningView>,
    /// Number of open sessions; `sessions` may have fewer.
    pub sessions_open: u32,
    pub session_pages: SessionPages,
    pub sessions: Vec<SessionRow>,
    pub wakes: Vec<WakeRow>,
    pub refusals: Vec<RefusalRow>,
    /// `None`: it never sleeps.
    pub sleep_after: Option<String>,
    pub transaction_idle_max: String,
    /// Time since which wakes and refusals are recorded.
    pub since: Moment,
    /// Measured use and limits of the machine's resources: labels and values.
    pub machine: Vec<(&'static str, String)>,
    pub limits: LimitsForm,
    pub settings: SettingsForm,
    /// Server variables that were set, `NAME=VALUE` each.
    pub variables: Vec<String>,
    /// Words for its events.
    pub events: String,
    /// Whether they apply only from the next wake on.
    pub variables_wait: bool,
    /// Whether it can't be deleted.
    pub protected: bool,
    /// Whether the deletion is expanded, because its confirmation was wrong.
    pub deleting: bool,
}
