//! What each page shows, as plain values, and the template that sets it. Never asks anybody for
//! anything: handlers fill these in.

use super::engine_form::EngineForms;
use super::frame::{Frame, WarningView};
use super::words::{Moment, filters};
use crate::types::Secret;
use askama::Template;
use tidegate_connect::{Form, PasswordFrom, Platform, Rendered, Setting};
use tidegate_model::ClusterState;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub frame: Frame,
    /// Whether there was a session that has ended.
    pub ended: bool,
}

#[derive(Template)]
#[template(path = "link.html")]
pub struct LinkPage {
    pub frame: Frame,
}

#[derive(Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    pub frame: Frame,
    pub status: u16,
    pub heading: String,
    pub text: String,
}

/// A cluster, in lists and on its own page.
pub struct ClusterRow {
    pub name: String,
    pub state: ClusterState,
    pub failure: Option<String>,
    pub login: String,
    /// Whether its kind of engine sleeps.
    pub sleeps: bool,
    pub sessions: u32,
    pub sessions_max: u32,
    pub created: Moment,
}

impl ClusterRow {
    pub fn can_sleep(&self) -> bool {
        self.sleeps && self.state == ClusterState::Awake
    }

    pub fn can_wake(&self) -> bool {
        matches!(self.state, ClusterState::Asleep | ClusterState::Failed)
    }

    /// The state in a sentence.
    pub fn meaning(&self) -> &'static str {
        match self.state {
            ClusterState::Asleep => "costs disk only; the next login wakes it",
            ClusterState::Waking => "its engine is starting; logins wait for it",
            ClusterState::Awake => "its engine is running",
            ClusterState::Draining => "idle sessions are being ended, then its engine stops",
            ClusterState::Failed => "its engine could not be started",
        }
    }
}

/// Where in a long list this is.
pub struct Pages {
    pub number: usize,
    pub of: usize,
    /// Addresses' queries.
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Template)]
#[template(path = "clusters.html")]
pub struct ClustersPage {
    pub frame: Frame,
    pub endpoint: String,
    pub trust: &'static str,
    pub ready: bool,
    /// Of all clusters, whatever is shown.
    pub total: usize,
    pub awake: usize,
    /// What was looked for; empty: nothing.
    pub find: String,
    pub pages: Pages,
    pub rows: Vec<ClusterRow>,
    /// What was typed as a name and refused.
    pub wanted: String,
    pub engine_forms: EngineForms,
}

pub struct SessionRow {
    pub id: u32,
    pub user: String,
    pub client: String,
    pub tls: String,
    pub age: String,
}

pub struct WakeRow {
    pub at: Moment,
    pub ms: u64,
    /// Of the scale, in percent.
    pub part: u64,
    pub recovery: bool,
}

pub struct RefusalRow {
    pub at: Moment,
    pub client: String,
    /// Of its help page; the engine's own errors have none.
    pub slug: Option<&'static str>,
    pub text: String,
    pub code: u16,
}

/// A length of time as a form has it.
pub struct Length {
    pub number: String,
    /// `s`, `m`, `h` or `d`.
    pub unit: &'static str,
}

pub struct LimitsForm {
    pub connections_max: String,
    pub sleep_after: Length,
    pub transaction_idle_max: Length,
    /// With a unit, such as `1G`.
    pub memory_max: String,
    pub disk_max: String,
    pub cpu_weight: String,
    pub tasks_max: String,
    /// Whether it stands open, because something in it was refused.
    pub open: bool,
}

#[derive(Template)]
#[template(path = "cluster.html")]
pub struct ClusterPage {
    pub frame: Frame,
    pub row: ClusterRow,
    pub endpoint: String,
    pub database: &'static str,
    /// Kind of its engine, with the parameters.
    pub engine: String,
    /// If the account book lacks accounts.
    pub accounts: Option<WarningView>,
    /// All of them; those below may be fewer.
    pub sessions_open: usize,
    pub sessions: Vec<SessionRow>,
    pub wakes: Vec<WakeRow>,
    pub refusals: Vec<RefusalRow>,
    pub sleep_after: String,
    pub transaction_idle_max: String,
    /// Wakes and refusals are told from here on.
    pub since: Moment,
    /// Measured use beside the machine's limits.
    pub machine: Vec<(&'static str, String)>,
    pub limits: LimitsForm,
    /// Whether the deletion stands open, because its confirmation was wrong.
    pub deleting: bool,
}

/// What was chosen on the Connect page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub with: String,
    pub os: String,
    pub tls: String,
}

/// Clients of one language, in the order of the table.
pub struct ClientGroup {
    pub language: &'static str,
    pub clients: Vec<&'static tidegate_connect::Client>,
}

pub struct FormView {
    pub dom_id: String,
    pub title: String,
    pub text: String,
    pub password: PasswordFrom,
}

impl From<&Form> for FormView {
    fn from(form: &Form) -> Self {
        Self {
            dom_id: format!("form-{}", form.id),
            title: form.title.clone(),
            text: form.text.clone(),
            password: form.password,
        }
    }
}

impl FormView {
    pub fn password_word(&self) -> &'static str {
        match self.password {
            PasswordFrom::Env => "password from the environment",
            PasswordFrom::Literal => "password in the text",
            PasswordFrom::Asked => "asks for the password",
        }
    }
}

/// How a wrong setting shows.
pub struct FailsView {
    pub when: &'static str,
    pub looks: &'static str,
}

impl From<&'static tidegate_connect::Fails> for FailsView {
    fn from(fails: &'static tidegate_connect::Fails) -> Self {
        let when = match fails.setting {
            Setting::Off => "TLS is switched off",
            Setting::Impostor => "another CA signed the server",
            Setting::WrongName => "another host name",
            Setting::WrongAddress => "another IP address",
            Setting::NoCa => "the CA is given nowhere",
            Setting::OnlyTls12 => "TLS 1.3 is asked of a server with 1.2",
        };
        Self {
            when,
            looks: &fails.looks,
        }
    }
}

/// A step of the connection test.
pub struct StepView {
    pub name: String,
    pub ok: bool,
    pub ms: Option<u64>,
    pub detail: String,
}

impl StepView {
    pub fn class(&self) -> &'static str {
        if self.ok { "good" } else { "bad" }
    }
}

#[derive(Template)]
#[template(path = "connect.html")]
pub struct ConnectPage {
    pub frame: Frame,
    pub row: ClusterRow,
    pub wish: Chosen,
    pub clients: Vec<ClientGroup>,
    pub platforms: &'static [Platform],
    pub strings: Result<Rendered, String>,
    pub forms: Vec<FormView>,
    pub fails: Vec<FailsView>,
    /// Only in the answer that made it, and in answers to who sent it back.
    pub password: Option<Secret>,
    /// Whether the cluster was just made, so that nobody uses a password yet.
    pub fresh: bool,
    pub trust: &'static str,
    pub ca_offered: bool,
    pub steps: Vec<StepView>,
}

pub struct LeafView {
    pub heading: &'static str,
    pub key: String,
    pub names: Vec<String>,
    pub issuer: String,
    pub serial: String,
    pub not_before: Moment,
    pub not_after: Moment,
    /// How much of its life has passed, in percent.
    pub spent: u8,
    /// How much is left, in words.
    pub left: String,
    pub renewal: String,
}

pub struct ChainLink {
    pub role: &'static str,
    pub subject: String,
    pub ends: String,
}

pub struct HistoryRow {
    pub at: Moment,
    pub what: String,
    pub class: &'static str,
}

#[derive(Template)]
#[template(path = "certificate.html")]
pub struct CertificatePage {
    pub frame: Frame,
    pub trust_line: &'static str,
    pub ca_offered: bool,
    pub alarms: Vec<String>,
    pub leaves: Vec<LeafView>,
    pub chain: Vec<ChainLink>,
    pub history: Vec<HistoryRow>,
}

pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created: Moment,
    /// `None`: when it is revoked.
    pub expires: Option<Moment>,
    pub ended: bool,
    pub used: Option<Moment>,
}

/// A key in the one answer that shows it.
pub struct MadeKey {
    pub name: String,
    pub key: Secret,
}

#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    pub frame: Frame,
    pub rows: Vec<KeyRow>,
    pub made: Option<MadeKey>,
    /// What was typed as a name and refused.
    pub wanted: String,
    pub ca_offered: bool,
    pub profile: String,
    pub curl: String,
}

pub struct HelpRow {
    pub slug: &'static str,
    pub code: u16,
    pub sqlstate: &'static str,
    pub text: &'static str,
    pub hint: &'static str,
    pub whose: &'static str,
    pub again: &'static str,
}

#[derive(Template)]
#[template(path = "help.html")]
pub struct HelpPage {
    pub frame: Frame,
    pub rows: Vec<HelpRow>,
}

pub struct LineView {
    pub dom_id: String,
    pub name: &'static str,
    pub minimum_version: &'static str,
    pub form: Form,
}

#[derive(Template)]
#[template(path = "refusal.html")]
pub struct RefusalPage {
    pub frame: Frame,
    pub row: HelpRow,
    pub cause: Vec<&'static str>,
    pub lines: Vec<LineView>,
}

/// The table's clients by language, each language where its first client stands.
pub fn groups() -> Vec<ClientGroup> {
    let mut groups: Vec<ClientGroup> = Vec::new();
    for client in tidegate_connect::clients() {
        match groups
            .iter_mut()
            .find(|group| group.language == client.language)
        {
            Some(group) => group.clients.push(client),
            None => groups.push(ClientGroup {
                language: &client.language,
                clients: vec![client],
            }),
        }
    }
    groups
}
