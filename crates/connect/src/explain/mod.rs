//! Explains a pasted connection string: what it verifies, what it does not and why, and the string
//! that verifies everything. First every part that any reading could take for a password is removed
//! (`secrets`); all shown values are read from the rest. The output never contains the string
//! itself or a part of its password.

mod error;
mod families;
mod foreign;
mod judgement;
mod keys;
mod known_keys;
mod notes;
mod pairs;
mod read_values;
mod reading;
mod secrets;
mod shown;
mod text;
mod url;
mod words;

use crate::ConnectError;
use crate::endpoint::{Endpoint, RenderOptions};
use crate::render::{Form, render};
use crate::table::clients;
pub use error::{EXPLAIN_MAX, ExplainError};
use families::Family;
pub use judgement::{CheckAnswer, ClientChecks};
use read_values::ReadValues;
use reading::Readings;
use serde::Serialize;
use shown::ShownValues;
use std::path::PathBuf;
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
        .unwrap_or_else(|| readings.family());
    let (checks, why) = readings.judge(family);
    let candidates = if asked.is_none() {
        candidates(family)
    } else {
        Vec::new()
    };
    let client = asked
        .or_else(|| known_of(family, &readings.clear.values))
        .unwrap_or(GENERAL);
    let hint = verifying_forms(client, &shown, ask)?;
    Ok(Explanation {
        form: readings.clear.form,
        client: family.name,
        candidates,
        holds_password: shown.password,
        checks,
        verifies: [checks.tls, checks.chain, checks.dns_name]
            .iter()
            .all(|check| *check == CheckAnswer::Yes),
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

/// Returns the client whose string is shown: SQLAlchemy for its URLs, otherwise the family's first
/// one.
fn known_of(family: &Family, values: &ReadValues) -> Option<&'static str> {
    let orm = clients()
        .iter()
        .find(|client| client.id == "sqlalchemy" && values.has("sqlalchemy"));
    orm.map(|client| client.id.as_str())
        .or_else(|| known(family))
}

/// Returns a family's first client that is in the table.
fn known(family: &Family) -> Option<&'static str> {
    let ids = family.ids.iter();
    ids.copied()
        .find(|id| clients().iter().any(|client| client.id == *id))
}

fn candidates(family: &Family) -> Vec<&'static str> {
    let mut ids: Vec<_> = family
        .candidates
        .iter()
        .filter_map(|other| known(other))
        .collect();
    ids.dedup();
    ids
}

/// Renders the strings that verify, for the general list of values if the client is unknown.
fn verifying_forms(
    client: &str,
    shown: &ShownValues,
    ask: &ExplainOptions<'_>,
) -> Result<VerifyingForms, ConnectError> {
    let endpoint = Endpoint {
        host: shown.host.as_deref().unwrap_or("HOST").to_owned(),
        // 3306 in a string is MySQL's default; this endpoint's default is 4000.
        port: shown.port.filter(|port| *port != 3306).unwrap_or(4000),
        user: shown.user.as_deref().unwrap_or("PREFIX.USER").to_owned(),
        database: shown.database.as_deref().unwrap_or("test").to_owned(),
        trust: ask.trust.cloned().unwrap_or_else(|| match &shown.ca {
            Some(path) => Trust::Private(Some(PathBuf::from(path))),
            None => Trust::Public,
        }),
    };
    // The result never contains a password.
    let rendered = render(
        client,
        &endpoint,
        RenderOptions {
            password: None,
            ..ask.wish
        },
    )?;
    let first = rendered.forms.first().cloned();
    let literal = rendered
        .forms
        .iter()
        .find(|form| form.password == crate::PasswordFrom::Literal)
        .cloned();
    let mut forms: Vec<Form> = first.into_iter().chain(literal).collect();
    forms.dedup();
    Ok(VerifyingForms {
        client: rendered.client,
        name: rendered.name,
        forms,
    })
}
