//! Reads a string by its form, twice: without possible secrets, for all shown values, and
//! unchanged, which affects only the judgement of the checks.

use super::error::ExplainError;
use super::families::{self, Family};
use super::foreign::foreign;
use super::judgement::{CheckAnswer, ClientChecks, UNREADABLE};
use super::other_database::{is_only_for_another, of_other_program, other_database};
use super::read_values::ReadValues;
use super::{known_keys, options_file, pairs, reference, secrets, url, words};

/// Reason for a check that depends on the reading.
const TWO_READINGS: &str = "The string can be read in more than one way, and the checks depend on \
                            the reading; hint: percent-encode the password in an address, or put \
                            it in quotes elsewhere, and try again.";

/// Reason for an address that is no DSN.
const NO_GO_DSN: &str = "can't read: Go-MySQL-Driver refuses an address with `mysql://`: its DSN \
                         is `user:password@tcp(host:port)/database`. dbmate and Atlas take such an \
                         address; hint: paste the whole command, or name the client with --with.";

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
            (None, None) => Err(unread(raw)),
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

    /// Whether the scheme of an address names a driver.
    pub fn names_driver(&self) -> bool {
        let is_url = self.clear.form.ends_with("URL") && self.clear.form != "a URL";
        is_url && self.family().is_named()
    }

    /// Whether a program that makes a Go DSN of an address is named beside it.
    fn is_of_go(&self) -> bool {
        std::ptr::eq(self.family(), &families::GO)
    }

    /// Judges both readings. A check on which they differ depends on the reading.
    pub fn judge(&self, family: &Family) -> (ClientChecks, Vec<String>) {
        if std::ptr::eq(family, &families::GO) && self.clear.form == "a URL" && !self.is_of_go() {
            return (UNREADABLE, vec![NO_GO_DSN.to_owned()]);
        }
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
    } else if [one, other].contains(&CheckAnswer::Unreadable) {
        CheckAnswer::Unreadable
    } else {
        CheckAnswer::Depends
    }
}

/// Returns the reason why a text can't be read.
fn unread(text: &str) -> ExplainError {
    match other_database(text) {
        Some(name) => ExplainError::OtherDatabase(name),
        None if is_encoded(text) => ExplainError::Encoded,
        None => ExplainError::NotRecognised,
    }
}

/// Whether this is a Secret of Kubernetes whose values are in base64.
fn is_encoded(text: &str) -> bool {
    text.contains("kind: Secret") && text.lines().any(|line| line.trim_end() == "data:")
}

/// Reads a string by its form. None if it is not a connection string.
fn read(text: &str) -> Option<Reading> {
    let mut values = ReadValues::default();
    values.mark(text);
    let (form, family) = read_into(text, &mut values)?;
    Some(Reading {
        form,
        family,
        values,
    })
}

fn read_into(text: &str, values: &mut ReadValues) -> Option<(&'static str, &'static Family)> {
    // Before any other reading: the secrets of its arguments are not known.
    if of_other_program(text).is_some() {
        return None;
    }
    if let Some(program) = words::read(text, values) {
        let family = families::of_program(program, values);
        return Some(("a command line", family));
    }
    // Go's address may follow `mysql://`, as golang-migrate writes it.
    if text.contains("@tcp(") && url::go_dsn(text, values) {
        return Some(("a Go DSN", &families::GO));
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
        let code = format!("{before}{after}");
        return Some((form, families::of_url(&found.scheme, &code, values)));
    }
    if is_only_for_another(text) || is_encoded(text) {
        return None;
    }
    if let Some(family) = options_file::read(text, values) {
        return Some(("an options file", family));
    }
    if let Some(family) = data_source(text, values) {
        return Some(("a PDO or DBI data source", family));
    }
    if url::go_dsn(text, values) {
        return Some(("a Go DSN", &families::GO));
    }
    if let Some(string) = inner_string(text) {
        pairs::semicolons(string, values);
        return Some(("a list of keys and values", families::of_semicolons(values)));
    }
    let first = text
        .split_once(';')
        .filter(|_| !text.contains('\n'))
        .map(|(first, _)| first);
    // In code the part before the first `;` is a statement and not one pair.
    let is_pair = |first: &str| {
        let declares = ["const ", "let ", "var ", "$"];
        first.matches('=').count() == 1
            && !first.contains('(')
            && !declares.iter().any(|word| first.starts_with(word))
    };
    if first.is_some_and(is_pair) {
        pairs::semicolons(text, values);
        return Some(("a list of keys and values", families::of_semicolons(values)));
    }
    pairs::read(text, values);
    // The form of WordPress: define("MYSQL_CLIENT_FLAGS", ...).
    if text.contains("MYSQL_CLIENT_FLAGS") {
        values.option("mysqlclientflags", text);
    }
    let family = families::of_pairs(text, values);
    let knows = values.options().any(known_keys::is_known) || values.password;
    let has_login = values.host().is_some() || values.user_name().is_some();
    let is_code = family.is_named() && text.contains('(');
    let is_elsewhere = || reference::find(text).is_some();
    (knows || has_login || is_code || is_elsewhere()).then_some(("keys and values", family))
}

/// Returns the `;` list of ADO.NET or ODBC that is a value inside of JSON or code.
fn inner_string(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('"') {
        let (inside, next) = after.split_once('"')?;
        let keys = ["server=", "host=", "data source=", "driver=", "address="];
        let lower = inside.trim_start().to_ascii_lowercase();
        let begins = keys
            .iter()
            .any(|key| lower.starts_with(key) || lower.contains(&format!(";{key}")));
        if begins && inside.matches('=').count() > 1 && inside.contains(';') {
            return Some(inside);
        }
        rest = next;
    }
    None
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
