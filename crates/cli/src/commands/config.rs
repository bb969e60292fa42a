//! `tidegate config check|show`. Reads; never writes a configuration.

use super::Context;
use crate::args::{ConfigCommand, ServeArgs};
use crate::config::value::Value;
use crate::config::{Config, show};
use crate::failure::Failure;
use crate::screen;
use anyhow::Result;

pub fn run(context: &Context, command: &ConfigCommand) -> Result<()> {
    let config = load(context, &ServeArgs::default())?;
    let file = config.file.as_deref();
    if let ConfigCommand::Check = command {
        files_are_there(&config)?;
    }
    match command {
        ConfigCommand::Check if context.global.json => {
            screen::print_json(&serde_json::json!({ "ok": true, "file": file }))
        }
        ConfigCommand::Check => screen::print(&match file {
            Some(file) => format!("{}: right\n", file.display()),
            None => format!("no configuration file in {}: the defaults count\n", context.data.display()),
        }),
        ConfigCommand::Show if context.global.json => {
            let mut json = show::json(&config);
            if let Some(object) = json.as_object_mut() {
                object.insert("data".into(), context.data.display().to_string().into());
                object.insert("file".into(), serde_json::json!(file));
            }
            screen::print_json(&json)
        }
        ConfigCommand::Show => {
            let read = file.map_or("none".to_owned(), |f| f.display().to_string());
            let head = format!("# data directory: {}\n# configuration file: {read}\n\n", context.data.display());
            screen::print(&format!("{head}{}", show::table(&config)))
        }
    }
}

pub fn load(context: &Context, flags: &ServeArgs) -> Result<Config> {
    Config::load(&context.global, &context.data, flags, |name| std::env::var(name).ok().filter(|v| !v.is_empty()))
}

/// A path may be right in form and lead nowhere; the server would find out later.
fn files_are_there(config: &Config) -> Result<()> {
    for (name, setting) in &config.settings {
        let Value::File(Some(path)) = &setting.value else { continue };
        if let Err(error) = std::fs::File::open(path) {
            let cause = format!("{name} ({}) names {}, which can't be opened: {error}", setting.origin, path.display());
            return Err(Failure::usage(cause, "mend the path, or let this user read the file").into());
        }
    }
    Ok(())
}
