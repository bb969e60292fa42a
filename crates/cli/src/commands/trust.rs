//! `tidegate trust install|remove|renew|status`: what this machine's stores shall have of the local
//! CA. What a store is and how it is changed stands in `crate::trust`; the CA itself is the room
//! `tls`'s.

use crate::args::TrustCommand;
use crate::context::{Context, ask, shell_word};
use crate::failure::Failure;
use crate::trust::{self, Finding, State, Store, store_name};
use crate::{screen, terminal};
use anyhow::Result;
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use tidegate_console::ClientError;
use tidegate_model::printable;
use tidegate_tls::LocalRoot;

pub fn run(context: &Context, command: &TrustCommand) -> Result<()> {
    match command {
        TrustCommand::Install => install(context),
        TrustCommand::Remove { all } => remove(context, *all),
        TrustCommand::Renew { yes } => renew(context, *yes),
        TrustCommand::Status => status(context),
    }
}

fn current(context: &Context) -> Result<LocalRoot> {
    LocalRoot::current(&context.data)?.ok_or_else(|| {
        let cause = format!("there is no local CA in {}", context.data.display());
        Failure::new(
            cause,
            "the first start of a server makes one; name its data directory with --data DIR",
        )
        .into()
    })
}

fn stores() -> Result<Vec<Box<dyn Store>>> {
    let found = trust::stores();
    if found.is_empty() {
        let hint = "install the package `ca-certificates`, or give clients the file: `tidegate \
                    connect` names it";
        return Err(Failure::new(
            "this machine has no store of roots that is known here",
            hint,
        )
        .into());
    }
    Ok(found)
}

/// Stores are the administrator's. The line to type names everything that sudo would change: the
/// program's path, since its $PATH is another, and the data directory, since root's own is another.
fn need_root(context: &Context, command: &str) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let cause =
        format!("`tidegate trust {command}` changes this machine's stores, which needs root");
    Err(Failure::new(cause, sudo_line(context, command)).into())
}

fn sudo_line(context: &Context, command: &str) -> String {
    let program =
        std::env::current_exe().map_or("tidegate".to_owned(), |path| path.display().to_string());
    let data = context.data.display().to_string();
    format!(
        "sudo {} trust {command} --data {}",
        shell_word(&program),
        shell_word(&data)
    )
}

/// What was done to each store. A store that fails does not keep the others from being done.
#[derive(Default)]
struct Report {
    stores: Vec<Value>,
    failed: Option<anyhow::Error>,
}

impl Report {
    fn add(&mut self, store: &dyn Store, done: Result<Vec<String>>, idle: &str) {
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
                self.stores.push(json!({ "store": title, "path": place, "changed": !lines.is_empty(), "did": lines }));
            }
            Err(error) => {
                screen::say(&format!("  failed: {}", printable(&error.to_string())));
                self.stores
                    .push(json!({ "store": title, "path": place, "failed": error.to_string() }));
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
        report.add(&*store, swap(&*store, &root, &former), "has it already");
    }
    if report.failed.is_none() {
        screen::say(
            "programs that read these stores verify this server without a file: `connect NAME --ca \
             system`",
        );
        screen::say(&format!("to undo it: {}", sudo_line(context, "remove")));
    }
    report.end(context, Some(&root))
}

/// The old ones out first, or a store that is made from the system's would get them back.
fn swap(store: &dyn Store, root: &LocalRoot, former: &[LocalRoot]) -> Result<Vec<String>> {
    let older: Vec<_> = store
        .ours()?
        .into_iter()
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
        report.add(&*store, removed, "has nothing of it");
    }
    report.end(context, root.as_ref())
}

fn status(context: &Context) -> Result<()> {
    let root = LocalRoot::current(&context.data)?;
    let former = LocalRoot::former(&context.data);
    let mut looked = Vec::new();
    for store in stores()? {
        let finding = trust::look(&*store, root.as_ref(), &former)?;
        looked.push((store, finding));
    }
    if context.global.json {
        let stores: Vec<_> = looked
            .iter()
            .map(|(store, finding)| shown(&**store, finding))
            .collect();
        let ca = root.as_ref().map(|root| {
            json!({ "file": context.data.join("ca.pem"), "subject": root.name, "name": store_name(root),
                    "fingerprint": root.fingerprint, "not_after_unix": root.not_after.unix_timestamp() })
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
    let rows: Vec<_> = looked
        .iter()
        .map(|(store, finding)| row(&**store, finding))
        .collect();
    screen::print(&screen::table(
        &["STATE", "STORE", "PATH", "ALSO THERE"],
        &rows,
    ))
}

fn shown(store: &dyn Store, finding: &Finding) -> Value {
    let names = |roots: &[LocalRoot]| roots.iter().map(store_name).collect::<Vec<_>>();
    json!({ "store": store.title(), "path": store.place(), "state": finding.state.word(),
            "older": names(&finding.older), "others": names(&finding.others) })
}

fn row(store: &dyn Store, finding: &Finding) -> Vec<String> {
    let state = match finding.state {
        State::Installed => "installed",
        State::Older => "older CA",
        State::Absent => "not there",
    };
    let older = finding
        .older
        .iter()
        .map(|root| format!("{} (older)", store_name(root)));
    let others = finding
        .others
        .iter()
        .map(|root| format!("{} (another data directory's)", store_name(root)));
    let also: Vec<_> = older.chain(others).collect();
    vec![
        state.to_owned(),
        store.title(),
        store.place().display().to_string(),
        also.join(", "),
    ]
}

fn renew(context: &Context, yes: bool) -> Result<()> {
    let old = current(context)?;
    let running = match ask_running(context)? {
        Some(trust) if trust != "local" => {
            let cause = format!("the server's certificate is {trust}: no client uses the local CA");
            return Err(Failure::new(
                cause,
                "certificates of files or of ACME are renewed where they come from",
            )
            .into());
        }
        running => running.is_some(),
    };
    if !running {
        need_owner(context)?;
    }
    confirm(
        yes,
        "Make a new local CA? Every client that has the old ca.pem refuses this server until it \
         gets the new one.",
    )?;
    let held = trust::stores()
        .iter()
        .any(|store| store.trusts(&old).unwrap_or(false));
    if !running {
        return at_next_start(context, held);
    }
    let made = ask(context.client().renew_ca())?;
    let root = current(context)?;
    screen::say(&format!("made {}, SHA-256 {}", root.name, root.fingerprint));
    screen::say(&format!(
        "in use now, for {}; open sessions go on",
        made.names.join(", ")
    ));
    screen::say(&format!("every client needs the new {}", made.ca));
    let mut report = Report::default();
    if held && !rustix::process::geteuid().is_root() {
        screen::say(&format!(
            "this machine's stores have the old one: {}",
            sudo_line(context, "install")
        ));
    } else if held
        && (yes
            || terminal::yes(
                "Put the new one into this machine's stores, in the place of the old one?",
            )?)
    {
        let former = LocalRoot::former(&context.data);
        // Looked for anew: what was read of them is from before.
        for store in trust::stores() {
            report.add(&*store, swap(&*store, &root, &former), "has it already");
        }
    }
    report.end(context, Some(&root))
}

/// How the running server is trusted; `None` if none runs.
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

/// A file of root's in another user's data directory would stand in that user's way.
fn need_owner(context: &Context) -> Result<()> {
    let owner = std::fs::metadata(&context.data)?.uid();
    if owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let cause = format!(
        "{} belongs to the user with the number {owner}",
        context.data.display()
    );
    Err(Failure::new(cause, "run this as that user, or start the server first").into())
}

fn confirm(yes: bool, question: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !terminal::is_there() {
        let cause = "a new local CA was not confirmed, and there is no terminal to ask";
        return Err(Failure::usage(cause, "add --yes").into());
    }
    if terminal::yes(question)? {
        Ok(())
    } else {
        Err(Failure::new("nothing was changed", "").into())
    }
}

fn at_next_start(context: &Context, held: bool) -> Result<()> {
    // Held, so that no server starts in between and misses it.
    let _dir = crate::compose::lock(&context.data)?;
    tidegate_tls::renew_at_next_start(&context.data)?;
    screen::say(
        "no server runs here: its next start makes the new CA, for the names it is given then",
    );
    screen::say(&format!(
        "every client then needs the new {}",
        context.data.join("ca.pem").display()
    ));
    if held {
        screen::say(&format!(
            "this machine's stores have the old one; after that start: {}",
            sudo_line(context, "install")
        ));
    }
    if context.global.json {
        screen::print_json(&json!({ "renewed": "at the next start" }))?;
    }
    Ok(())
}
