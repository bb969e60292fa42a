//! `tidegate connect`: prints strings that connect, and which clients there are. The strings
//! themselves are the room `connect`'s; nothing is added to them here.

use super::forms::forms_text;
use super::installed_client::{INSTALL_HINT, InstalledClient};
use super::single_form::single_form;
use crate::args::ConnectArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::screen::{self, Paint};
use anyhow::Result;
use std::fmt::Write;
use std::path::PathBuf;
use tidegate_connect::{
    Client, ConnectError, Endpoint, Format, RenderOptions, Rendered, TlsMinimum, Verifies,
    all_platforms, clients, platforms, render,
};
use tidegate_console::machine_platform;
use tidegate_model::Trust;

/// Clients that most machines have: printed without `--with`, and by `up` and `cluster create`.
const COMMAND_LINES: [&str; 2] = ["mysql", "mariadb"];

pub fn run(context: &Context, args: &ConnectArgs) -> Result<()> {
    let json = context.global.json || args.format == "json";
    let mut wish = RenderOptions {
        os: args.os.as_deref(),
        tls: if args.tls == "1.3" {
            TlsMinimum::Tls13
        } else {
            TlsMinimum::Tls12
        },
        // With --ca, the path is that of the client's machine.
        ca_machine: args.ca.is_none().then(machine_platform),
        ..RenderOptions::default()
    };
    if let Some(text) = &args.explain {
        return super::explain::run(context, args, text, wish);
    }
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        return list(json);
    };
    // Before the server is asked, so that a mistyped client or platform is an error at once.
    if let Some(client) = &args.client {
        say_other_clients(client, tidegate_connect::client(client).map_err(wrong)?);
    }
    tidegate_connect::platform(wish.os).map_err(wrong)?;
    let endpoint = seen_from_client(super::endpoint::endpoint(context, name, &args.user)?, args);
    // The server's own host is always in its certificate.
    let names = match args.host {
        Some(_) => super::endpoint::certificate_names(context)?,
        None => Vec::new(),
    };
    wish.names = &names;
    let unnamed = endpoint.unnamed_host(wish);
    if let Some(warning) = &unnamed {
        screen::say(&format!("warning: {warning}"));
    }
    let format = match args.format.as_str() {
        "url" => Some(Format::Url),
        "env" => Some(Format::Env),
        _ => None,
    };
    if let Some(format) = format.filter(|_| !json) {
        return screen::print(&single_form(
            args.client.as_deref(),
            &endpoint,
            wish,
            format,
        )?);
    }
    if let Some(client) = &args.client {
        let rendered = render(client, &endpoint, wish).map_err(wrong)?;
        return if json {
            screen::print_json(&rendered)
        } else {
            screen::print(&page(&rendered, unnamed.as_deref(), Paint::stdout()))
        };
    }
    let lines = command_lines(&endpoint, wish).map_err(wrong)?;
    if json {
        let object: serde_json::Map<_, _> = lines
            .into_iter()
            .map(|(id, line)| (id, line.into()))
            .collect();
        return screen::print_json(&object);
    }
    let paint = Paint::stdout();
    let text: Vec<_> = lines
        .iter()
        .map(|(id, line)| format!("{}\n{line}\n", paint.dim(&format!("# {id}"))))
        .collect();
    screen::print(&text.join("\n"))?;
    screen::say(
        "other clients: `tidegate connect --list`, then `tidegate connect NAME --with CLIENT --os \
         OS`",
    );
    Ok(())
}

/// Tells which other clients a language has, if a language was given.
fn say_other_clients(name: &str, chosen: &Client) {
    let others = tidegate_connect::other_clients(name, chosen);
    if !others.is_empty() {
        screen::say(&format!(
            "these lines are for --with {}; other clients of {name}: {}",
            chosen.id,
            others.join(", ")
        ));
    }
}

/// Returns the endpoint with the name, port and CA that the client will use.
fn seen_from_client(mut endpoint: Endpoint, args: &ConnectArgs) -> Endpoint {
    if let Some(host) = &args.host {
        endpoint.host.clone_from(host);
    }
    endpoint.port = args.port.unwrap_or(endpoint.port);
    if let Some(database) = &args.database {
        endpoint.database.clone_from(database);
    }
    match args.ca.as_deref() {
        Some("system") => endpoint.trust = Trust::Public,
        Some(file) => endpoint.trust = Trust::Private(Some(PathBuf::from(file))),
        None => {}
    }
    endpoint
}

/// Returns the ways to connect to a cluster from this machine, each with a title: first the one
/// that always works, then the line for the client that is installed here, then how to get others.
/// `options` are those of `tidegate sql` for another user or database, each after a space.
pub fn first_lines(
    context: &Context,
    name: &str,
    endpoint: &Endpoint,
    options: &str,
) -> Vec<(String, String)> {
    let sql = context.next(&format!("sql {name}{options}"));
    let others = context.next(&format!("connect {name} --list"));
    let mut lines = Vec::new();
    match InstalledClient::find() {
        Some(client) => {
            let program = client.program.display();
            lines.push((format!("a session with {program}"), sql));
            let command = render(client.id, endpoint, RenderOptions::default())
                .ok()
                .and_then(|rendered| rendered.forms.into_iter().next());
            lines.extend(command.map(|form| ("the same without tidegate".to_owned(), form.text)));
        }
        None => lines.push((format!("a session; first {INSTALL_HINT}"), sql)),
    }
    lines.push(("other clients, drivers and ORMs".to_owned(), others));
    lines
}

fn command_lines(
    endpoint: &Endpoint,
    wish: RenderOptions<'_>,
) -> Result<Vec<(String, String)>, ConnectError> {
    let mut lines = Vec::new();
    for id in COMMAND_LINES {
        let form = render(id, endpoint, wish)?.forms.into_iter().next();
        lines.extend(form.map(|form| (id.to_owned(), form.text)));
    }
    Ok(lines)
}

/// Returns the failure for names or options that no string can be rendered for.
pub fn wrong(error: ConnectError) -> anyhow::Error {
    let hint = match &error {
        ConnectError::UnknownClient { advice, .. }
        | ConnectError::UnknownPlatform { advice, .. } => advice.clone(),
        ConnectError::NoTlsMinimum { .. } => "leave --tls out".to_owned(),
        _ => "choose another name or path".to_owned(),
    };
    let code = error.code();
    Failure::of(error, hint).with_code(code).into()
}

/// Returns everything about a client, as text for people.
fn page(rendered: &Rendered, unnamed: Option<&str>, paint: Paint) -> String {
    let mut out = String::new();
    let Rendered {
        name,
        language,
        minimum_version,
        install,
        ..
    } = rendered;
    let _ = writeln!(
        out,
        "{} ({language}), from {minimum_version} on",
        paint.bold(name)
    );
    let _ = writeln!(out, "{}", paint.dim(&format!("install   {install}")));
    let verifies = match unnamed {
        Some(_) => {
            "and refuses this host, which the server's certificate does not contain".to_owned()
        }
        None => verified(rendered.verifies),
    };
    let _ = writeln!(out, "{}", paint.dim(&format!("verifies  {verifies}")));
    if let Some(text) = rendered.no_form_verifies {
        let _ = writeln!(out, "{}", paint.bold(text));
    }
    if let Some(why) = rendered.not_run {
        let _ = writeln!(out, "{}", paint.dim(&format!("not tested {why}")));
    }
    if let Some(setup) = &rendered.setup {
        let _ = write!(out, "\n{}\n{}\n", paint.dim("# once, as setup"), setup.text);
    }
    out.push_str(&forms_text(&rendered.forms, paint));
    if !rendered.notes.is_empty() {
        out.push('\n');
    }
    for note in &rendered.notes {
        let _ = writeln!(out, "{}", paint.dim(&format!("- {note}")));
    }
    out
}

/// Returns a list of what a client verifies.
fn verified(verifies: Verifies) -> String {
    let Verifies {
        chain,
        dns_name,
        address,
    } = verifies;
    let checked: Vec<_> = [
        (chain, "chain"),
        (dns_name, "host name"),
        (address, "IP address"),
    ]
    .into_iter()
    .filter_map(|(yes, what)| yes.then_some(what))
    .collect();
    if checked.is_empty() {
        "nothing".to_owned()
    } else {
        checked.join(", ")
    }
}

/// Prints the clients and platforms.
fn list(json: bool) -> Result<()> {
    if json {
        let clients: Vec<_> = clients()
            .iter()
            .map(|c| {
                serde_json::json!({
                    "id": c.id,
                    "name": c.name,
                    "language": c.language,
                    "minimum_version": c.minimum_version,
                    "verifies": c.verifies,
                    "plain_text": c.plain_text,
                    "tls13": c.tls13,
                    "attributes": c.attributes,
                    "hint": c.hint,
                    "not_run": c.not_run,
                    "no_form_verifies": c.no_form_verifies,
                    // Former name of `hint`, kept for programs that read it.
                    "mend": c.hint,
                })
            })
            .collect();
        return screen::print_json(
            &serde_json::json!({"clients": clients, "platforms": platforms()}),
        );
    }
    let paint = Paint::stdout();
    let mut out = format!("{}\n", paint.bold("Clients (--with)"));
    let width = clients()
        .iter()
        .map(|c| c.id.len())
        .max()
        .unwrap_or_default();
    for client in clients() {
        let mark = if client.no_form_verifies.is_some() {
            "; does not verify the host name"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "  {:width$}  {} ({}){mark}",
            client.id, client.name, client.language
        );
    }
    let _ = write!(out, "\n{}\n", paint.bold("Operating systems (--os)"));
    for platform in platforms() {
        let labels: Vec<_> = all_platforms()
            .iter()
            .filter(|label| label.of.as_ref() == Some(&platform.id))
            .map(|label| label.id.as_str())
            .collect();
        let also = if labels.is_empty() {
            String::new()
        } else {
            format!("; also {}", labels.join(", "))
        };
        let _ = writeln!(out, "  {:width$}  {}{also}", platform.id, platform.name);
    }
    screen::print(&out)
}
