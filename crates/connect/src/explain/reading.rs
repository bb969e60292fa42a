//! Reads a string by its form, twice: without possible secrets, for all shown values, and
//! unchanged, which affects only the judgement of the checks.

use super::error::ExplainError;
use super::families::{self, Family};
use super::foreign::foreign;
use super::judgement::{CheckAnswer, ClientChecks};
use super::read_values::ReadValues;
use super::{pairs, secrets, url, words};

/// Reason for a check that depends on the reading.
const TWO_READINGS: &str = "The string can be read in more than one way, and the checks depend on \
                            the reading; hint: percent-encode the password in an address, or put \
                            it in quotes elsewhere, and try again.";

/// Result of one reading of a string.
#[derive(Debug, Clone)]
pub struct Reading {
    pub form: &'static str,
    family: &'static Family,
    pub values: ReadValues,
}

/// Both readings: without possible secrets, for all shown values, and unchanged, for the judgement
/// only.
#[derive(Debug)]
pub struct Readings {
    pub clear: Reading,
    pub raw: Reading,
}

impl Readings {
    pub fn of(raw: &str, clear: &str) -> Result<Self, ExplainError> {
        match (read(raw), read(clear)) {
            (None, None) => Err(ExplainError::NotRecognised),
            (Some(raw), Some(clear)) if raw.form == clear.form => Ok(Self { clear, raw }),
            // Only the removed part made it look like another form.
            (_, Some(clear)) => Ok(Self {
                raw: clear.clone(),
                clear,
            }),
            (Some(raw), None) => Ok(Self {
                clear: Reading {
                    form: raw.form,
                    family: raw.family,
                    values: ReadValues::default(),
                },
                raw,
            }),
        }
    }

    pub fn family(&self) -> &'static Family {
        if self.clear.family.is_named() {
            self.clear.family
        } else {
            self.raw.family
        }
    }

    /// Judges both readings. A check on which they differ depends on the reading.
    pub fn judge(&self, family: &Family) -> (ClientChecks, Vec<String>) {
        let clear = (family.judge)(&self.clear.values);
        let raw = (family.judge)(&self.raw.values);
        let checks = ClientChecks {
            tls: agreed(clear.checks.tls, raw.checks.tls),
            chain: agreed(clear.checks.chain, raw.checks.chain),
            dns_name: agreed(clear.checks.dns_name, raw.checks.dns_name),
            address: agreed(clear.checks.address, raw.checks.address),
        };
        let doubt = (clear.checks != raw.checks).then_some(TWO_READINGS);
        let why = doubt.into_iter().chain(raw.why).map(str::to_owned);
        (
            checks,
            why.chain(foreign(family, &self.raw.values)).collect(),
        )
    }
}

/// Returns the answer of two readings.
fn agreed(one: CheckAnswer, other: CheckAnswer) -> CheckAnswer {
    if one == other {
        one
    } else {
        CheckAnswer::Depends
    }
}

/// Reads a string by its form. None if it is not a connection string.
fn read(text: &str) -> Option<Reading> {
    let mut values = ReadValues::default();
    let (form, family) = read_into(text, &mut values)?;
    Some(Reading {
        form,
        family,
        values,
    })
}

fn read_into(text: &str, values: &mut ReadValues) -> Option<(&'static str, &'static Family)> {
    if let Some(program) = words::read(text, values) {
        let family = families::of_program(program, values);
        return Some(("a command line", family));
    }
    if let Some(found) = url::find(text) {
        let (before, after) = url::read(text, &found, values);
        pairs::read(before, values);
        pairs::read(after, values);
        // A scheme with a driver (`mysql+pymysql`) is SQLAlchemy's.
        if found.scheme.contains('+') {
            values.option("sqlalchemy", "");
        }
        let form = match found.scheme.as_str() {
            scheme if scheme.starts_with("jdbc:") => "a JDBC URL",
            scheme if scheme.starts_with("r2dbc") => "an R2DBC URL",
            scheme if scheme.contains('+') => "an SQLAlchemy URL",
            _ => "a URL",
        };
        return Some((form, families::of_url(&found.scheme, values)));
    }
    if let Some(family) = data_source(text, values) {
        return Some(("a PDO or DBI data source", family));
    }
    if url::go_dsn(text, values) {
        return Some(("a Go DSN", &families::GO));
    }
    let first = text
        .split_once(';')
        .filter(|_| !text.contains('\n'))
        .map(|(first, _)| first);
    // In code the part before the first `;` is a statement and not one pair.
    if first.is_some_and(|first| first.matches('=').count() == 1 && !first.contains('(')) {
        pairs::semicolons(text, values);
        return Some(("a list of keys and values", families::of_semicolons(values)));
    }
    pairs::read(text, values);
    // The form of WordPress: define("MYSQL_CLIENT_FLAGS", ...).
    if text.contains("MYSQL_CLIENT_FLAGS") {
        values.option("mysqlclientflags", text);
    }
    let nothing = values.options().next().is_none() && values.host().is_none() && !values.password;
    (!nothing).then(|| ("keys and values", families::of_pairs(text, values)))
}

/// Reads `mysql:host=h;port=1;dbname=d` of PDO and `DBI:MariaDB:...` of Perl, with the code around
/// it.
fn data_source(text: &str, values: &mut ReadValues) -> Option<&'static Family> {
    let lower = text.to_ascii_lowercase();
    let (family, source_start) = families::of_data_source(&lower)?;
    let rest = text.get(source_start..)?;
    if !secrets::SOURCE_KEYS.iter().any(|key| rest.starts_with(key)) {
        return None;
    }
    let end = rest.find(['"', '\'', '\n', ',']).unwrap_or(rest.len());
    let (source, after) = rest.split_at_checked(end)?;
    pairs::semicolons(source, values);
    pairs::read(after.trim_start_matches(['"', '\'']), values);
    Some(family)
}
