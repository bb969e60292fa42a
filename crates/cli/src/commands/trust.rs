//! `tidegate trust install|remove|renew|status`: adds the local CA to this machine's trust stores
//! and removes it. `crate::trust` reads and changes the stores; the CA itself is in the room `tls`.

use super::confirm::confirm;
use crate::args::{Confirmed, TrustCommand};
use crate::context::{Context, ask, shell_word};
use crate::failure::{Failure, one_line};
use crate::trust::{self, State, StoreContent, TrustStore, store_name};
use crate::{screen, terminal};
use anyhow::Result;
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tidegate_console::ClientError;
use tidegate_console::timestamp::rfc3339_date;
use tidegate_model::printable;
use tidegate_tls::LocalRoot;

pub fn run(context: &Context, command: &TrustCommand) -> Result<()> {
    match command {
        TrustCommand::Install => install(context),
        TrustCommand::Remove { all } => remove(context, *all),
        TrustCommand::Renew { confirmed } => renew(context, *confirmed),
        TrustCommand::Status => status(context),
    }
}

fn current(context: &Context) -> Result<LocalRoot> {
    LocalRoot::current(&context.data)?.ok_or_else(|| {
        let cause = format!("there is no local CA in {}", context.data.display());
        Failure::new(
            cause,
            "the first start of a server creates one; name its data directory with --data DIR",
        )
        .into()
    })
}

fn stores() -> Result<Vec<Box<dyn TrustStore>>> {
    let found = trust::stores();
    if found.is_empty() {
        let hint = "install the package `ca-certificates`, or give clients the CA file that \
                    `tidegate connect` prints";
        return Err(Failure::new("this machine has no supported trust store", hint).into());
    }
    Ok(found)
}

/// Refuses to go on without root. The command in the hint names the program's path and the data
/// directory, because under sudo $PATH and the default data directory are different.
fn need_root(context: &Context, command: &str) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let cause =
        format!("`tidegate trust {command}` changes this machine's trust stores, which needs root");
    Err(Failure::new(cause, sudo_line(&context.data, command)).into())
}

/// Returns the line that runs `trust COMMAND` as root.
pub fn sudo_line(data: &Path, command: &str) -> String {
    let program =
        std::env::current_exe().map_or("tidegate".to_owned(), |path| path.display().to_string());
    let data = data.display().to_string();
    format!(
        "sudo {} trust {command} --data {}",
        shell_word(&program),
        shell_word(&data)
    )
}

/// Record of what was done to each store. If a store fails, the others are still changed.
#[derive(Default)]
struct Report {
    stores: Vec<Value>,
    failed: Option<anyhow::Error>,
}

impl Report {
    fn add(&mut self, store: &dyn TrustStore, done: Result<Vec<String>>, idle: &str) {
        let title = store.title();
        let place = store.place();
        screen::say(&format!("{title} ({})", place.display()));
        match done {
            Ok(lines) => {
                let said = if lines.is_empty() {
                    vec![idle.to_owned()]
                } else {
                    lines.clone()
                };
                said.iter()
                    .for_each(|line| screen::say(&format!("  {}", printable(line))));
                self.stores.push(json!({
                    "store": title,
                    "path": place,
                    "changed": !lines.is_empty(),
                    "did": lines,
                }));
            }
            Err(error) => {
                let why = one_line(&error);
                screen::say(&format!("  failed: {}", printable(&why)));
                self.stores
                    .push(json!({ "store": title, "path": place, "failed": why }));
                self.failed.get_or_insert(error);
            }
        }
    }

    fn end(self, context: &Context, root: Option<&LocalRoot>) -> Result<()> {
        if context.global.json {
            let fingerprint = root.map(|root| &root.fingerprint);
            screen::print_json(&json!({ "fingerprint": fingerprint, "stores": self.stores }))?;
        }
        self.failed.map_or(Ok(()), Err)
    }
}

fn install(context: &Context) -> Result<()> {
    need_root(context, "install")?;
    let root = current(context)?;
    let former = LocalRoot::former(&context.data);
    screen::say(&format!("{}, SHA-256 {}", root.name, root.fingerprint));
    let mut report = Report::default();
    for store in stores()? {
        report.add(&*store, swap(&*store, &root, &former), "already installed");
    }
    if report.failed.is_none() {
        screen::say(
            "programs that read these stores verify this server without a CA file: `tidegate \
             connect NAME --ca system`",
        );
        screen::say(&format!(
            "to undo it: {}",
            sudo_line(&context.data, "remove")
        ));
    }
    report.end(context, Some(&root))
}

/// Removes older CAs and installs the current one. The old ones go first, since otherwise a store
/// that is generated from the system's would get them again.
fn swap(store: &dyn TrustStore, root: &LocalRoot, former: &[LocalRoot]) -> Result<Vec<String>> {
    let older: Vec<_> = store
        .ours()?
        .into_iter()
        // Only roots of this data directory: another server on this machine may have one too.
        .filter(|found| found != root && former.contains(found))
        .collect();
    let mut lines = if older.is_empty() {
        Vec::new()
    } else {
        store.remove(&older)?
    };
    if !store.trusts(root)? {
        lines.extend(store.install(root)?);
    }
    Ok(lines)
}

fn remove(context: &Context, all: bool) -> Result<()> {
    need_root(context, if all { "remove --all" } else { "remove" })?;
    let root = if all {
        // With --all the data directory may have been deleted.
        LocalRoot::current(&context.data).ok().flatten()
    } else {
        Some(current(context)?)
    };
    let of_this_folder: Vec<_> = root
        .clone()
        .into_iter()
        .chain(LocalRoot::former(&context.data))
        .collect();
    let mut report = Report::default();
    for store in stores()? {
        let removed = store.ours().and_then(|ours| {
            let others = ours
                .into_iter()
                .filter(|found| all && !of_this_folder.contains(found));
            store.remove(
                &of_this_folder
                    .iter()
                    .cloned()
                    .chain(others)
                    .collect::<Vec<_>>(),
            )
        });
        report.add(&*store, removed, "not installed");
    }
    report.end(context, root.as_ref())
}

fn status(context: &Context) -> Result<()> {
    let root = LocalRoot::current(&context.data)?;
    let former = LocalRoot::former(&context.data);
    let mut contents = Vec::new();
    for store in stores()? {
        let found = trust::store_content(&*store, root.as_ref(), &former)?;
        contents.push((store, found));
    }
    if context.global.json {
        let stores: Vec<_> = contents
            .iter()
            .map(|(store, content)| store_json(&**store, content))
            .collect();
        let ca = root.as_ref().map(|root| {
            json!({
                "file": context.data.join("ca.pem"),
                "subject": root.name,
                "name": store_name(root),
                "fingerprint": root.fingerprint,
                "not_after": rfc3339_date(root.not_after.unix_timestamp()),
            })
        });
        return screen::print_json(&json!({ "ca": ca, "stores": stores }));
    }
    match &root {
        Some(root) => screen::say(&format!("{}, SHA-256 {}", root.name, root.fingerprint)),
        None => screen::say(&format!(
            "there is no local CA in {}",
            context.data.display()
        )),
    }
    let rows: Vec<_> = contents
        .iter()
        .map(|(store, content)| store_row(&**store, content))
        .collect();
    screen::print(&screen::table(
        &["STATE", "STORE", "PATH", "ALSO THERE"],
        &rows,
    ))
}

fn store_names(roots: &[LocalRoot]) -> Vec<String> {
    roots.iter().map(store_name).collect()
}

fn store_json(store: &dyn TrustStore, content: &StoreContent) -> Value {
    json!({
        "store": store.title(),
        "path": store.place(),
        "state": content.state.word(),
        "older": store_names(&content.older),
        "others": store_names(&content.others),
    })
}

fn store_row(store: &dyn TrustStore, content: &StoreContent) -> Vec<String> {
    let state = match content.state {
        State::Installed => "installed",
        State::Older => "older CA",
        State::Absent => "not installed",
    };
    let older = content
        .older
        .iter()
        .map(|root| format!("{} (older)", store_name(root)));
    let others = content
        .others
        .iter()
        .map(|root| format!("{} (of another data directory)", store_name(root)));
    let also: Vec<_> = older.chain(others).collect();
    vec![
        state.to_owned(),
        store.title(),
        store.place().display().to_string(),
        also.join(", "),
    ]
}

fn renew(context: &Context, confirmed: Confirmed) -> Result<()> {
    let old = current(context)?;
    let running = match ask_running(context)? {
        Some(trust) if trust != "local" => {
            let cause =
                format!("no client uses the local CA, because the server's certificate is {trust}");
            return Err(Failure::new(
                cause,
                "`tidegate cert renew` renews a certificate of ACME; for any other, replace its \
                 files",
            )
            .into());
        }
        running => running.is_some(),
    };
    if !running {
        need_owner(context)?;
    }
    confirm(confirmed, "creating a new local CA", || {
        Ok(
            "Create a new local CA? Every client that has the old ca.pem refuses this server \
            until it gets the new one."
                .to_owned(),
        )
    })?;
    // Read before the new CA replaces the file.
    let in_stores = trust::stores()
        .iter()
        .any(|store| store.trusts(&old).unwrap_or(false));
    if !running {
        return renew_at_next_start(context, in_stores);
    }
    let made = ask(context.client().renew_ca())?;
    let root = current(context)?;
    screen::say(&format!(
        "created {}, SHA-256 {}",
        root.name, root.fingerprint
    ));
    screen::say(&format!(
        "in use now, for {}; open sessions continue",
        made.names.join(", ")
    ));
    screen::say(&format!("every client needs the new {}", made.ca));
    let mut report = Report::default();
    if in_stores && !rustix::process::geteuid().is_root() {
        screen::say(&format!(
            "this machine's trust stores contain the old CA; to replace it: {}",
            sudo_line(&context.data, "install")
        ));
    } else if in_stores
        && (confirmed.yes || terminal::yes("Replace the old CA in this machine's trust stores?")?)
    {
        let former = LocalRoot::former(&context.data);
        // The stores are opened again, because they cache what they have read.
        for store in trust::stores() {
            report.add(&*store, swap(&*store, &root, &former), "already installed");
        }
    }
    report.end(context, Some(&root))
}

/// Returns how clients trust the running server; `None` if no server runs.
fn ask_running(context: &Context) -> Result<Option<String>> {
    let client = context.client();
    ask(async {
        match client.server().await {
            Ok(server) => Ok(Some(server.trust)),
            Err(ClientError::NoServer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    })
}

/// Refuses to write into another user's data directory: that user's server could not replace a file
/// of root's.
pub fn need_owner(context: &Context) -> Result<()> {
    let owner = std::fs::metadata(&context.data)?.uid();
    if owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let cause = format!(
        "{} belongs to another user (uid {owner})",
        context.data.display()
    );
    Err(Failure::new(cause, "run this as that user, or start the server first").into())
}

fn renew_at_next_start(context: &Context, in_stores: bool) -> Result<()> {
    // Locked, so that no server starts in between and misses the request.
    let _dir = crate::compose::lock(&context.data)?;
    tidegate_tls::renew_at_next_start(&context.data)?;
    screen::say(
        "no server runs here: the next start creates the new CA, for the names the server has then",
    );
    screen::say(&format!(
        "every client then needs the new {}",
        context.data.join("ca.pem").display()
    ));
    if in_stores {
        screen::say(&format!(
            "this machine's trust stores contain the old CA; to replace it after that start: {}",
            sudo_line(&context.data, "install")
        ));
    }
    if context.global.json {
        screen::print_json(&json!({ "renewed": "at the next start" }))?;
    }
    Ok(())
}
