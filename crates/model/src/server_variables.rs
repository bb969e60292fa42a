//! Server variables that an operator may set per cluster: a closed list. A tenant can't set them
//! for all sessions, and none of them weakens the walls of an engine or the bounds of its memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Values of server variables by name. Each was checked by [`check_variable`].
pub type ServerVariables = BTreeMap<String, String>;

/// A server variable of the list.
#[derive(Debug, Clone, Copy)]
pub struct ServerVariable {
    pub name: &'static str,
    /// Name in the engine's SQL.
    pub sql_name: &'static str,
    pub kind: VariableKind,
    pub help: &'static str,
}

/// Kind of values. The engine decides about those that depend on its version.
#[derive(Debug, Clone, Copy)]
pub enum VariableKind {
    Number(u64, u64),
    /// A number that the engine rounds down to a multiple of the step.
    Steps {
        least: u64,
        most: u64,
        step: u64,
    },
    /// Seconds with up to six decimals; 0 means no limit. The least other value is in milliseconds.
    Seconds {
        least_ms: u64,
        most: u64,
    },
    Choice(&'static [&'static str]),
    /// Names of SQL modes, separated by commas; 0 means none.
    Modes,
    /// `SYSTEM`, an offset such as `+02:00`, or a named zone.
    Zone,
    /// Name of a character set or collation.
    CharsetName,
}

/// A year: the maximum of the engine's own timeouts.
const YEAR: u64 = 31_536_000;

/// Every variable that can be set.
pub const SERVER_VARIABLES: &[ServerVariable] = &[
    ServerVariable {
        name: "character_set_server",
        sql_name: "character_set_server",
        kind: VariableKind::CharsetName,
        help: "Character set of new databases.",
    },
    ServerVariable {
        name: "collation_server",
        sql_name: "collation_server",
        kind: VariableKind::CharsetName,
        help: "Collation of new databases.",
    },
    ServerVariable {
        name: "default_storage_engine",
        sql_name: "default_storage_engine",
        kind: VariableKind::Choice(&["InnoDB", "Aria", "MyISAM"]),
        help: "Storage engine of new tables.",
    },
    ServerVariable {
        name: "group_concat_max_len",
        sql_name: "group_concat_max_len",
        kind: VariableKind::Number(4, 64 << 20),
        help: "Maximum length of a result of GROUP_CONCAT, in bytes.",
    },
    ServerVariable {
        name: "innodb_lock_wait_timeout",
        sql_name: "innodb_lock_wait_timeout",
        kind: VariableKind::Number(0, YEAR),
        help: "Maximum wait for a lock of a row, in seconds.",
    },
    ServerVariable {
        name: "interactive_timeout",
        sql_name: "interactive_timeout",
        kind: VariableKind::Number(1, YEAR),
        help: "Idle time after which an interactive session ends, in seconds.",
    },
    ServerVariable {
        name: "lock_wait_timeout",
        sql_name: "lock_wait_timeout",
        kind: VariableKind::Number(0, YEAR),
        help: "Maximum wait for a lock of a table, in seconds.",
    },
    ServerVariable {
        name: "max_allowed_packet",
        sql_name: "max_allowed_packet",
        // The maximum is the engine's default here.
        kind: VariableKind::Steps {
            least: 1 << 10,
            most: 64 << 20,
            step: 1 << 10,
        },
        help: "Maximum length of a packet or a text, in bytes.",
    },
    ServerVariable {
        name: "max_statement_time",
        sql_name: "max_statement_time",
        // The gateway's own statements set their limit by one that takes less.
        kind: VariableKind::Seconds {
            least_ms: 100,
            most: YEAR,
        },
        help: "Time after which a statement is ended, in seconds; 0 means never.",
    },
    ServerVariable {
        name: "sql_mode",
        sql_name: "sql_mode",
        kind: VariableKind::Modes,
        help: "SQL modes, separated by commas; 0 means none.",
    },
    ServerVariable {
        name: "time_zone",
        sql_name: "time_zone",
        kind: VariableKind::Zone,
        help: "Time zone: SYSTEM, an offset such as +02:00, or a name such as Europe/Paris.",
    },
    ServerVariable {
        name: "transaction_isolation",
        // MariaDB has the other name since 11.1 only.
        sql_name: "tx_isolation",
        kind: VariableKind::Choice(&[
            "READ-UNCOMMITTED",
            "READ-COMMITTED",
            "REPEATABLE-READ",
            "SERIALIZABLE",
        ]),
        help: "Isolation level of transactions.",
    },
    ServerVariable {
        name: "wait_timeout",
        sql_name: "wait_timeout",
        kind: VariableKind::Number(1, YEAR),
        help: "Idle time after which a session ends, in seconds.",
    },
];

/// Switch of the engine's event scheduler. Operators set it with [`ClusterSettings::events`].
///
/// [`ClusterSettings::events`]: crate::ClusterSettings::events
pub const EVENT_SCHEDULER: ServerVariable = ServerVariable {
    name: "event_scheduler",
    sql_name: "event_scheduler",
    kind: VariableKind::Choice(&["ON", "OFF"]),
    help: "Whether events run.",
};

/// Longest value of a variable: all SQL modes fit.
pub const VARIABLE_BYTES_MAX: usize = 1024;

/// Error of a variable that can't be set so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongVariable {
    #[error("{0:?} is not a server variable that can be set")]
    Unknown(String),
    #[error("{value:?} is not a value of {name}")]
    Value {
        name: &'static str,
        value: String,
        /// Values that are accepted.
        accepted: String,
    },
    #[error("collation_server={collation} is no collation of character_set_server={charset}")]
    OtherCharset { charset: String, collation: String },
}

impl WrongVariable {
    /// Hint for the operator.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown(_) => {
                let names: Vec<_> = SERVER_VARIABLES.iter().map(|known| known.name).collect();
                format!("choose one of {}", names.join(", "))
            }
            Self::Value { accepted, .. } => format!("give {accepted}"),
            Self::OtherCharset { .. } => "set only the collation, which brings its character set: \
                 `--unset-param character_set_server`"
                .to_owned(),
        }
    }
}

/// Returns the variable of this name, in either of its forms.
pub fn find_variable(name: &str) -> Option<&'static ServerVariable> {
    let name = name.trim();
    SERVER_VARIABLES.iter().find(|known| {
        known.name.eq_ignore_ascii_case(name) || known.sql_name.eq_ignore_ascii_case(name)
    })
}

/// Returns the variable of this name among all that the gateway sets.
pub fn find_engine_variable(name: &str) -> Option<&'static ServerVariable> {
    const EVENTS: &ServerVariable = &EVENT_SCHEDULER;
    if name == EVENTS.name {
        return Some(EVENTS);
    }
    find_variable(name)
}

/// Checks a name and a value. Returns the name as the list has it, and the value as it is stored.
///
/// # Errors
/// If the variable is not in the list, or the value is none of its kind.
pub fn check_variable(name: &str, value: &str) -> Result<(&'static str, String), WrongVariable> {
    let Some(variable) = find_variable(name) else {
        return Err(WrongVariable::Unknown(shortened(name)));
    };
    match variable.read(value) {
        Some(value) => Ok((variable.name, value)),
        None => Err(WrongVariable::Value {
            name: variable.name,
            value: shortened(value),
            accepted: variable.kind.accepted(),
        }),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

impl ServerVariable {
    /// Returns the value in the form in which it is stored, if it is one of this variable.
    pub fn read(&self, value: &str) -> Option<String> {
        self.kind.read(value.trim())
    }

    /// Whether the engine takes the value as a number.
    pub fn is_number(&self) -> bool {
        matches!(
            self.kind,
            VariableKind::Number(..) | VariableKind::Steps { .. } | VariableKind::Seconds { .. }
        )
    }
}

impl VariableKind {
    /// Returns the value in the form in which it is stored. It contains only characters that are
    /// harmless in SQL.
    fn read(self, value: &str) -> Option<String> {
        if value.is_empty() || value.len() > VARIABLE_BYTES_MAX {
            return None;
        }
        match self {
            Self::Number(least, most) => whole_number(value, least..=most),
            Self::Steps { least, most, step } => {
                let number = whole_number(value, least..=most)?;
                let is_whole = number.parse::<u64>().ok()?.is_multiple_of(step);
                is_whole.then_some(number)
            }
            Self::Seconds { least_ms, most } => seconds(value, least_ms, most),
            Self::Choice(choices) => {
                let dashed = value.replace([' ', '_'], "-");
                let choice = choices.iter().find(|c| c.eq_ignore_ascii_case(&dashed))?;
                Some((*choice).to_owned())
            }
            Self::Modes if value == "0" => Some(value.to_owned()),
            Self::Modes => {
                let modes: Vec<_> = value.split(',').map(str::trim).collect();
                let known = modes.iter().all(|mode| is_mode(mode));
                known.then(|| {
                    let mut upper: Vec<_> = modes.iter().map(|m| m.to_ascii_uppercase()).collect();
                    let mut seen = BTreeSet::new();
                    upper.retain(|mode| seen.insert(mode.clone()));
                    upper.join(",")
                })
            }
            Self::Zone => {
                let known = |b: u8| b.is_ascii_alphanumeric() || b"_/+-:".contains(&b);
                let is_short = value.len() <= 64 && value.bytes().all(known);
                is_short.then(|| match value.eq_ignore_ascii_case("SYSTEM") {
                    true => "SYSTEM".to_owned(),
                    false => two_digit_hours(value),
                })
            }
            Self::CharsetName => {
                let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                let is_short = value.len() <= 64 && value.bytes().all(known);
                is_short.then(|| charset_name(&value.to_ascii_lowercase()))
            }
        }
    }

    /// Words for the values that are accepted.
    fn accepted(self) -> String {
        match self {
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Steps { least, most, step } => {
                format!("a multiple of {step} from {least} to {most}")
            }
            Self::Seconds { least_ms, most } => format!(
                "0, or seconds from {}.{:03} to {most}",
                least_ms / 1000,
                least_ms % 1000
            ),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::Modes => "names of SQL modes, separated by commas, or 0 for none".to_owned(),
            Self::Zone => {
                "SYSTEM, an offset such as +02:00, or a name such as Europe/Paris".to_owned()
            }
            Self::CharsetName => "a name that SHOW COLLATION lists".to_owned(),
        }
    }
}

/// Writes an offset such as `+2:00` as the engine does.
fn two_digit_hours(zone: &str) -> String {
    let sign = ['+', '-'].into_iter().find(|sign| zone.starts_with(*sign));
    match (sign, zone.get(1..).and_then(|rest| rest.split_once(':'))) {
        (Some(sign), Some((hours, minutes))) if hours.len() == 1 => {
            format!("{sign}0{hours}:{minutes}")
        }
        _ => zone.to_owned(),
    }
}

/// Returns the name that the engine itself uses: `utf8` is its former name of `utf8mb3`.
fn charset_name(name: &str) -> String {
    match name.strip_prefix("utf8") {
        Some("") => "utf8mb3".to_owned(),
        Some(rest) if rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name.to_owned(),
    }
}

/// Checks that a collation belongs to the character set that is set beside it: the engine would
/// take the one that is set last, and change the other.
///
/// # Errors
/// If it belongs to another one.
pub fn check_charset(variables: &ServerVariables) -> Result<(), WrongVariable> {
    let charset = variables.get("character_set_server");
    let (Some(charset), Some(collation)) = (charset, variables.get("collation_server")) else {
        return Ok(());
    };
    let rest = collation.strip_prefix(charset.as_str());
    let fits = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        // A collation of every Unicode character set.
        || collation.starts_with("uca1400_");
    match fits {
        true => Ok(()),
        false => Err(WrongVariable::OtherCharset {
            charset: charset.clone(),
            collation: collation.clone(),
        }),
    }
}

/// Whether this may be the name of an SQL mode.
fn is_mode(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn whole_number(value: &str, range: RangeInclusive<u64>) -> Option<String> {
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = value.parse().ok().filter(|_| digits)?;
    range.contains(&number).then(|| number.to_string())
}

/// Reads seconds with up to six decimals.
fn seconds(value: &str, least_ms: u64, most: u64) -> Option<String> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, "0"));
    if decimals.is_empty() || decimals.len() > 6 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole = whole_number(whole, 0..=most)?;
    let micros: u64 = format!("{decimals:0<6}").parse().ok()?;
    let total = whole.parse::<u64>().ok()? * 1_000_000 + micros;
    let fits = total == 0 || (least_ms * 1000..=most * 1_000_000).contains(&total);
    fits.then(|| match micros {
        0 => whole,
        _ => format!("{whole}.{}", decimals.trim_end_matches('0')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_stored_in_one_form() {
        for (name, value, stored) in [
            ("wait_timeout", "600", "600"),
            ("WAIT_TIMEOUT", " 0600 ", "600"),
            ("max_allowed_packet", "1048576", "1048576"),
            ("max_allowed_packet", "1024", "1024"),
            ("time_zone", "+2:00", "+02:00"),
            ("time_zone", "system", "SYSTEM"),
            ("character_set_server", "utf8", "utf8mb3"),
            ("collation_server", "UTF8_bin", "utf8mb3_bin"),
            ("collation_server", "utf8mb4_bin", "utf8mb4_bin"),
            ("sql_mode", "ANSI_QUOTES,ansi_quotes", "ANSI_QUOTES"),
            ("max_statement_time", "0", "0"),
            ("max_statement_time", "0.500", "0.5"),
            ("max_statement_time", "30", "30"),
            ("transaction_isolation", "read committed", "READ-COMMITTED"),
            ("tx_isolation", "SERIALIZABLE", "SERIALIZABLE"),
            (
                "sql_mode",
                "ansi_quotes, NO_ZERO_DATE",
                "ANSI_QUOTES,NO_ZERO_DATE",
            ),
            ("sql_mode", "0", "0"),
            ("time_zone", "+02:00", "+02:00"),
            (
                "time_zone",
                "America/Argentina/Buenos_Aires",
                "America/Argentina/Buenos_Aires",
            ),
            ("character_set_server", "LATIN1", "latin1"),
            ("default_storage_engine", "aria", "Aria"),
        ] {
            let checked = check_variable(name, value).unwrap();
            assert_eq!(checked.1, stored, "{name}");
            // What is stored is read again at each start.
            assert_eq!(check_variable(checked.0, stored).unwrap(), checked);
        }
    }

    #[test]
    fn a_collation_of_another_character_set_is_refused() {
        for (charset, collation, fits) in [
            ("utf8mb4", "utf8mb4_unicode_ci", true),
            ("latin1", "latin1_bin", true),
            ("binary", "binary", true),
            ("utf8mb4", "uca1400_ai_ci", true),
            ("latin1", "utf8mb4_general_ci", false),
            ("utf8mb3", "utf8mb4_bin", false),
            ("latin1", "latin10", false),
        ] {
            let both = [
                ("character_set_server", charset),
                ("collation_server", collation),
            ];
            let both = both.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let checked = check_charset(&both.into());
            assert_eq!(checked.is_ok(), fits, "{charset} {collation}");
        }
        let one = [("collation_server".to_owned(), "latin1_bin".to_owned())];
        assert_eq!(check_charset(&one.into()), Ok(()));
    }

    #[test]
    fn other_variables_and_values_are_refused_with_what_is_accepted() {
        for (name, value) in [
            ("wait_timeout", ""),
            ("wait_timeout", "0"),
            ("wait_timeout", "-1"),
            ("wait_timeout", "+1"),
            ("wait_timeout", "1e3"),
            ("wait_timeout", "31536001"),
            ("wait_timeout", "99999999999999999999"),
            ("max_allowed_packet", "1073741824"),
            ("max_allowed_packet", "1025"),
            ("max_statement_time", "0.000001"),
            ("max_statement_time", "1.2.3"),
            ("max_statement_time", "."),
            ("sql_mode", "ANSI'; DROP TABLE t"),
            ("sql_mode", ","),
            ("time_zone", "Europe/Paris'"),
            ("time_zone", "a b"),
            ("character_set_server", "utf8mb4;"),
            ("transaction_isolation", "SNAPSHOT"),
            ("default_storage_engine", "CSV"),
        ] {
            let wrong = check_variable(name, value).unwrap_err();
            assert!(wrong.hint().starts_with("give "), "{name}={value}: {wrong}");
        }
        for name in [
            "",
            "max_connections",
            "local_infile",
            "init_connect",
            "sql_mode\0",
        ] {
            let wrong = check_variable(name, "1").unwrap_err();
            assert!(wrong.hint().contains("sql_mode"), "{name}");
        }
        let long = "A".repeat(VARIABLE_BYTES_MAX + 1);
        assert!(check_variable("sql_mode", &long).is_err());
    }
}
