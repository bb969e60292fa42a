//! `tidegate key create|list|revoke|rotate-master`. An API key is printed once and stored nowhere.

use super::confirm::confirm;
use super::master_key;
use super::shown_once::ShownOnce;
use crate::args::KeyCommand;
use crate::context::{Context, ask};
use crate::screen;
use anyhow::Result;
use tidegate_console::types::{CreateKey, Key};

pub fn run(context: &Context, command: &KeyCommand) -> Result<()> {
    let client = context.client();
    match command {
        KeyCommand::Create { name, scope, days } => {
            let seconds = days.map(|days| f64::from(days) * 86_400.0);
            let made = ask(client.create_key(&CreateKey {
                name: name.clone(),
                scopes: scope.clone(),
                expires_after_seconds: seconds,
            }))?;
            let printed = match (context.global.json, &made.key) {
                (false, Some(key)) => screen::print(&format!("{}\n", key.reveal())),
                _ => screen::print_json(&made),
            };
            let shown = ShownOnce {
                made: format!("key {} exists", made.id),
                secret: "key itself",
                hint: format!(
                    "`tidegate key revoke {}` revokes it; then create another",
                    made.id
                ),
            };
            shown.check(context, printed)?;
            if !context.global.json {
                screen::say(&format!(
                    "shown only once; `{}` revokes it",
                    context.next(&format!("key revoke {}", made.id))
                ));
            }
            Ok(())
        }
        KeyCommand::List => screen::print_list(
            context.global.json,
            &ask(client.keys())?,
            "no keys",
            &["ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "USED"],
            key_row,
        ),
        KeyCommand::Revoke { key, confirmed } => {
            confirm(*confirmed, &format!("revoking key {key}"), || {
                Ok(format!("Revoke key {key}? Nothing can use it again."))
            })?;
            ask(client.revoke_key(key))?;
            if context.global.json {
                return screen::print_json(&serde_json::json!({ "key": key, "revoked": true }));
            }
            screen::say(&format!("key {key} is revoked"));
            Ok(())
        }
        KeyCommand::RotateMaster => master_key::rotate(context),
    }
}

fn key_row(key: &Key) -> Vec<String> {
    let never = || "never".to_owned();
    vec![
        key.id.clone(),
        key.name.clone(),
        key.scopes.join(","),
        key.created_at.clone(),
        key.expires_at.clone().unwrap_or_else(never),
        key.used_at.clone().unwrap_or_else(never),
    ]
}
