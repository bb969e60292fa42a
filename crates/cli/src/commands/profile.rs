//! `tidegate profile add|list|remove`: what --server knows. A key comes in by standard input or the
//! environment, never by an argument, and is tried before it is kept.

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
                key: key()?,
            };
            let remote = profile.open()?;
            ask(remote.client.clusters())?;
            profiles.profile.insert(name.clone(), profile);
            profiles.write(&path)?;
            screen::say(&format!(
                "kept; `tidegate cluster list --server {name}` asks it"
            ));
            Ok(())
        }
        ProfileCommand::List => list(context, &profiles),
        ProfileCommand::Remove { name } => {
            if profiles.profile.remove(name).is_none() {
                let hint = "`tidegate profile list` shows those that exist";
                return Err(Failure::new(format!("there is no profile {name:?}"), hint).into());
            }
            profiles.write(&path)?;
            screen::say(&format!(
                "profile {name} is forgotten; its key holds until it is revoked there"
            ));
            Ok(())
        }
    }
}

fn absolute(ca: &Path) -> Result<std::path::PathBuf> {
    ca.canonicalize().map_err(|error| {
        Failure::usage(
            format!("{} can't be opened: {error}", ca.display()),
            "give the CA file's path",
        )
        .into()
    })
}

fn key() -> Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    match std::env::var(KEY_ENV) {
        Ok(key) => text.push_str(&key),
        Err(_) => {
            screen::say("the key, then Enter and Ctrl-D:");
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
             makes one"
        );
        return Err(Failure::usage("no key came on standard input", hint).into());
    }
    Ok(Secret::new(Zeroizing::new(key.to_owned())))
}

fn list(context: &Context, profiles: &Profiles) -> Result<()> {
    if context.global.json {
        let object: serde_json::Map<_, _> = profiles
            .profile
            .iter()
            .map(|(name, p)| {
                (
                    name.clone(),
                    serde_json::json!({ "server": p.server, "ca": p.ca }),
                )
            })
            .collect();
        return screen::print_json(&object);
    }
    if profiles.profile.is_empty() {
        screen::say("no profiles; `tidegate profile add NAME URL` keeps one");
        return Ok(());
    }
    let ca = |p: &Profile| {
        p.ca.as_ref()
            .map_or_else(|| "-".to_owned(), |ca| ca.display().to_string())
    };
    let rows: Vec<_> = profiles
        .profile
        .iter()
        .map(|(n, p)| vec![n.clone(), p.server.clone(), ca(p)])
        .collect();
    screen::print(&screen::table(&["NAME", "SERVER", "CA"], &rows))
}
