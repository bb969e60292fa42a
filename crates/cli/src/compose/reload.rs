//! A reload: the certificate is looked at and the log's level set, at once. All other settings are
//! read at a start only, and a reload says which of them wait for one. A file that is wrong changes
//! nothing.

use crate::args::ServeArgs;
use crate::compose::Server;
use crate::config::Config;
use crate::context::{Context, load_config};
use crate::logging::Level;
use anyhow::Result;
use sd_notify::NotifyState;

/// The one key that needs no restart.
const LOG_LEVEL: &str = "log.level";

/// What a running server reloads from.
#[derive(Debug)]
pub struct Reload<'a> {
    pub context: &'a Context,
    pub flags: &'a ServeArgs,
    /// As the server was started.
    pub started: &'a Config,
    pub level: Level,
}

impl Reload<'_> {
    pub async fn run(&self, server: &Server) {
        let _ = NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now]));
        server.look_for_certificate().await;
        let said = match self.settings() {
            Ok(waiting) if waiting.is_empty() => {
                tracing::info!("reloaded");
                "reloaded".to_owned()
            }
            Ok(waiting) => {
                let keys = waiting.join(", ");
                tracing::warn!(
                    keys,
                    "reloaded; these settings have changed and wait for a restart"
                );
                format!("reloaded; for a restart wait: {keys}")
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the configuration is wrong: all settings stay as they were"
                );
                format!("not reloaded: {error:#}")
            }
        };
        // A status is one line.
        let said = said.lines().next().unwrap_or_default();
        let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(said)]);
    }

    /// The keys that wait for a restart.
    fn settings(&self) -> Result<Vec<String>> {
        let fresh = load_config(self.context, self.flags)?;
        self.level.set(&fresh)?;
        Ok(waiting(self.started, &fresh))
    }
}

fn waiting(started: &Config, fresh: &Config) -> Vec<String> {
    let differs = |key: &str| {
        started.settings.get(key).map(|s| &s.value) != fresh.settings.get(key).map(|s| &s.value)
    };
    fresh
        .settings
        .keys()
        .filter(|key| *key != LOG_LEVEL && differs(key))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Value;

    #[test]
    fn what_has_changed_waits_for_a_restart_and_the_log_s_level_does_not() {
        let started = Config::defaults().unwrap();
        let mut fresh = started.clone();
        assert_eq!(waiting(&started, &fresh), Vec::<String>::new());
        for (key, value) in [
            ("log.level", Value::Text("debug".into())),
            ("gateway.unproven_total", Value::Count(7)),
            ("cluster.connections_max", Value::Count(7)),
        ] {
            fresh.settings.get_mut(key).unwrap().value = value;
        }
        assert_eq!(
            waiting(&started, &fresh),
            ["cluster.connections_max", "gateway.unproven_total"]
        );
    }
}
