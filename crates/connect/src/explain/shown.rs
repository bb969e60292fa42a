//! The values of a string that may be shown.

use super::reading::Readings;
use super::secrets::Hidden;
use super::words::SPACED_PASSWORD;

/// Values of a string that may be shown.
#[derive(Debug, Default)]
pub struct ShownValues {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub database: Option<String>,
    pub ca: Option<String>,
    pub password: bool,
    /// Whether a word follows `-p`.
    pub spaced_password: bool,
    /// Parts that the string contains but that may be part of a password.
    pub withheld: Vec<&'static str>,
}

impl ShownValues {
    pub fn of(readings: &Readings, hidden: &Hidden) -> Self {
        let values = &readings.clear.values;
        let spaced_password = readings.raw.values.has(SPACED_PASSWORD);
        let mut shown = Self {
            host: clear_of(hidden, values.host()),
            port: values.port().filter(|port| !hidden.took(&port.to_string())),
            user: clear_of(hidden, values.user_name()),
            database: clear_of(hidden, values.database_name()),
            ca: clear_of(hidden, values.ca()),
            password: hidden.literal
                && (readings.raw.values.password
                    || readings.clear.values.password
                    || hidden.password && !spaced_password),
            spaced_password,
            withheld: Vec::new(),
        };
        let is_shown = [
            shown.host.is_some(),
            shown.port.is_some(),
            shown.user.is_some(),
            shown.database.is_some(),
        ];
        let named = readings.raw.values.parts().into_iter().zip(is_shown);
        shown.withheld = named
            .filter(|((_, named), is_shown)| *named && !is_shown)
            .map(|((part, _), _)| part)
            .collect();
        if spaced_password && shown.database.is_none() && !shown.withheld.contains(&"database") {
            shown.withheld.push("database");
        }
        shown
    }
}

/// Returns the value, unless it may be part of a password.
fn clear_of(hidden: &Hidden, value: Option<&str>) -> Option<String> {
    value.filter(|value| !hidden.took(value)).map(str::to_owned)
}
