//! `tidegate cluster ...`: asks the running server and prints its answer.

use super::confirm::confirm;
use super::endpoint::endpoint_of;
use super::shown_once::ShownOnce;
use crate::args::{ClusterCommand, ClusterListArgs, Confirmed, LimitArgs, SettingArgs};
use crate::card::Card;
use crate::config::value::write_duration;
use crate::context::{Context, ask, refused, warning_lines};
use crate::failure::Failure;
use crate::screen::{self, Paint, Step};
use anyhow::Result;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use tidegate_connect::bracketed;
use tidegate_console::types::{
    ChangeCluster, Cluster, CreateCluster, EngineKind, EngineParameter, FILE_SIZE_WAITS,
    LimitsWanted,
};
use tidegate_console::{Client, ClusterFilter};
use tidegate_model::limits::NEVER_SLEEPS;
use tidegate_model::{Size, printable};

pub fn run(context: &Context, command: &ClusterCommand) -> Result<()> {
    let client = context.client();
    match command {
        ClusterCommand::Create {
            name,
            engine,
            parameters,
            limits,
        } => {
            let wanted = wanted_cluster(name, engine.as_deref(), parameters, *limits);
            let step = Step::begin("creating the cluster");
            let cluster = ask(client.create(&wanted))?;
            step.done("");
            let printed = print_login(context, &client, &cluster);
            ShownOnce::root_password(name).check(context, printed)
        }
        ClusterCommand::Password { name, repair, at } => {
            let step = Step::begin("setting a new password");
            let cluster = ask(client.at(at.if_version).password(name, *repair))?;
            step.done("");
            let printed = print_login(context, &client, &cluster);
            let shown = ShownOnce {
                made: format!("cluster {name} has a new password"),
                ..ShownOnce::root_password(name)
            };
            shown.check(context, printed)
        }
        ClusterCommand::Engines => engines(context, &ask(client.engine_kinds())?),
        ClusterCommand::List(wanted) => list(context, &client, wanted),
        ClusterCommand::Show { name } => show(context, &ask(client.cluster(name))?),
        ClusterCommand::Rename { name, new, at } => {
            show(context, &ask(client.at(at.if_version).rename(name, new))?)
        }
        ClusterCommand::Set {
            name,
            limits,
            settings,
            allow_shrink,
            at,
        } => {
            let allow_shrink_seconds = allow_shrink.map(|time| time.as_secs_f64());
            let change = ChangeCluster {
                limits: wanted(*limits),
                allow_shrink_seconds,
                deletion_protection: settings.deletion_protection,
                ping_holds: settings.ping_holds,
                events: settings.events,
                ip_allow: settings.ip_allow.as_deref().map(networks),
                variables: variables(settings),
            };
            if change == ChangeCluster::default() {
                let hint = "give a limit or setting, such as --memory-max 2G; `tidegate cluster \
                            set --help` lists them";
                return Err(Failure::usage("nothing to change", hint).into());
            }
            show(
                context,
                &ask(client.at(at.if_version).change(name, &change))?,
            )
        }
        ClusterCommand::Sleep { name, at } => {
            show(context, &ask(client.at(at.if_version).sleep(name))?)
        }
        ClusterCommand::Wake { name, at } => {
            show(context, &ask(client.at(at.if_version).wake(name))?)
        }
        ClusterCommand::Delete {
            name,
            confirmed,
            at,
        } => delete(context, &client.at(at.if_version), name, *confirmed),
    }
}

/// Prints the list of clusters.
fn list(context: &Context, client: &Client, wanted: &ClusterListArgs) -> Result<()> {
    let filter = ClusterFilter {
        find: wanted.find.clone(),
        prefix: None,
        state: wanted.state,
    };
    let none = match wanted {
        ClusterListArgs {
            find: None,
            state: None,
        } => format!(
            "no clusters yet; `{}` creates one",
            context.next("cluster create NAME")
        ),
        _ => "no such clusters".to_owned(),
    };
    screen::print_list(
        context.global.json,
        &ask(client.clusters(&filter))?,
        &none,
        &["NAME", "STATE", "SESSIONS", "USER", "CREATED"],
        cluster_row,
    )
}

/// Returns the request for a new cluster.
pub fn wanted_cluster(
    name: &str,
    engine: Option<&str>,
    parameters: &[(String, String)],
    limits: LimitArgs,
) -> CreateCluster {
    CreateCluster {
        name: Some(name.to_owned()),
        engine: engine.map(str::to_owned),
        parameters: engine_parameters(parameters),
        limits: wanted(limits),
    }
}

/// Returns the networks as the API takes them: none for `any`.
fn networks(given: &[String]) -> Vec<String> {
    match given {
        [any] if any == "any" => Vec::new(),
        _ => given.to_vec(),
    }
}

/// Returns server variables as the API takes them.
fn variables(settings: &SettingArgs) -> BTreeMap<String, Option<String>> {
    let unset = settings.unset.iter().map(|name| (name.clone(), None));
    let set = settings.variables.iter().map(|(name, value)| {
        let value = Some(value.clone()).filter(|value| !value.trim().is_empty());
        (name.clone(), value)
    });
    unset.chain(set).collect()
}

/// Returns parameters as the API takes them: a text, or a list if a name was given several times.
fn engine_parameters(given: &[(String, String)]) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (name, value) in given {
        let value = Value::from(value.as_str());
        match parameters.get_mut(name) {
            None => drop(parameters.insert(name.clone(), value)),
            Some(Value::Array(items)) => items.push(value),
            Some(single) => *single = Value::Array(vec![single.take(), value]),
        }
    }
    parameters
}

/// Prints the kinds of engines, each with its parameters.
fn engines(context: &Context, kinds: &[EngineKind]) -> Result<()> {
    if context.global.json {
        return screen::print_json(&kinds);
    }
    let mut text = String::new();
    for kind in kinds {
        text.push_str(&format!(
            "{}: {}\n",
            printable(&kind.name),
            printable(&kind.summary)
        ));
        for parameter in &kind.parameters {
            let default = match &parameter.default {
                Some(default) => format!("default: {default:?}"),
                None => "required".to_owned(),
            };
            text.push_str(&format!(
                "  --set {}={}\n      {} ({default})\n",
                printable(&parameter.name),
                printable(&value_name(parameter)),
                printable(&parameter.help)
            ));
        }
    }
    screen::print(&text)
}

/// Returns a placeholder for the values that a parameter takes.
fn value_name(parameter: &EngineParameter) -> String {
    match (parameter.min, parameter.max) {
        (Some(min), Some(max)) => format!("{min}..{max}"),
        _ if !parameter.choices.is_empty() => parameter.choices.join("|"),
        _ => parameter.value_type.to_uppercase(),
    }
}

fn wanted(limits: LimitArgs) -> LimitsWanted {
    LimitsWanted {
        connections_max: limits.connections_max,
        sleep_after_seconds: limits.sleep_after.map(|time| time.as_secs_f64()),
        transaction_idle_max_seconds: limits.transaction_idle_max.map(|time| time.as_secs_f64()),
        memory_max_bytes: limits.memory_max.map(|size| size.0),
        disk_max_bytes: limits.disk_max.map(|size| size.0),
        cpu_weight: limits.cpu_weight,
        tasks_max: limits.tasks_max,
    }
}

/// Prints a login with its new password, and the command lines that use it.
fn print_login(context: &Context, client: &Client, cluster: &Cluster) -> Result<()> {
    if context.global.json {
        return screen::print_json(cluster);
    }
    let lines = super::connect::first_lines(
        context,
        &cluster.name,
        &endpoint_of(cluster, &ask(client.server())?),
        "",
    );
    screen::print(&card(context, cluster, lines, None).render(Paint::stdout()))
}

/// Returns the facts that a person needs to connect to a cluster.
pub fn card<'a>(
    context: &Context,
    cluster: &'a Cluster,
    lines: Vec<(String, String)>,
    verified: Option<String>,
) -> Card<'a> {
    Card {
        endpoint: format!("{}:{}", bracketed(&cluster.host), cluster.port),
        user: &cluster.user,
        password: cluster.password.as_ref().map(|p| p.reveal()),
        database: &cluster.database,
        ca: cluster.ca.clone(),
        new_password: context.next(&format!("cluster password {}", cluster.name)),
        verified,
        lines,
    }
}

fn cluster_row(cluster: &Cluster) -> Vec<String> {
    vec![
        cluster.name.clone(),
        cluster.state.to_string(),
        cluster.sessions.to_string(),
        cluster.user.clone(),
        cluster.created_at.clone(),
    ]
}

fn show(context: &Context, cluster: &Cluster) -> Result<()> {
    if context.global.json {
        return screen::print_json(cluster);
    }
    let mut rows = vec![
        ("name", cluster.name.clone()),
        ("state", cluster.state.to_string()),
        ("engine", engine_row(cluster)),
        (
            "endpoint",
            format!("{}:{}", bracketed(&cluster.host), cluster.port),
        ),
        ("user", cluster.user.clone()),
        ("database", cluster.database.clone()),
        (
            "ca",
            cluster
                .ca
                .clone()
                .unwrap_or_else(|| "none needed".to_owned()),
        ),
        (
            "sessions",
            format!("{} of {}", cluster.sessions, cluster.limits.connections_max),
        ),
    ];
    rows.extend(sleep_rows(cluster));
    if cluster.ping_holds {
        rows.push(("pings", "keep it awake".to_owned()));
    }
    if !cluster.ip_allow.is_empty() {
        rows.push((
            "logins",
            format!("from {} only", cluster.ip_allow.join(", ")),
        ));
    }
    rows.extend(events_text(cluster).map(|text| ("events", text)));
    rows.extend(variable_rows(context, cluster));
    rows.extend(machine_rows(cluster));
    if cluster.deletion_protection {
        rows.push(("deletion", "refused: protected".to_owned()));
    }
    rows.push(("created", cluster.created_at.clone()));
    rows.push(("version", cluster.version.to_string()));
    if let Some(warning) = &cluster.incomplete_accounts {
        rows.insert(2, ("accounts", warning_lines(context, warning)));
    }
    if let Some(failure) = &cluster.failure {
        rows.insert(2, ("failure", failure.clone()));
    }
    screen::print(&screen::labelled(&rows))
}

/// Words for the events of a cluster, also of one that sleeps.
fn events_text(cluster: &Cluster) -> Option<String> {
    let is_asleep = cluster.sleeps && cluster.events_running == Some(false) && !cluster.events;
    cluster
        .events_text()
        .or_else(|| match cluster.events_defined {
            _ if !is_asleep => None,
            Some(count) => Some(format!("{count} defined, not running")),
            None => Some("not running; their number is known after the next wake".to_owned()),
        })
}

/// Contents that an engine keeps in memory only.
const LOST_BY_SLEEP: &str =
    "a sleep ends rows of MEMORY tables, temporary tables, user locks; no events run meanwhile";

/// Times after which the cluster sleeps, if its kind of engine can sleep.
fn sleep_rows(cluster: &Cluster) -> Vec<(&'static str, String)> {
    if !cluster.sleeps {
        return vec![("sleeps", "never: its kind of engine can't".to_owned())];
    }
    let limits = &cluster.limits;
    if limits.sleep_after_seconds >= NEVER_SLEEPS.as_secs() {
        return vec![("sleeps", "never".to_owned())];
    }
    let idle = duration_text(limits.sleep_after_seconds);
    let transaction = duration_text(limits.transaction_idle_max_seconds);
    vec![
        ("sleeps", format!("after {idle} without work")),
        (
            "",
            format!("or after {transaction} with an idle transaction"),
        ),
        ("", LOST_BY_SLEEP.to_owned()),
    ]
}

/// Server variables of the engine that were set.
fn variable_rows(context: &Context, cluster: &Cluster) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for (name, value) in &cluster.variables {
        let label = if rows.is_empty() { "variables" } else { "" };
        rows.push((label, printable(&format!("{name}={value}")).into_owned()));
    }
    if cluster.variables_wait {
        let sleep = context.next(&format!("cluster sleep {}", cluster.name));
        let text = format!("these apply from the next wake on; `{sleep}` ends this run");
        rows.push(("", text));
    }
    rows
}

/// Kind of the cluster's engine, with its parameters.
fn engine_row(cluster: &Cluster) -> String {
    let mut row = cluster.engine.clone();
    for (name, value) in &cluster.parameters {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        row.push_str(&format!(", {name}={value}"));
    }
    printable(&row).into_owned()
}

/// Returns a size with its limit.
fn size_of(used: Option<u64>, most: u64) -> String {
    match used {
        Some(used) => format!("{} of {}", Size(used).rounded(), Size(most).rounded()),
        None => format!("up to {}", Size(most).rounded()),
    }
}

/// Limits on the machine's resources, each with the measured use if the server measured it.
fn machine_rows(cluster: &Cluster) -> Vec<(&'static str, String)> {
    let limits = &cluster.limits;
    let usage = cluster.usage.as_ref();
    let cpu = match usage.and_then(|usage| usage.cpu_seconds) {
        Some(used) => format!(
            "weight {}, {used} s used since the server started",
            limits.cpu_weight
        ),
        None => format!("weight {}", limits.cpu_weight),
    };
    let tasks = match usage.and_then(|usage| usage.tasks) {
        Some(used) => format!("{used} of {}", limits.tasks_max),
        None => format!("up to {}", limits.tasks_max),
    };
    let mut rows = vec![
        (
            "memory",
            size_of(
                usage.and_then(|usage| usage.memory_bytes),
                limits.memory_max_bytes,
            ),
        ),
        (
            "disk",
            size_of(
                usage.and_then(|usage| usage.disk_bytes),
                limits.disk_max_bytes,
            ),
        ),
    ];
    if usage.is_some_and(|usage| usage.file_size_waits) {
        rows.push(("file size", FILE_SIZE_WAITS.to_owned()));
    }
    // Not a limit that can be set: it is a share of the file system's inodes.
    if let Some((used, most)) = usage.and_then(|usage| usage.files.zip(usage.files_max)) {
        rows.push(("files", format!("{used} of {most}")));
    }
    rows.extend([("cpu", cpu), ("tasks", tasks)]);
    rows
}

fn duration_text(seconds: u64) -> String {
    write_duration(Duration::from_secs(seconds))
}

fn delete(context: &Context, client: &Client, name: &str, confirmed: Confirmed) -> Result<()> {
    confirm(confirmed, &format!("deleting {name}"), || {
        // The question shows the cluster as it is, so that a wrong name is noticed.
        let cluster = ask(client.cluster(name))?;
        Ok(format!(
            "Delete {} and all its data, with {} open sessions?",
            cluster.name, cluster.sessions
        ))
    })?;
    ask(client.delete(name))?;
    if context.global.json {
        return screen::print_json(&serde_json::json!({ "name": name, "deleted": true }));
    }
    screen::say(&format!("deleted {name}"));
    Ok(())
}

/// Returns the cluster of this name, which is created if it does not exist.
pub async fn first(client: &Client, name: &str) -> Result<Cluster> {
    match client.cluster(name).await {
        Ok(cluster) => Ok(cluster),
        Err(error) if error.code() == Some("not_found") => {
            let wanted = CreateCluster {
                name: Some(name.to_owned()),
                ..CreateCluster::default()
            };
            Ok(client.create(&wanted).await.map_err(refused)?)
        }
        Err(error) => Err(refused(error).into()),
    }
}
