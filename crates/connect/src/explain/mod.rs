//! Explains a pasted connection string: what it verifies, what it does not and why, and the string
//! that verifies everything. First every part that any reading could take for a password is removed
//! (`secrets`); all shown values are read from the rest. The output never contains the string
//! itself or a part of its password.

mod answer;
mod calls;
mod command_line;
mod error;
mod families;
mod foreign;
mod judgement;
mod keys;
mod known_keys;
mod notes;
mod options_file;
mod other_database;
mod pairs;
mod read_values;
mod reading;
mod reference;
mod secrets;
mod shape;
mod shown;
mod text;
mod url;
mod words;
mod xml;

use crate::endpoint::RenderOptions;
use crate::render::Form;
pub use error::{EXPLAIN_MAX, ExplainError};
use families::Family;
pub use judgement::{CheckAnswer, ClientChecks};
use reading::Readings;
use serde::Serialize;
use shape::StringShape;
use shown::ShownValues;
use std::borrow::Cow;
use tidegate_model::Trust;

/// The client of the table that is a plain list of values, for unknown clients.
const GENERAL: &str = "general";

/// Options of an explanation.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExplainOptions<'a> {
    /// Id of the client that the string is for.
    pub client: Option<&'a str>,
    /// Options of rendering the string that verifies.
    pub wish: RenderOptions<'a>,
    /// Trust of the endpoint, if it differs from what the string says.
    pub trust: Option<&'a Trust>,
    /// Trust of the server that the string is for, if it is known. A string that names no CA, or
    /// the system's file, gets this one.
    pub server_trust: Option<&'a Trust>,
}

/// Explanation of a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Form of the string, such as `a Go DSN`.
    pub form: &'static str,
    /// Name of its client.
    pub client: &'static str,
    /// Clients that it may be for, if it does not tell; `--with` chooses one.
    pub candidates: Vec<&'static str>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub database: Option<String>,
    /// Names of these four values that the string contains but that are not shown, because another
    /// reading takes them for a password.
    pub withheld: Vec<&'static str>,
    /// Whether it contains a password.
    pub holds_password: bool,
    pub checks: ClientChecks,
    /// Whether it verifies chain and name, so that an attacker in between can't impersonate the
    /// server.
    pub verifies: bool,
    pub why: Vec<String>,
    pub notes: Vec<&'static str>,
    /// The string that verifies, for the same client if the table has it.
    pub hint: VerifyingForms,
    /// The former name of `hint`, kept for programs that read it.
    pub mend: VerifyingForms,
}

/// Strings that verify, from the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyingForms {
    pub client: &'static str,
    pub name: &'static str,
    /// The best form, and the literal one if there is one.
    pub forms: Vec<Form>,
}

/// Explains a connection string of any client.
///
/// # Errors
/// If it is empty, too long or not a connection string; if client or platform is unknown.
pub fn explain(text: &str, ask: &ExplainOptions<'_>) -> Result<Explanation, ExplainError> {
    if text.len() > EXPLAIN_MAX {
        return Err(ExplainError::TooLong);
    }
    let text = without_comments(text.trim());
    let text = xml::unfolded(text.trim());
    let text = text.trim();
    if text.is_empty() {
        return Err(ExplainError::Empty);
    }
    let asked = ask
        .client
        .map(|id| crate::client(id).map(|client| client.id.as_str()))
        .transpose()?;
    let hidden = secrets::hide(text);
    let readings = Readings::of(text, &hidden.text)?;
    let shown = ShownValues::of(&readings, &hidden);
    let family = asked
        .and_then(families::of_client)
        .filter(|_| !(readings.names_driver() && asked.is_some_and(is_on_any_driver)))
        .unwrap_or_else(|| readings.family());
    let (mut checks, mut why) = readings.judge(family);
    let has_host = shown.host.is_some();
    if reference::find(text)
        .is_some_and(|found| found.decides(readings.clear.form, has_host, checks))
    {
        checks = judgement::UNREADABLE;
        why = vec![reference::PASTE_VALUE.to_owned()];
    }
    let candidates = if asked.is_none() {
        candidates(family)
    } else {
        Vec::new()
    };
    let values = &readings.clear.values;
    let client = asked.unwrap_or_else(|| answer::client_of(family, &hidden.text, values));
    let shape = StringShape::of(&hidden.text, readings.clear.form);
    let hint = answer::verifying_forms(client, &shown, &shape, values, ask)?;
    Ok(Explanation {
        form: readings.clear.form,
        client: family.name,
        candidates,
        holds_password: shown.password,
        checks,
        verifies: checks.verify(shown.host.as_deref()),
        why,
        notes: notes::notes(&shown, &hidden),
        mend: hint.clone(),
        hint,
        host: shown.host,
        port: shown.port,
        user: shown.user,
        database: shown.database,
        withheld: shown.withheld,
    })
}

/// Whether this client works on several drivers, of which a URL's scheme names one.
fn is_on_any_driver(client: &str) -> bool {
    ["sqlalchemy", "spring-boot", "hibernate", "dbeaver"].contains(&client)
}

/// Returns a text without the lines that are comments: what they say has no effect. A single line
/// is returned unchanged.
fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') || !text.lines().any(is_comment) {
        return Cow::Borrowed(text);
    }
    let kept: Vec<_> = text.lines().filter(|line| !is_comment(line)).collect();
    Cow::Owned(kept.join("\n"))
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    let begins = ["#", "//", ";", "<!--", "-- "]
        .iter()
        .any(|sign| line.starts_with(sign));
    begins && !line.starts_with("#!")
}

fn candidates(family: &Family) -> Vec<&'static str> {
    let mut ids: Vec<_> = family
        .candidates
        .iter()
        .filter_map(|other| answer::known(other))
        .collect();
    ids.dedup();
    ids
}
