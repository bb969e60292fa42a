//! Form for the settings of a cluster beside its limits.

use serde::Deserialize;
use std::collections::BTreeMap;
use tidegate_control::SettingsChange;
use tidegate_model::ClusterSettings;
use tidegate_model::server_variables::SERVER_VARIABLES;

pub struct SettingsForm {
    pub deletion_protection: bool,
    pub ping_holds: bool,
    pub events: bool,
    /// Networks that logins may come from, one a line.
    pub ip_allow: String,
    /// Server variables, `NAME=VALUE` a line.
    pub variables: String,
    /// Whether the form is expanded, because a value in it was refused.
    pub open: bool,
}

/// Settings as they were entered. A browser sends no field for an empty check box.
#[derive(Deserialize)]
pub struct TypedSettings {
    deletion_protection: Option<String>,
    ping_holds: Option<String>,
    events: Option<String>,
    #[serde(default)]
    ip_allow: String,
    #[serde(default)]
    variables: String,
}

impl TypedSettings {
    pub fn change(&self) -> SettingsChange {
        SettingsChange {
            deletion_protection: Some(self.deletion_protection.is_some()),
            ping_holds: Some(self.ping_holds.is_some()),
            events: Some(self.events.is_some()),
            ip_allow: Some(
                self.ip_allow
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect(),
            ),
            variables: typed_variables(&self.variables),
        }
    }

    /// Returns the form with the values that were entered, for a correction.
    pub fn again(&self) -> SettingsForm {
        SettingsForm {
            deletion_protection: self.deletion_protection.is_some(),
            ping_holds: self.ping_holds.is_some(),
            events: self.events.is_some(),
            ip_allow: self.ip_allow.clone(),
            variables: self.variables.clone(),
            open: true,
        }
    }
}

impl SettingsForm {
    /// Form with a cluster's present settings.
    pub fn of(settings: &ClusterSettings) -> Self {
        let networks = settings.ip_allow.iter();
        let variables = settings.variables.iter();
        Self {
            deletion_protection: settings.deletion_protection,
            ping_holds: settings.ping_holds,
            events: settings.events,
            ip_allow: networks.map(|network| format!("{network}\n")).collect(),
            variables: variables
                .map(|(name, value)| format!("{name}={value}\n"))
                .collect(),
            open: false,
        }
    }
}

/// Reads the lines of the form. Variables that are missing there get their defaults.
fn typed_variables(text: &str) -> BTreeMap<String, Option<String>> {
    let defaults = SERVER_VARIABLES
        .iter()
        .map(|variable| (variable.name.to_owned(), None));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let typed = lines.map(|line| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        (
            name.trim().to_ascii_lowercase(),
            Some(value.trim().to_owned()),
        )
    });
    defaults.chain(typed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_sets_a_variable_and_a_missing_one_its_default() {
        let read = typed_variables("Time_Zone = +02:00 \r\n\n sql_mode=ANSI,ORACLE\nnonsense");
        assert_eq!(read["time_zone"].as_deref(), Some("+02:00"));
        assert_eq!(read["sql_mode"].as_deref(), Some("ANSI,ORACLE"));
        assert_eq!(read["wait_timeout"], None);
        // Refused by the operation, with the names that exist.
        assert_eq!(read["nonsense"].as_deref(), Some(""));
        assert_eq!(read.len(), SERVER_VARIABLES.len() + 1);
    }
}
