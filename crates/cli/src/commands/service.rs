//! `tidegate service install|remove`: the unit file, its user, and systemd's own tools. It never
//! touches data, and no file that it did not make.

use crate::args::{ServeArgs, ServiceCommand, ServiceInstall, ServiceRemove};
use crate::config::Config;
use crate::context::{Context, load_config, shell_word};
use crate::failure::Failure;
use crate::service::{MARK, ROOT, STATE_ROOT, Unit};
use crate::trust::tool;
use crate::{paths, screen};
use anyhow::{Context as _, Result};
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

const UNIT: &str = "tidegate.service";
const UNIT_FILE: &str = "/etc/systemd/system/tidegate.service";
const USER_FILE: &str = "/etc/sysusers.d/tidegate.conf";
/// There as soon as systemd is process 1: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";
/// Ports from here on are everybody's.
const FIRST_FREE_PORT: u16 = 1024;
/// Folders that `ProtectHome` and `PrivateTmp` hide from the service.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

pub fn run(context: &Context, command: &ServiceCommand) -> Result<()> {
    match command {
        ServiceCommand::Install(args) => install(context, args),
        ServiceCommand::Remove(args) => remove(context, args),
    }
}

/// The system to install into: the running one, or one that lies in a folder.
struct System {
    root: PathBuf,
    running: bool,
}

impl System {
    fn new(root: Option<&PathBuf>) -> Self {
        Self {
            root: root.cloned().unwrap_or_else(|| "/".into()),
            running: root.is_none(),
        }
    }

    fn file(&self, path: &str) -> PathBuf {
        tool::files_under(&self.root, Path::new(path))
    }

    fn check(&self, command: &str) -> Result<()> {
        if self.running && !Path::new(BOOTED).is_dir() {
            let hint = "start `tidegate serve` with the service manager that runs here; --print \
                        shows the unit";
            return Err(Failure::new("this system is not run by systemd", hint).into());
        }
        if self.running && !rustix::process::geteuid().is_root() {
            let hint = format!("run it as root: sudo tidegate service {command}");
            return Err(Failure::new("changing the system's services needs root", hint).into());
        }
        Ok(())
    }

    /// One of systemd's tools. A system in a folder is given to it as such.
    fn tool(&self, name: &str, args: &[&str]) -> Result<()> {
        let program = tool::find(Path::new("/"), name).ok_or_else(|| {
            Failure::new(
                format!("there is no {name} here"),
                "install the package `systemd`",
            )
        })?;
        let root = format!("--root={}", self.root.display());
        let mut all = if self.running {
            Vec::new()
        } else {
            vec![root.as_str()]
        };
        all.extend_from_slice(args);
        tool::must(&program, &all, &[]).map(drop)
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
    reachable(&system, &unit.program)?;
    data_fits(&system, &data, &unit.user)?;
    for path in [UNIT_FILE, USER_FILE] {
        ours(&system.file(path))?;
    }
    match unit.user_file() {
        Some(text) => {
            let file = system.file(USER_FILE);
            write(&file, &text)?;
            // By its name: a path would be taken for one outside of --root.
            system.tool("systemd-sysusers", &["tidegate.conf"])?;
        }
        None => drop(delete(&system.file(USER_FILE))?),
    }
    write(&system.file(UNIT_FILE), &unit.text())?;
    if !system.running {
        system.tool("systemctl", &["enable", UNIT])?;
        return screen::print(&format!("installed in {}\n", system.root.display()));
    }
    system.tool("systemctl", &["daemon-reload"])?;
    system.tool("systemctl", &["enable", UNIT])?;
    screen::say("starting; the first start takes a few seconds");
    // Ends when the server has said that it is ready, or has failed.
    system.tool("systemctl", &["restart", UNIT]).context(Failure::new(
        "the service is installed, but did not start",
        "look why: journalctl -u tidegate -n 50; then mend that, and: systemctl restart tidegate",
    ))?;
    let data = data.display();
    screen::print(&format!(
        "tidegate runs as {}; data in {data}\nits log: journalctl -u tidegate\n",
        unit.user
    ))
}

/// The user of the service that is installed: an upgrade does not change it unasked.
fn installed_user(system: &System) -> Option<String> {
    let text = fs::read_to_string(system.file(UNIT_FILE))
        .ok()
        .filter(|text| text.starts_with(MARK))?;
    let user = text.lines().find_map(|line| line.strip_prefix("User="))?;
    if user != ROOT {
        screen::say(&format!(
            "the service goes on as {user}, as which the engines of all clusters run too; \
             --user root gives each cluster a user of its own"
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
        None => std::env::current_exe().context("where this program lies")?,
    };
    if !program.is_absolute() {
        return Err(Failure::usage(
            "--program takes an absolute path",
            "such as /usr/local/bin/tidegate",
        )
        .into());
    }
    let user_fits = !user.is_empty()
        && user
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    if !user_fits {
        let hint = "a-z, 0-9, - and _ may be in it";
        return Err(Failure::usage(format!("{user:?} is no name for a user"), hint).into());
    }
    Ok(Unit {
        program,
        args: command_line(context, &args.serve, data)?,
        user,
        state: state(data)?,
        low_port: low_port(&config)?,
    })
}

fn command_line(context: &Context, serve: &ServeArgs, data: &Path) -> Result<Vec<String>> {
    let mut out = vec![
        "serve".to_owned(),
        "--data".to_owned(),
        data.display().to_string(),
    ];
    let mut add = |flag: &str, value: String| out.extend([flag.to_owned(), value]);
    if let Some(config) = &context.global.config {
        add(
            "--config",
            std::path::absolute(config)?.display().to_string(),
        );
    }
    // Taken apart, so that no flag to come is forgotten here.
    let ServeArgs {
        listen,
        name,
        domain,
        acme_email,
        console,
        console_domain,
    } = serve;
    listen
        .iter()
        .for_each(|address| add("--listen", address.to_string()));
    name.iter().for_each(|name| add("--name", name.clone()));
    domain.iter().for_each(|name| add("--domain", name.clone()));
    acme_email
        .iter()
        .for_each(|email| add("--acme-email", email.clone()));
    console
        .iter()
        .for_each(|address| add("--console", address.to_string()));
    console_domain
        .iter()
        .for_each(|name| add("--console-domain", name.clone()));
    Ok(out)
}

/// The data directory as systemd names it.
fn state(data: &Path) -> Result<String> {
    let below = data.strip_prefix(STATE_ROOT).ok().filter(|below| {
        let mut parts = below.components().peekable();
        parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
    });
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match below.and_then(Path::to_str) {
        Some(text) if text.chars().all(plain) => Ok(text.to_owned()),
        _ => Err(Failure::usage(
            format!("a service's data can't lie in {}", data.display()),
            "leave --data out for /var/lib/tidegate, or name another folder of /var/lib",
        )
        .into()),
    }
}

/// Whether a port is listened on that only the privileged may have.
fn low_port(config: &Config) -> Result<bool> {
    let low = |key: &str| -> Result<bool> {
        Ok(config
            .addresses(key)?
            .iter()
            .map(SocketAddr::port)
            .any(|port| port > 0 && port < FIRST_FREE_PORT))
    };
    let acme = !config.names("acme.domains")?.is_empty();
    let console = config.text("console.enabled")? == "yes" && low("console.listen")?;
    Ok(low("gateway.listen")?
        || console
        || acme && (low("acme.http_listen")? || low("acme.alpn_listen")?))
}

/// The program must be where the service can see it.
fn reachable(system: &System, program: &Path) -> Result<()> {
    if system.running && HIDDEN.iter().any(|hidden| program.starts_with(hidden)) {
        let place = "/usr/local/bin/tidegate";
        let cause = format!(
            "a service can't run {}: its folder is hidden from services",
            program.display()
        );
        let program = shell_word(&program.display().to_string());
        let hint = format!("install -m 755 {program} {place}, then: {place} service install");
        return Err(Failure::new(cause, hint).into());
    }
    Ok(())
}

/// Data that another user made can't be read by this one.
fn data_fits(system: &System, data: &Path, user: &str) -> Result<()> {
    let Ok(there) = fs::metadata(tool::files_under(&system.root, data)) else {
        return Ok(());
    };
    if there.uid() == 0 && user != ROOT && system.running {
        let cause = format!(
            "{} was made by root, and the service would run as {user}",
            data.display()
        );
        let hint = "keep it: service install --user root; or move it away, and the service starts \
                    with none";
        return Err(Failure::new(cause, hint).into());
    }
    Ok(())
}

/// Whether there is such a file of ours; a foreign one is an error.
fn ours(path: &Path) -> Result<bool> {
    match fs::read_to_string(path) {
        Ok(text) if text.starts_with(MARK) => Ok(true),
        Ok(_) => {
            let cause = format!(
                "{} was not made by `tidegate service install`",
                path.display()
            );
            Err(Failure::new(cause, "move it away, then run this again").into())
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).with_context(|| format!("reading {}", path.display())),
    }
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    let put = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&new, text)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
        fs::rename(&new, path)
    };
    put().with_context(|| format!("writing {}", path.display()))
}

/// Whether there was one.
fn delete(path: &Path) -> Result<bool> {
    if !ours(path)? {
        return Ok(false);
    }
    fs::remove_file(path).with_context(|| format!("deleting {}", path.display()))?;
    Ok(true)
}

fn remove(context: &Context, args: &ServiceRemove) -> Result<()> {
    let system = System::new(args.root.as_ref());
    let unit = system.file(UNIT_FILE);
    let user = system.file(USER_FILE);
    let has_unit = ours(&unit)?;
    let has_user = ours(&user)?;
    if !has_unit && !has_user {
        return screen::print("no service is installed: nothing to remove\n");
    }
    let stays = stays(context, &unit, &user)?;
    if args.print {
        let files: Vec<String> = [(has_unit, &unit), (has_user, &user)]
            .into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, file)| format!("would stop and delete {}\n", file.display()))
            .collect();
        return screen::print(&format!("{}{stays}", files.concat()));
    }
    system.check("remove")?;
    if has_unit {
        let disable: &[&str] = if system.running {
            &["disable", "--now", UNIT]
        } else {
            &["disable", UNIT]
        };
        system.tool("systemctl", disable)?;
        delete(&unit)?;
    }
    delete(&user)?;
    if system.running {
        system.tool("systemctl", &["daemon-reload"])?;
        // It complains where nothing has failed, which is no news.
        let _ = system.tool("systemctl", &["reset-failed", UNIT]);
    }
    screen::print(&format!("the service is removed\n{stays}"))
}

/// What a removal leaves, and how to delete that too. The user stays with its files: its number
/// could be given to another, who would then own them.
fn stays(context: &Context, unit: &Path, user: &Path) -> Result<String> {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let unit = read(unit);
    let user = read(user);
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
    let mut out = format!("all data stays in {data}; to delete it: rm -r {data}\n");
    if let Some(name) = user
        .lines()
        .find_map(|line| line.strip_prefix("u ")?.split(' ').next())
    {
        out.push_str(&format!(
            "its user stays with it; to delete it as well: userdel {name}\n"
        ));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_a_service_lies_in_a_folder_of_var_lib() {
        assert_eq!(state(Path::new("/var/lib/tidegate")).unwrap(), "tidegate");
        assert_eq!(state(Path::new("/var/lib/a/b")).unwrap(), "a/b");
        for other in [
            "/var/lib",
            "/srv/x",
            "/var/lib/../etc",
            "/var/lib/a b",
            "/var/lib/%n",
        ] {
            assert!(state(Path::new(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn only_ports_below_1024_take_a_capability() {
        let low = |text: &str| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("tidegate.toml"), text).unwrap();
            let global = crate::args::Global {
                data: None,
                config: None,
                server: None,
                json: false,
            };
            low_port(
                &Config::load(&global, folder.path(), &ServeArgs::default(), |_| None).unwrap(),
            )
            .unwrap()
        };
        assert!(!low(""));
        assert!(low("[gateway]\nlisten = [\"0.0.0.0:443\"]\n"));
        assert!(low("[console]\nlisten = [\"0.0.0.0:443\"]\n"));
        assert!(!low(
            "[console]\nenabled = \"no\"\nlisten = [\"0.0.0.0:443\"]\n"
        ));
        assert!(
            low("[acme]\ndomains = [\"db.example.com\"]\n"),
            "the CA asks port 80"
        );
        assert!(!low(
            "[acme]\ndomains = [\"db.example.com\"]\nhttp_listen = [\"0.0.0.0:8080\"]\n\
             alpn_listen = [\"0.0.0.0:8443\"]\n"
        ));
    }
}
