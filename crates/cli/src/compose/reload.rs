//! Reload of a running server: checks the certificate's source and sets the log level. All other
//! settings are read only when the server starts, and the reload reports which of them have
//! changed. An invalid configuration file changes nothing.

use crate::args::ServeArgs;
use crate::compose::Server;
use crate::config::Config;
use crate::context::{Context, load_config};
use crate::failure::one_line;
use crate::logging::Level;
use anyhow::Result;
use sd_notify::NotifyState;

/// The only key that a reload applies.
const LOG_LEVEL: &str = "log.level";

/// Inputs of a reload.
#[derive(Debug)]
pub struct Reload<'a> {
    pub context: &'a Context,
    pub flags: &'a ServeArgs,
    /// Configuration with which the server was started.
    pub started: &'a Config,
    pub level: Level,
}

impl Reload<'_> {
    pub async fn run(&self, server: &Server) {
        // systemd needs the time at which a reload began (Type=notify-reload).
        let _ = NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now]));
        // Before the settings: an invalid configuration must not delay a renewed certificate.
        server.check_certificate_source().await;
        let status = match self.apply_settings() {
            Ok(waiting) if waiting.is_empty() => {
                tracing::info!("reloaded");
                "reloaded".to_owned()
            }
            Ok(waiting) => {
                let keys = waiting.join(", ");
                tracing::warn!(
                    keys,
                    "reloaded; these settings have changed and apply after a restart"
                );
                format!("reloaded; these settings apply after a restart: {keys}")
            }
            Err(error) => {
                let error = one_line(&error);
                tracing::error!(
                    error,
                    "the configuration is invalid: all settings stay in use"
                );
                format!("not reloaded: {error}")
            }
        };
        // systemd's status has one line; an error of the TOML reader may have several.
        let status = status.lines().next().unwrap_or_default();
        let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Applies what a reload can apply, and returns the changed keys that need a restart.
    fn apply_settings(&self) -> Result<Vec<String>> {
        let fresh = load_config(self.context, self.flags)?;
        self.level.set(&fresh)?;
        Ok(changed_keys(self.started, &fresh))
    }
}

/// Returns the keys with different values, except the log level.
fn changed_keys(started: &Config, fresh: &Config) -> Vec<String> {
    fresh
        .settings
        .iter()
        .filter(|(key, setting)| {
            let before = started.settings.get(*key).map(|setting| &setting.value);
            *key != LOG_LEVEL && before != Some(&setting.value)
        })
        .map(|(key, _)| key.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Value;

    #[test]
    fn changed_settings_wait_for_a_restart_but_the_log_level_does_not() {
        let started = Config::defaults().unwrap();
        let mut fresh = started.clone();
        assert_eq!(changed_keys(&started, &fresh), Vec::<String>::new());
        for (key, value) in [
            ("log.level", Value::Text("debug".into())),
            ("gateway.unproven_total", Value::Count(7)),
            ("cluster.connections_max", Value::Count(7)),
        ] {
            fresh.settings.get_mut(key).unwrap().value = value;
        }
        assert_eq!(
            changed_keys(&started, &fresh),
            ["cluster.connections_max", "gateway.unproven_total"]
        );
    }
}
