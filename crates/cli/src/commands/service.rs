//! `tidegate service install|remove`: writes and removes the unit file and its user's file, and
//! runs systemd's tools. Data and files that it did not write are never changed.

use super::system::{System, delete_file, is_ours, write_file};
use crate::args::{ServeArgs, ServiceCommand, ServiceInstall, ServiceRemove};
use crate::config::Config;
use crate::context::{Context, load_config, shell_word};
use crate::failure::Failure;
use crate::systemd_unit::{MARK, ROOT, STATE_ROOT, Unit};
use crate::trust::tool;
use crate::{paths, screen};
use anyhow::{Context as _, Result};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

const UNIT: &str = "tidegate.service";
const UNIT_FILE: &str = "/etc/systemd/system/tidegate.service";
const USER_FILE: &str = "/etc/sysusers.d/tidegate.conf";
/// First port that every user may bind.
const FIRST_FREE_PORT: u16 = 1024;
/// Folders that `ProtectHome` and `PrivateTmp` hide from the service.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

pub fn run(context: &Context, command: &ServiceCommand) -> Result<()> {
    match command {
        ServiceCommand::Install(args) => install(context, args),
        ServiceCommand::Remove(args) => remove(context, args),
    }
}

fn install(context: &Context, args: &ServiceInstall) -> Result<()> {
    let data = paths::data_dir(context.global.data.clone(), true, |name| {
        std::env::var_os(name)
    })?;
    let system = System::new(args.root.as_ref());
    let user = match &args.user {
        Some(user) => user.clone(),
        None => installed_user(&system).unwrap_or_else(|| ROOT.to_owned()),
    };
    let unit = unit(context, args, &data, user)?;
    if args.print {
        return screen::print(&unit.text());
    }
    system.check("install")?;
    check_program(&system, &unit.program)?;
    check_data_owner(&system, &data, &unit.user)?;
    // All checks come before the first change.
    for path in [UNIT_FILE, USER_FILE] {
        is_ours(&system.file(path))?;
    }
    match unit.user_file() {
        Some(text) => {
            let file = system.file(USER_FILE);
            write_file(&file, &text)?;
            // By its name, because --root does not apply to a path.
            system.tool("systemd-sysusers", &["tidegate.conf"])?;
        }
        None => drop(delete_file(&system.file(USER_FILE))?),
    }
    write_file(&system.file(UNIT_FILE), &unit.text())?;
    // The files are those of an image that does not run, so there is nothing to start.
    if !system.running {
        system.tool("systemctl", &["enable", UNIT])?;
        return screen::print(&format!("installed in {}\n", system.root.display()));
    }
    // Until then systemd has the previous unit in memory.
    system.tool("systemctl", &["daemon-reload"])?;
    system.tool("systemctl", &["enable", UNIT])?;
    screen::say("starting; the first start takes a few seconds");
    // Returns when the server has reported that it is ready, or has failed.
    system
        .tool("systemctl", &["restart", UNIT])
        .context(Failure::new(
            "the service is installed, but did not start",
            "read its log: journalctl -u tidegate -n 50; fix the cause, then: systemctl restart \
             tidegate",
        ))?;
    let data = data.display();
    screen::print(&format!(
        "tidegate runs as {}; data in {data}\nits log: journalctl -u tidegate\n",
        unit.user
    ))
}

/// Returns the user of the installed service, which a new installation keeps unless --user is
/// given.
fn installed_user(system: &System) -> Option<String> {
    let text = fs::read_to_string(system.file(UNIT_FILE))
        .ok()
        .filter(|text| text.starts_with(MARK))?;
    let user = text.lines().find_map(|line| line.strip_prefix("User="))?;
    if user != ROOT {
        screen::say(&format!(
            "the service keeps running as {user}, and so do the engines of all clusters; \
             with --user root, each cluster gets its own user"
        ));
    }
    Some(user.to_owned())
}

fn unit(context: &Context, args: &ServiceInstall, data: &Path, user: String) -> Result<Unit> {
    let config = load_config(
        &Context {
            global: context.global.clone(),
            data: data.to_owned(),
            remote: None,
        },
        &args.serve,
    )?;
    let program = match &args.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("finding the path of this program")?,
    };
    if !program.is_absolute() {
        return Err(Failure::usage(
            "--program is not an absolute path",
            "give an absolute path, such as /usr/local/bin/tidegate",
        )
        .into());
    }
    let user_fits = !user.is_empty()
        && user
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    if !user_fits {
        let hint = "use a-z, 0-9, - and _";
        return Err(Failure::usage(format!("{user:?} is not a valid user name"), hint).into());
    }
    Ok(Unit {
        program,
        args: command_line(context, &args.serve, data)?,
        user,
        state: state_directory(data)?,
        low_port: needs_low_port(&config)?,
    })
}

fn command_line(context: &Context, serve: &ServeArgs, data: &Path) -> Result<Vec<String>> {
    let mut out = vec![
        "serve".to_owned(),
        "--data".to_owned(),
        data.display().to_string(),
    ];
    if let Some(config) = &context.global.config {
        let config = std::path::absolute(config)?.display().to_string();
        out.extend(["--config".to_owned(), config]);
    }
    // Without `..`, so that a new flag does not compile until it is added here.
    let ServeArgs {
        listen,
        name,
        domain,
        acme_email,
        console,
        console_domain,
    } = serve;
    let listen: Vec<_> = listen.iter().map(ToString::to_string).collect();
    let console: Vec<_> = console.iter().map(ToString::to_string).collect();
    let acme_email: Vec<_> = acme_email.iter().cloned().collect();
    let console_domain: Vec<_> = console_domain.iter().cloned().collect();
    for (flag, values) in [
        ("--listen", &listen),
        ("--name", name),
        ("--domain", domain),
        ("--acme-email", &acme_email),
        ("--console", &console),
        ("--console-domain", &console_domain),
    ] {
        for value in values {
            out.extend([flag.to_owned(), value.clone()]);
        }
    }
    Ok(out)
}

/// Returns the data directory relative to /var/lib, as the unit names it.
fn state_directory(data: &Path) -> Result<String> {
    let below = data.strip_prefix(STATE_ROOT).ok().filter(|below| {
        let mut parts = below.components().peekable();
        parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
    });
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match below.and_then(Path::to_str) {
        Some(text) if text.chars().all(is_plain) => Ok(text.to_owned()),
        _ => Err(Failure::usage(
            format!(
                "{} can't be the data directory of a service",
                data.display()
            ),
            "leave --data out for /var/lib/tidegate, or name another folder in /var/lib",
        )
        .into()),
    }
}

/// Whether a setting contains a port that only root may bind.
fn has_low_port(config: &Config, key: &str) -> Result<bool> {
    Ok(config
        .addresses(key)?
        .iter()
        .map(SocketAddr::port)
        .any(|port| port > 0 && port < FIRST_FREE_PORT))
}

/// Whether the server listens on a port that only root may bind.
fn needs_low_port(config: &Config) -> Result<bool> {
    let mut keys = vec!["gateway.listen"];
    if config.text("console.enabled")? == "yes" {
        keys.push("console.listen");
    }
    if !config.names("acme.domains")?.is_empty() {
        keys.extend(["acme.http_listen", "acme.alpn_listen"]);
    }
    for key in keys {
        if has_low_port(config, key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks that the service can read the program.
fn check_program(system: &System, program: &Path) -> Result<()> {
    if system.running && HIDDEN.iter().any(|hidden| program.starts_with(hidden)) {
        let place = "/usr/local/bin/tidegate";
        let cause = format!(
            "a service can't run {}, because its folder is hidden from services",
            program.display()
        );
        let program = shell_word(&program.display().to_string());
        let hint = format!("install -m 755 {program} {place}, then: {place} service install");
        return Err(Failure::new(cause, hint).into());
    }
    Ok(())
}

/// Checks that the user can read existing data: one other than root can't read root's.
fn check_data_owner(system: &System, data: &Path, user: &str) -> Result<()> {
    let Ok(there) = fs::metadata(tool::files_under(&system.root, data)) else {
        return Ok(());
    };
    if there.uid() == 0 && user != ROOT && system.running {
        let cause = format!(
            "{} belongs to root, but the service would run as {user}",
            data.display()
        );
        let hint = "to use this data: tidegate service install --user root; or move it away, and \
                    the service starts without data";
        return Err(Failure::new(cause, hint).into());
    }
    Ok(())
}

fn remove(context: &Context, args: &ServiceRemove) -> Result<()> {
    let system = System::new(args.root.as_ref());
    let unit = system.file(UNIT_FILE);
    let user = system.file(USER_FILE);
    let has_unit = is_ours(&unit)?;
    let has_user = is_ours(&user)?;
    if !has_unit && !has_user {
        return screen::print("no service is installed: nothing to remove\n");
    }
    let kept = kept_text(context, &unit, &user)?;
    if args.print {
        let files: Vec<String> = [(has_unit, &unit), (has_user, &user)]
            .into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, file)| format!("would stop and delete {}\n", file.display()))
            .collect();
        return screen::print(&format!("{}{kept}", files.concat()));
    }
    system.check("remove")?;
    if has_unit {
        let disable: &[&str] = if system.running {
            &["disable", "--now", UNIT]
        } else {
            &["disable", UNIT]
        };
        system.tool("systemctl", disable)?;
        delete_file(&unit)?;
    }
    delete_file(&user)?;
    if system.running {
        system.tool("systemctl", &["daemon-reload"])?;
        // It fails if nothing has failed before, which is the usual case.
        let _ = system.tool("systemctl", &["reset-failed", UNIT]);
    }
    screen::print(&format!("the service is removed\n{kept}"))
}

/// Returns what a removal keeps, and how to delete that. The user is kept as long as its files: its
/// number could be reused for another user, who would then own them.
fn kept_text(context: &Context, unit: &Path, user: &Path) -> Result<String> {
    // A missing file is the same as an empty one: nothing can be read from it.
    let unit = fs::read_to_string(unit).unwrap_or_default();
    let user = fs::read_to_string(user).unwrap_or_default();
    let state = unit
        .lines()
        .find_map(|line| line.strip_prefix("StateDirectory="));
    let data = match state {
        Some(state) => Path::new(STATE_ROOT).join(state),
        None => paths::data_dir(context.global.data.clone(), true, |name| {
            std::env::var_os(name)
        })?,
    };
    let data = data.display();
    let mut out = format!("all data is kept in {data}; to delete it: rm -r {data}\n");
    if let Some(name) = user
        .lines()
        .find_map(|line| line.strip_prefix("u ")?.split(' ').next())
    {
        out.push_str(&format!(
            "its user is kept too; to delete it: userdel {name}\n"
        ));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_a_service_is_in_a_folder_of_var_lib() {
        for (data, want) in [("/var/lib/tidegate", "tidegate"), ("/var/lib/a/b", "a/b")] {
            assert_eq!(state_directory(Path::new(data)).unwrap(), want);
        }
        for other in [
            "/var/lib",
            "/srv/x",
            "/var/lib/../etc",
            "/var/lib/a b",
            "/var/lib/%n",
        ] {
            assert!(state_directory(Path::new(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn only_ports_below_1024_need_a_capability() {
        let global = crate::args::Global {
            data: None,
            config: None,
            server: None,
            json: false,
            output: None,
        };
        // The CA connects to port 80, unless the configuration says otherwise.
        for (text, want) in [
            ("", false),
            ("[gateway]\nlisten = [\"0.0.0.0:443\"]\n", true),
            ("[console]\nlisten = [\"0.0.0.0:443\"]\n", true),
            (
                "[console]\nenabled = \"no\"\nlisten = [\"0.0.0.0:443\"]\n",
                false,
            ),
            ("[acme]\ndomains = [\"db.example.com\"]\n", true),
            (
                "[acme]\ndomains = [\"db.example.com\"]\nhttp_listen = [\"0.0.0.0:8080\"]\n\
                 alpn_listen = [\"0.0.0.0:8443\"]\n",
                false,
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("tidegate.toml"), text).unwrap();
            let config =
                Config::load(&global, folder.path(), &ServeArgs::default(), |_| None).unwrap();
            assert_eq!(needs_low_port(&config).unwrap(), want, "{text}");
        }
    }
}
