//! `tidegate session list|kill`.

use crate::args::SessionCommand;
use crate::config::value::write_duration;
use crate::context::{Context, ask};
use crate::screen;
use anyhow::Result;
use std::time::Duration;
use tidegate_console::SessionFilter;
use tidegate_console::types::Session;

pub fn run(context: &Context, command: &SessionCommand) -> Result<()> {
    let client = context.client();
    match command {
        SessionCommand::List { cluster, user } => {
            let wanted = SessionFilter {
                cluster: cluster.clone(),
                user: user.clone(),
            };
            screen::print_list(
                context.global.json,
                &ask(client.sessions(&wanted))?,
                "no sessions",
                &["ID", "CLUSTER", "USER", "CLIENT", "TLS", "AGE"],
                session_row,
            )
        }
        SessionCommand::Kill { id } => {
            ask(client.kill_session(u64::from(*id)))?;
            if context.global.json {
                return screen::print_json(&serde_json::json!({ "id": id, "killed": true }));
            }
            screen::say(&format!("session {id} is being ended"));
            Ok(())
        }
    }
}

fn session_row(session: &Session) -> Vec<String> {
    vec![
        session.id.to_string(),
        session.cluster.clone().unwrap_or_else(|| "-".to_owned()),
        session.user.clone(),
        session.client.clone(),
        session.tls.clone(),
        age(session.age_seconds),
    ]
}

/// Writes an age in the largest unit that is at least two of that unit.
fn age(seconds: u64) -> String {
    let unit = match seconds {
        0..120 => 1,
        120..7_200 => 60,
        7_200..172_800 => 3_600,
        _ => 86_400,
    };
    match seconds / unit * unit {
        0 => "0s".to_owned(),
        rounded => write_duration(Duration::from_secs(rounded)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_readable_unit() {
        for (seconds, want) in [
            (0, "0s"),
            (59, "59s"),
            (150, "2m"),
            (7300, "2h"),
            (200_000, "2d"),
        ] {
            assert_eq!(age(seconds), want);
        }
    }
}
