//! `tidegate database create|list|delete`.

use super::awake::wake;
use super::confirm::confirm;
use crate::args::{Confirmed, DatabaseCommand};
use crate::context::{Context, ask};
use crate::screen::{self, Step};
use anyhow::Result;
use tidegate_console::Client;
use tidegate_console::types::Database;

pub fn run(context: &Context, command: &DatabaseCommand) -> Result<()> {
    let client = context.client();
    match command {
        DatabaseCommand::Create { cluster, name, at } => {
            wake(&client, cluster)?;
            let step = Step::begin("creating the database");
            let made = ask(client.at(at.if_version).create_database(cluster, name))?;
            step.done("");
            if context.global.json {
                return screen::print_json(&made);
            }
            screen::say(&format!("created database {} in {cluster}", made.name));
            Ok(())
        }
        DatabaseCommand::List { cluster } => {
            wake(&client, cluster)?;
            let list = ask(client.databases(cluster))?;
            screen::print_list(
                context.global.json,
                &list.databases,
                &format!(
                    "no databases; `{}` creates one",
                    context.next(&format!("database create {cluster} NAME"))
                ),
                &["NAME", "CHARACTER SET", "COLLATION"],
                database_row,
            )?;
            if !list.complete {
                screen::say("there are more databases than this list can have");
            }
            Ok(())
        }
        DatabaseCommand::Delete {
            cluster,
            name,
            confirmed,
            at,
        } => delete(
            context,
            &client.at(at.if_version),
            cluster,
            name,
            *confirmed,
        ),
    }
}

fn database_row(database: &Database) -> Vec<String> {
    vec![
        database.name.clone(),
        database.character_set.clone(),
        database.collation.clone(),
    ]
}

fn delete(
    context: &Context,
    client: &Client,
    cluster: &str,
    name: &str,
    confirmed: Confirmed,
) -> Result<()> {
    confirm(confirmed, &format!("deleting database {name}"), || {
        Ok(format!(
            "Delete database {name} of cluster {cluster} and all its data?"
        ))
    })?;
    wake(client, cluster)?;
    let step = Step::begin("deleting the database");
    ask(client.delete_database(cluster, name))?;
    step.done("");
    if context.global.json {
        return screen::print_json(
            &serde_json::json!({ "cluster": cluster, "name": name, "deleted": true }),
        );
    }
    screen::say(&format!("deleted database {name} of {cluster}"));
    Ok(())
}
