//! `tidegate key create|list|revoke`: asks the running server. A key is printed once and kept
//! nowhere.

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
            if context.global.json {
                return screen::print_json(&made);
            }
            let key = made
                .key
                .as_ref()
                .map(|key| key.reveal())
                .unwrap_or_default();
            screen::print(&format!("{key}\n"))?;
            screen::say(&format!(
                "shown this once; `{}` ends it",
                context.next(&format!("key revoke {}", made.id))
            ));
            Ok(())
        }
        KeyCommand::List => list(context, &ask(client.keys())?),
        KeyCommand::Revoke { key } => {
            ask(client.revoke_key(key))?;
            if context.global.json {
                return screen::print_json(&serde_json::json!({ "key": key, "revoked": true }));
            }
            screen::say(&format!("key {key} is revoked"));
            Ok(())
        }
    }
}

fn list(context: &Context, keys: &[Key]) -> Result<()> {
    if context.global.json {
        return screen::print_json(&keys);
    }
    if keys.is_empty() {
        screen::say("no keys");
        return Ok(());
    }
    let or = |time: &Option<String>, word: &str| time.clone().unwrap_or_else(|| word.to_owned());
    let row = |k: &Key| {
        vec![
            k.id.clone(),
            k.name.clone(),
            k.scopes.join(","),
            k.created_at.clone(),
            or(&k.expires_at, "never"),
            or(&k.used_at, "never"),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    screen::print(&screen::table(
        &["ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "USED"],
        &rows,
    ))
}
