//! What a connection string that somebody pasted verifies, what it does not and why, and the string
//! that would. First everything is taken out of it that any reading could take for a password
//! (`secrets`); what is shown is read from what remains. Never shows the string itself, and no
//! piece of its password.

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
use crate::endpoint::{Endpoint, Wish};
use crate::render::{Form, render};
use crate::table::clients;
pub use error::{EXPLAIN_MAX, ExplainError};
use families::Family;
pub use judgement::{Answer, Checks};
use read_values::ReadValues;
use reading::Readings;
use serde::Serialize;
use shown::ShownValues;
use std::path::PathBuf;
use tidegate_model::Trust;

/// The values that any client has to be told, for one that is not known.
const GENERAL: &str = "general";

/// What to go by beside the string.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The client it is for, by its id in the table.
    pub client: Option<&'a str>,
    /// How the string that verifies shall be made.
    pub wish: Wish<'a>,
    /// Where the client has its CA, if not where the string says.
    pub trust: Option<&'a Trust>,
}

/// All there is to say of a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What kind of string it is, such as `a Go DSN`.
    pub form: &'static str,
    /// The client it is for, in words.
    pub client: &'static str,
    /// Clients of the table that it may be for, where it does not say; name one with `--with`.
    pub candidates: Vec<&'static str>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub database: Option<String>,
    /// Those of these four that stand in it and are not shown, since another reading takes them for
    /// a password.
    pub withheld: Vec<&'static str>,
    /// Whether a password stands in it. What it is, is not said.
    pub holds_password: bool,
    pub checks: Checks,
    /// Whether it verifies chain and name, so that nobody between can pose as the server.
    pub verifies: bool,
    pub why: Vec<String>,
    pub notes: Vec<&'static str>,
    /// The string that verifies, for the same client where the table has it.
    pub mend: Mend,
}

/// Strings from the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mend {
    pub client: &'static str,
    pub name: &'static str,
    /// The best form, and the literal one beside it where there is one.
    pub forms: Vec<Form>,
}

/// Explains a connection string of any client.
///
/// # Errors
/// If it is too long, empty or no such string; if the client or platform asked for is unknown.
pub fn explain(text: &str, ask: &Ask<'_>) -> Result<Explanation, ExplainError> {
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
    Ok(Explanation {
        form: readings.clear.form,
        client: family.name,
        candidates,
        holds_password: shown.password,
        checks,
        verifies: [checks.tls, checks.chain, checks.dns_name]
            .iter()
            .all(|check| *check == Answer::Yes),
        why,
        notes: notes::notes(&shown, &hidden),
        mend: mend(client, &shown, ask)?,
        host: shown.host,
        port: shown.port,
        user: shown.user,
        database: shown.database,
        withheld: shown.withheld,
    })
}

/// The client whose string is shown: SQLAlchemy's own where it was SQLAlchemy's.
fn known_of(family: &Family, values: &ReadValues) -> Option<&'static str> {
    let orm = clients()
        .iter()
        .find(|client| client.id == "sqlalchemy" && values.has("sqlalchemy"));
    orm.map(|client| client.id.as_str())
        .or_else(|| known(family))
}

/// The first client of a family that the table has.
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

/// The string that verifies; the general list of values where the client is not known.
fn mend(client: &str, shown: &ShownValues, ask: &Ask<'_>) -> Result<Mend, ConnectError> {
    let or =
        |value: &Option<String>, default: &str| value.clone().unwrap_or_else(|| default.to_owned());
    let endpoint = Endpoint {
        host: or(&shown.host, "HOST"),
        port: shown.port.filter(|port| *port != 3306).unwrap_or(4000),
        user: or(&shown.user, "PREFIX.USER"),
        database: or(&shown.database, "test"),
        trust: ask.trust.cloned().unwrap_or_else(|| match &shown.ca {
            Some(path) => Trust::Private(Some(PathBuf::from(path))),
            None => Trust::Public,
        }),
    };
    // No password is ever written into it.
    let rendered = render(
        client,
        &endpoint,
        Wish {
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
    Ok(Mend {
        client: rendered.client,
        name: rendered.name,
        forms,
    })
}
