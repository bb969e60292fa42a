//! What a connection string that somebody pasted verifies, what it does not and why, and the string that would. It
//! reads the string and shows only what it has understood: never the string itself, never its password, and where it
//! can't be told what is password and what is not, neither.

mod family;
mod judge;
mod judge_more;
mod judge_python;
mod pairs;
mod seen;
mod url;
mod words;

use crate::ConnectError;
use crate::endpoint::{Endpoint, Wish};
use crate::render::{Form, render};
use crate::table::clients;
use family::Family;
use seen::Seen;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use tidegate_model::Trust;

/// More than any string that connects; what is longer is not read.
pub const EXPLAIN_MAX: usize = 64 * 1024;

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

/// Whether a check is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Yes,
    No,
    /// On what the string does not say; the reasons say on what.
    Depends,
}

/// What the string makes its client check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// That there is TLS at all.
    pub tls: Answer,
    pub chain: Answer,
    pub dns_name: Answer,
    pub address: Answer,
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

/// Why a string can't be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    #[error("there is nothing to explain")]
    Empty,
    #[error("the string is longer than {EXPLAIN_MAX} bytes")]
    TooLong,
    #[error("this is no connection string that is known here")]
    NotRecognised,
    #[error(transparent)]
    Connect(#[from] ConnectError),
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
    let asked = ask.client.map(|id| crate::client(id).map(|client| client.id.as_str())).transpose()?;
    let mut seen = Seen::default();
    let (form, found) = read(text, &mut seen)?;
    if url::is_ambiguous(text) {
        seen.withhold();
    }
    let family = asked.map_or(found, |id| Family::of(id).unwrap_or(found));
    let verdict = judge::judge(family, &seen);
    let checks = verdict.checks;
    let mut why: Vec<String> = verdict.why.iter().map(|&reason| reason.to_owned()).collect();
    why.extend(foreign(family, &seen));
    let candidates = if asked.is_none() { candidates(family) } else { Vec::new() };
    Ok(Explanation {
        form,
        client: family.facts().name,
        candidates,
        host: seen.host().map(str::to_owned),
        port: seen.port(),
        user: seen.user_name().map(str::to_owned),
        database: seen.database_name().map(str::to_owned),
        holds_password: seen.password,
        checks,
        verifies: [checks.tls, checks.chain, checks.dns_name].iter().all(|check| *check == Answer::Yes),
        why,
        notes: notes(&seen),
        mend: mend(asked.or_else(|| shown(family, &seen)).unwrap_or(GENERAL), &seen, ask)?,
    })
}

/// Reads the string by its form.
fn read(text: &str, seen: &mut Seen) -> Result<(&'static str, Family), ExplainError> {
    if let Some(program) = words::read(text, seen) {
        let family = match program {
            "mycli" => Family::Mycli,
            // On Debian and others, `mysql` is MariaDB's client, and only that knows this option.
            "mysql" if !seen.has("sslverifyservercert") => Family::Mysql,
            _ => Family::Mariadb,
        };
        return Ok(("a command line", family));
    }
    if let Some(found) = url::find(text) {
        let (before, after) = url::read(text, &found, seen);
        pairs::read(before, seen);
        pairs::read(after, seen);
        if found.scheme.contains('+') {
            seen.option("sqlalchemy", "");
        }
        let form = match found.scheme.as_str() {
            scheme if scheme.starts_with("jdbc:") => "a JDBC URL",
            scheme if scheme.starts_with("r2dbc") => "an R2DBC URL",
            scheme if scheme.contains('+') => "an SQLAlchemy URL",
            _ => "a URL",
        };
        return Ok((form, family::of_scheme(&found.scheme, seen)));
    }
    if let Some(family) = data_source(text, seen) {
        return Ok(("a PDO or DBI data source", family));
    }
    if url::go_dsn(text, seen) {
        return Ok(("a Go DSN", Family::Go));
    }
    let first = text.split_once(';').filter(|_| !text.contains('\n')).map(|(first, _)| first);
    if first.is_some_and(|first| first.matches('=').count() == 1 && !first.contains('(')) {
        pairs::semicolons(text, seen);
        return Ok(("a list of keys and values", family::of_semicolons(seen)));
    }
    pairs::read(text, seen);
    // WordPress: define("MYSQL_CLIENT_FLAGS", ...).
    if text.contains("MYSQL_CLIENT_FLAGS") {
        seen.option("mysqlclientflags", text);
    }
    if seen.options().next().is_none() && seen.host().is_none() && !seen.password {
        return Err(ExplainError::NotRecognised);
    }
    Ok(("keys and values", family::of_pairs(text, seen)))
}

/// `mysql:host=h;port=1;dbname=d` of PDO and `DBI:MariaDB:...` of Perl, with the code round it.
fn data_source(text: &str, seen: &mut Seen) -> Option<Family> {
    let lower = text.to_ascii_lowercase();
    let heads =
        [("dbi:mariadb:", Family::PerlMariadb), ("dbi:mysql:", Family::PerlMariadb), ("mysql:", Family::PhpPdo)];
    let (at, head, family) = heads.iter().find_map(|(head, family)| Some((lower.find(head)?, *head, *family)))?;
    if text.get(..at).is_none_or(seen::leads_to_secret) {
        return None;
    }
    let rest = text.get(at + head.len()..)?;
    if !["host=", "port=", "dbname=", "database=", "unix_socket=", "charset="].iter().any(|key| rest.starts_with(key)) {
        return None;
    }
    let end = rest.find(['"', '\'', '\n', ',']).unwrap_or(rest.len());
    let (source, after) = rest.split_at_checked(end)?;
    pairs::semicolons(source, seen);
    pairs::read(after.trim_start_matches(['"', '\'']), seen);
    // User and password stand behind it, one by one: neither is shown.
    seen.password |= after.contains(['"', '\'']);
    Some(family)
}

/// Options that look like TLS and that this client does not read.
fn foreign(family: Family, seen: &Seen) -> Vec<String> {
    let facts = family.facts();
    if facts.reads.is_empty() {
        return Vec::new();
    }
    const SPELLED: &[(&str, &str)] = &[
        ("sslaccept", "sslaccept"),
        ("sslmode", "ssl-mode"),
        ("sslca", "ssl-ca"),
        ("tls", "tls"),
        ("usessl", "useSSL"),
        ("requiressl", "requireSSL"),
        ("trustservercertificate", "trustServerCertificate"),
        ("serversslcert", "serverSslCert"),
        ("rejectunauthorized", "rejectUnauthorized"),
        ("verifyidentity", "verifyIdentity"),
        ("sslverifyservercert", "ssl-verify-server-cert"),
        ("sslverifycert", "ssl_verify_cert"),
        ("sslverifyidentity", "ssl_verify_identity"),
        ("encrypt", "encrypt"),
    ];
    SPELLED
        .iter()
        .filter(|(key, _)| seen.has(key) && !facts.reads.contains(key))
        .map(|(_, shown)| {
            format!("`{shown}` is no option of {}: it is ignored or refused, and protects nothing.", facts.name)
        })
        .collect()
}

fn notes(seen: &Seen) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if seen.broken {
        notes.push(
            "Its password holds characters that end a part of an address (@ : / ? #): clients may cut it at the wrong \
             place. Write them percent-encoded. What may be a piece of the password was not read.",
        );
    }
    if seen.withheld {
        notes.push("What in it is password and what is not can't be told for certain: nothing of it is shown.");
    }
    if seen.password {
        notes.push("A password stands in it. Better: let the client ask, or read it from the environment.");
    }
    if seen.user_name().is_some_and(|user| !user.contains('.')) {
        notes
            .push("Its user name has no prefix: here a login is `<prefix>.<user>`, and one without is refused (1045).");
    }
    if seen.port() == Some(3306) || (seen.port().is_none() && seen.host().is_some()) {
        notes.push("It goes to port 3306, MySQL's default: Tidegate listens on 4000 unless it was told otherwise.");
    }
    if seen.host() == Some("localhost") {
        notes.push("Many clients take `localhost` for a Unix socket: write 127.0.0.1, or tell the client to use TCP.");
    }
    notes
}

/// The client whose string is shown: SQLAlchemy's own where it was SQLAlchemy's.
fn shown(family: Family, seen: &Seen) -> Option<&'static str> {
    let orm = clients().iter().find(|client| client.id == "sqlalchemy" && seen.has("sqlalchemy"));
    orm.map(|client| client.id.as_str()).or_else(|| known(family))
}

/// The first client of a family that the table has.
fn known(family: Family) -> Option<&'static str> {
    let ids = family.facts().ids.iter();
    ids.copied().find(|id| clients().iter().any(|client| client.id == *id))
}

fn candidates(family: Family) -> Vec<&'static str> {
    let mut ids: Vec<_> = family.others().iter().filter_map(|other| known(*other)).collect();
    ids.dedup();
    ids
}

/// The string that verifies; the general list of values where the client is not known.
fn mend(client: &str, seen: &Seen, ask: &Ask<'_>) -> Result<Mend, ConnectError> {
    let endpoint = Endpoint {
        host: seen.host().unwrap_or("HOST").to_owned(),
        port: seen.port().filter(|port| *port != 3306).unwrap_or(4000),
        user: seen.user_name().unwrap_or("PREFIX.USER").to_owned(),
        database: seen.database_name().unwrap_or("test").to_owned(),
        trust: ask.trust.cloned().unwrap_or_else(|| match seen.ca() {
            Some(path) => Trust::Private(Some(PathBuf::from(path))),
            None => Trust::Public,
        }),
    };
    // No password is ever written into it.
    let rendered = render(client, &endpoint, Wish { password: None, ..ask.wish })?;
    let first = rendered.forms.first().cloned();
    let literal = rendered.forms.iter().find(|form| form.password == crate::PasswordFrom::Literal).cloned();
    let mut forms: Vec<Form> = first.into_iter().chain(literal).collect();
    forms.dedup();
    Ok(Mend { client: rendered.client, name: rendered.name, forms })
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Depends => "depends",
        })
    }
}
