//! `tidegate config check|show`.

use super::machine::{limit_lines, wall_lines};
use crate::args::{ConfigCommand, ServeArgs};
use crate::compose::descriptors::Places;
use crate::compose::settings::{engine_settings, gateway_settings};
use crate::config::value::Value;
use crate::config::{Config, show};
use crate::context::{Context, load_config};
use crate::failure::Failure;
use crate::screen;
use anyhow::Result;
use tidegate_console::types::{LimitInForce, ServerWalls};
use tidegate_engine::{KindGreeting, LimitsInForce, Walls};

pub fn run(context: &Context, command: &ConfigCommand) -> Result<()> {
    let config = load_config(context, &ServeArgs::default())?;
    let file = config.file.as_deref();
    if let ConfigCommand::Check = command {
        check_files(&config)?;
    }
    match command {
        ConfigCommand::Check => check(context, &config),
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
            let head = format!(
                "# data directory: {}\n# configuration file: {read}\n\n",
                context.data.display()
            );
            screen::print(&format!("{head}{}", show::table(&config)))
        }
    }
}

/// Says that the configuration is valid, and which isolation and limits a server started by this
/// user would have.
fn check(context: &Context, config: &Config) -> Result<()> {
    let walls = Walls::detect();
    let walls = ServerWalls {
        own_users: walls.own_uids,
        landlock: walls.landlock,
        seccomp: walls.seccomp,
    };
    let engine = engine_settings(config, &context.data)?;
    let places = Places::of_process(&gateway_settings(config, KindGreeting::default())?);
    let limits = LimitsInForce::probe(&engine.folder, &engine.local);
    let limits = limits.rows().map(|(name, limit)| LimitInForce {
        limit: name.to_lowercase(),
        by: limit.by.as_str().to_owned(),
        reason: limit.reason.clone(),
    });
    if context.global.json {
        let limit = |limit: LimitInForce| {
            let enforced = serde_json::json!({ "by": limit.by, "reason": limit.reason });
            (limit.limit, enforced)
        };
        return screen::print_json(&serde_json::json!({
            "ok": true,
            "file": config.file,
            "walls": walls,
            "limits": limits.map(limit).into_iter().collect::<serde_json::Map<_, _>>(),
            "places": {
                "open_files": places.open_files,
                "unproven": places.unproven,
                "sessions": places.sessions,
                "warning": places.warning(),
            },
        }));
    }
    let mut text = match &config.file {
        Some(file) => format!("{}: valid\n", file.display()),
        None => format!(
            "no configuration file in {}: the defaults are used\n",
            context.data.display()
        ),
    };
    text.push_str("\nIsolation of engines, if this user starts the server:\n");
    text.extend(wall_lines(&walls).iter().map(|line| format!("  {line}\n")));
    text.push_str("\nHow the limits of a cluster are enforced:\n");
    text.extend(
        limit_lines(&limits)
            .iter()
            .map(|line| format!("  {line}\n")),
    );
    text.push_str(&format!(
        "\nMaximum number of connections, with a limit of {} open files:\n  \
         unproven   {}\n  sessions   {}\n",
        places.open_files, places.unproven, places.sessions
    ));
    text.extend(
        places
            .warning()
            .map(|warning| format!("  warning: {warning}\n")),
    );
    screen::print(&text)
}

/// Checks that the files named in the configuration can be opened. A server would notice later.
fn check_files(config: &Config) -> Result<()> {
    for (name, setting) in &config.settings {
        let Value::File(Some(path)) = &setting.value else {
            continue;
        };
        if let Err(error) = std::fs::File::open(path) {
            let cause = format!(
                "{name} ({}) is {}, which can't be opened",
                setting.origin,
                path.display()
            );
            let hint = "correct the path, or allow this user to read the file";
            return Err(Failure::usage(cause, hint).caused_by(error).into());
        }
    }
    Ok(())
}
