//! Form for the settings of a cluster beside its limits.

use serde::Deserialize;
use tidegate_control::SettingsChange;
use tidegate_model::ClusterSettings;

pub struct SettingsForm {
    pub deletion_protection: bool,
    pub ping_holds: bool,
    /// Whether the form is expanded, because a value in it was refused.
    pub open: bool,
}

/// Settings as they were entered. A browser sends no field for an empty check box.
#[derive(Deserialize)]
pub struct TypedSettings {
    deletion_protection: Option<String>,
    ping_holds: Option<String>,
}

impl TypedSettings {
    pub fn change(&self) -> SettingsChange {
        SettingsChange {
            deletion_protection: Some(self.deletion_protection.is_some()),
            ping_holds: Some(self.ping_holds.is_some()),
        }
    }

    /// Returns the form with the values that were entered, for a correction.
    pub fn again(&self) -> SettingsForm {
        SettingsForm {
            deletion_protection: self.deletion_protection.is_some(),
            ping_holds: self.ping_holds.is_some(),
            open: true,
        }
    }
}

impl SettingsForm {
    /// Form with a cluster's present settings.
    pub fn of(settings: &ClusterSettings) -> Self {
        Self {
            deletion_protection: settings.deletion_protection,
            ping_holds: settings.ping_holds,
            open: false,
        }
    }
}
