//! `tidegate profile add|list|remove`: the servers that --server knows. A key is read from standard
//! input or the environment, never from an argument, and is tried before it is stored.

use super::confirm::confirm;
use crate::args::ProfileCommand;
use crate::context::{Context, ask};
use crate::failure::Failure;
use crate::limits;
use crate::profiles::{KEY_ENV, Profile, Profiles, path};
use crate::screen;
use anyhow::{Context as _, Result};
use std::io::Read;
use std::path::Path;
use tidegate_console::types::Secret;
use zeroize::Zeroizing;

pub fn run(context: &Context, command: &ProfileCommand) -> Result<()> {
    let path = path(&|name| std::env::var_os(name))?;
    let mut profiles = Profiles::read(&path)?;
    match command {
        ProfileCommand::Add { name, url, ca } => {
            let ca = ca.as_deref().map(absolute).transpose()?;
            let profile = Profile {
                server: url.clone(),
                ca,
                key: read_key()?,
            };
            let remote = profile.open()?;
            ask(remote.client.server())?;
            profiles.profile.insert(name.clone(), profile);
            profiles.write(&path)?;
            screen::say(&format!(
                "stored; try it with `tidegate cluster list --server {name}`"
            ));
            Ok(())
        }
        ProfileCommand::List => list(context, &profiles),
        ProfileCommand::Remove { name, confirmed } => {
            if profiles.profile.remove(name).is_none() {
                let hint = "`tidegate profile list` shows the profiles";
                let cause = format!("there is no profile {name:?}");
                return Err(Failure::not_found(cause, hint).into());
            }
            confirm(*confirmed, &format!("deleting profile {name}"), || {
                Ok(format!(
                    "Delete profile {name} and its API key from this machine?"
                ))
            })?;
            profiles.write(&path)?;
            screen::say(&format!(
                "profile {name} is deleted; its API key is valid until it is revoked on the server"
            ));
            Ok(())
        }
    }
}

fn absolute(ca: &Path) -> Result<std::path::PathBuf> {
    ca.canonicalize().map_err(|error| {
        Failure::usage(
            format!("the CA file {} can't be opened", ca.display()),
            "check the path given with --ca",
        )
        .caused_by(error)
        .into()
    })
}

fn read_key() -> Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    match std::env::var(KEY_ENV) {
        Ok(key) => text.push_str(&key),
        Err(_) => {
            screen::say("type the API key, then Enter and Ctrl-D:");
            let bound = u64::try_from(limits::ANSWER_MAX).unwrap_or(u64::MAX);
            std::io::stdin()
                .lock()
                .take(bound)
                .read_to_string(&mut text)
                .context("reading the key")?;
        }
    }
    let key = text.trim();
    if key.is_empty() {
        let hint = format!(
            "pipe it in, or set ${KEY_ENV}; `tidegate key create NAME --scope all` on the server \
             creates one"
        );
        return Err(Failure::usage("standard input contained no API key", hint).into());
    }
    Ok(Secret::new(Zeroizing::new(key.to_owned())))
}

fn list(context: &Context, profiles: &Profiles) -> Result<()> {
    if context.global.json {
        let list: Vec<_> = profiles
            .profile
            .iter()
            .map(|(name, p)| serde_json::json!({ "name": name, "server": p.server, "ca": p.ca }))
            .collect();
        return screen::print_json(&list);
    }
    if profiles.profile.is_empty() {
        screen::say("no profiles; `tidegate profile add NAME URL` creates one");
        return Ok(());
    }
    let rows: Vec<_> = profiles
        .profile
        .iter()
        .map(|(name, profile)| {
            let ca = profile.ca.as_ref();
            vec![
                name.clone(),
                profile.server.clone(),
                ca.map_or_else(|| "-".to_owned(), |ca| ca.display().to_string()),
            ]
        })
        .collect();
    screen::print(&screen::table(&["NAME", "SERVER", "CA"], &rows))
}
