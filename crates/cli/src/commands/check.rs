//! `tidegate check`: tests an endpoint and prints the findings, once or repeatedly. The room
//! `check` does the tests.

use super::sql::PASSWORD_ENV;
use crate::args::CheckArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::screen::{self, Paint};
use crate::terminal;
use anyhow::Result;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tidegate_check::{Account, CheckHistory, CheckReport, Endpoint, Roots, Settings, TextStyle};
use tidegate_model::escape::printable_json;
use zeroize::Zeroizing;

/// Width of the report if there is no terminal: that of the help texts.
const PLAIN_COLUMNS: usize = 100;

pub fn run(context: &Context, args: &CheckArgs) -> Result<()> {
    let mut settings = settings(args)?;
    if let Some(seconds) = args.watch {
        return watch(context, &mut settings, Duration::from_secs(seconds));
    }
    let report = check(&settings);
    if context.global.json {
        screen::print_json(&report)?;
    } else {
        // Printed raw, because the room `check` has already escaped it.
        screen::print_raw(&tidegate_check::text(&report, style()))?;
    }
    let failed = report.counts.fail;
    if failed == 0 {
        return Ok(());
    }
    let findings = if failed == 1 { "finding" } else { "findings" };
    Err(Failure::new(
        format!("{failed} {findings} failed for {}", settings.endpoint),
        "",
    )
    .into())
}

fn settings(args: &CheckArgs) -> Result<Settings> {
    let endpoint: Result<Endpoint, _> = args.endpoint.parse();
    // The argument may be a URL with a password, so it is not repeated.
    let endpoint = endpoint.map_err(|error| {
        Failure::usage(
            "the endpoint can't be used",
            "write HOST:PORT, such as db.example.com:4000 or [::1]:4000; user and password are \
             given by --user and $TIDEGATE_PASSWORD",
        )
        .caused_by(error)
    })?;
    let mut settings = Settings::new(endpoint);
    if let Some(name) = &args.name {
        // Parsed like the host of an endpoint, which refuses names that can't be verified.
        let host = if name.contains(':') {
            format!("[{name}]")
        } else {
            name.clone()
        };
        let endpoint: Result<Endpoint, _> = host.parse();
        let endpoint = endpoint.map_err(|error| {
            Failure::usage(
                "the name in --name can't be used",
                "--name takes a host name or an address",
            )
            .caused_by(error)
        })?;
        settings.name = endpoint.host;
    }
    if let Some(file) = &args.ca {
        let roots = Roots::read(file).map_err(|error| {
            Failure::usage(
                format!("--ca {} can't be used", file.display()),
                "--ca takes a PEM file",
            )
            .caused_by(error)
        })?;
        settings.roots = Some(roots);
    }
    if let Some(user) = &args.user {
        settings.account = Some(Account {
            user: user.clone(),
            password: password(user)?,
        });
    }
    Ok(settings)
}

fn password(user: &str) -> Result<Zeroizing<String>> {
    if let Ok(password) = std::env::var(PASSWORD_ENV) {
        return Ok(Zeroizing::new(password));
    }
    terminal::password(&format!("Password for {user}: ")).map_err(|error| {
        let cause = "there is no terminal to ask for the password";
        Failure::usage(cause, format!("give it in ${PASSWORD_ENV}"))
            .caused_by(error)
            .into()
    })
}

/// Checks the endpoint, with a spinner that disappears before the report.
fn check(settings: &Settings) -> CheckReport {
    let _spinner = screen::Step::begin(&format!("checking {}", settings.endpoint));
    tidegate_check::check(settings)
}

fn style() -> TextStyle {
    let terminal = std::io::stdout().is_terminal();
    let size = rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        // A terminal whose size is unknown has 0 columns.
        .filter(|size| terminal && size.ws_col > 0);
    TextStyle {
        colours: terminal && screen::colours(),
        width: size.map_or(PLAIN_COLUMNS, |size| size.ws_col.into()),
        rows: size.map(|size| size.ws_row.into()).filter(|rows| *rows > 0),
    }
}

/// Repeats the check until it is stopped, or nobody reads its output any more.
fn watch(context: &Context, settings: &mut Settings, pause: Duration) -> Result<()> {
    let mut history = CheckHistory::default();
    let mut out = std::io::stdout();
    loop {
        let report = check(settings);
        let first = !settings.again;
        settings.again = true;
        let changes = history.take(&report);
        let mut text = String::new();
        if context.global.json {
            for change in &changes {
                text.push_str(&printable_json(&serde_json::to_string(change)?));
                text.push('\n');
            }
        } else if first {
            text = tidegate_check::text(&report, style());
        } else {
            text.extend(
                changes
                    .iter()
                    .map(|change| tidegate_check::change_line(change, style())),
            );
        }
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            return if error.kind() == std::io::ErrorKind::BrokenPipe {
                Ok(())
            } else {
                Err(error.into())
            };
        }
        if first && std::io::stderr().is_terminal() {
            let seconds = pause.as_secs();
            let words = format!(
                "checking again every {seconds} s; only changes are printed (Ctrl-C stops it)"
            );
            screen::say(&Paint::stderr().dim(&words));
        }
        std::thread::sleep(pause);
    }
}
