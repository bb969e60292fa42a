//! Reads a text by its form, twice: without what may be secret, from which all is taken that is
//! shown, and as it is, which may only change what is said of the checks. Never shows a value.

use super::family::{self, Family};
use super::seen::Seen;
use super::{Answer, Checks, ExplainError, foreign, judge, notes, pairs, secrets, url, words};

/// What a text says, read by its form.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub form: &'static str,
    family: Family,
    pub seen: Seen,
}

/// The text without what may be secret, from which all is taken that is shown; and as it is, which
/// may only change what is said of the checks.
#[derive(Debug)]
pub(super) struct Readings {
    pub clear: Reading,
    pub raw: Reading,
}

impl Readings {
    pub fn of(raw: &str, clear: &str) -> Result<Self, ExplainError> {
        match (read(raw), read(clear)) {
            (None, None) => Err(ExplainError::NotRecognised),
            (Some(raw), Some(clear)) if raw.form == clear.form => Ok(Self { clear, raw }),
            // Only what was taken out made it look like another form.
            (_, Some(clear)) => Ok(Self {
                raw: clear.clone(),
                clear,
            }),
            (Some(raw), None) => Ok(Self {
                clear: Reading {
                    form: raw.form,
                    family: raw.family,
                    seen: Seen::default(),
                },
                raw,
            }),
        }
    }

    pub fn family(&self) -> Family {
        let named = !matches!(self.clear.family, Family::AnyUrl | Family::Unknown);
        if named {
            self.clear.family
        } else {
            self.raw.family
        }
    }

    /// What both readings agree on; the rest depends.
    pub fn judge(&self, family: Family) -> (Checks, Vec<String>) {
        let (clear, raw) = (
            judge::judge(family, &self.clear.seen),
            judge::judge(family, &self.raw.seen),
        );
        let both = |one: Answer, other: Answer| if one == other { one } else { Answer::Depends };
        let checks = Checks {
            tls: both(clear.checks.tls, raw.checks.tls),
            chain: both(clear.checks.chain, raw.checks.chain),
            dns_name: both(clear.checks.dns_name, raw.checks.dns_name),
            address: both(clear.checks.address, raw.checks.address),
        };
        let doubt = (clear.checks != raw.checks).then_some(notes::TWO_READINGS);
        let why = doubt.into_iter().chain(raw.why).map(str::to_owned);
        (checks, why.chain(foreign(family, &self.raw.seen)).collect())
    }
}

/// Reads a text by its form; nothing where it is no connection string.
fn read(text: &str) -> Option<Reading> {
    let mut seen = Seen::default();
    let (form, family) = read_into(text, &mut seen)?;
    Some(Reading { form, family, seen })
}

fn read_into(text: &str, seen: &mut Seen) -> Option<(&'static str, Family)> {
    if let Some(program) = words::read(text, seen) {
        let family = match program {
            "mycli" => Family::Mycli,
            // On Debian and others, `mysql` is MariaDB's client, and only that knows this option.
            "mysql" if !seen.has("sslverifyservercert") => Family::Mysql,
            _ => Family::Mariadb,
        };
        return Some(("a command line", family));
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
        return Some((form, family::of_scheme(&found.scheme, seen)));
    }
    if let Some(family) = data_source(text, seen) {
        return Some(("a PDO or DBI data source", family));
    }
    if url::go_dsn(text, seen) {
        return Some(("a Go DSN", Family::Go));
    }
    let first = text
        .split_once(';')
        .filter(|_| !text.contains('\n'))
        .map(|(first, _)| first);
    if first.is_some_and(|first| first.matches('=').count() == 1 && !first.contains('(')) {
        pairs::semicolons(text, seen);
        return Some(("a list of keys and values", family::of_semicolons(seen)));
    }
    pairs::read(text, seen);
    // WordPress: define("MYSQL_CLIENT_FLAGS", ...).
    if text.contains("MYSQL_CLIENT_FLAGS") {
        seen.option("mysqlclientflags", text);
    }
    let nothing = seen.options().next().is_none() && seen.host().is_none() && !seen.password;
    (!nothing).then(|| ("keys and values", family::of_pairs(text, seen)))
}

/// `mysql:host=h;port=1;dbname=d` of PDO and `DBI:MariaDB:...` of Perl, with the code round it.
fn data_source(text: &str, seen: &mut Seen) -> Option<Family> {
    let lower = text.to_ascii_lowercase();
    let heads = [
        ("dbi:mariadb:", Family::PerlMariadb),
        ("dbi:mysql:", Family::PerlMariadb),
        ("mysql:", Family::PhpPdo),
    ];
    let (at, head, family) = heads
        .iter()
        .find_map(|(head, family)| Some((lower.find(head)?, *head, *family)))?;
    let rest = text.get(at + head.len()..)?;
    if !secrets::SOURCE_KEYS.iter().any(|key| rest.starts_with(key)) {
        return None;
    }
    let end = rest.find(['"', '\'', '\n', ',']).unwrap_or(rest.len());
    let (source, after) = rest.split_at_checked(end)?;
    pairs::semicolons(source, seen);
    pairs::read(after.trim_start_matches(['"', '\'']), seen);
    Some(family)
}
