//! `tidegate database create|list|delete`.

use super::awake::wake;
use crate::args::DatabaseCommand;
use crate::context::{Context, ask};
use crate::failure::Failure;
use crate::screen::{self, Step};
use crate::terminal;
use anyhow::Result;
use tidegate_console::Client;
use tidegate_console::types::Database;

pub fn run(context: &Context, command: &DatabaseCommand) -> Result<()> {
    let client = context.client();
    match command {
        DatabaseCommand::Create { cluster, name } => {
            wake(&client, cluster)?;
            let step = Step::begin("creating the database");
            let made = ask(client.create_database(cluster, name))?;
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
        DatabaseCommand::Delete { cluster, name, yes } => {
            delete(context, &client, cluster, name, *yes)
        }
    }
}

fn database_row(database: &Database) -> Vec<String> {
    vec![
        database.name.clone(),
        database.character_set.clone(),
        database.collation.clone(),
    ]
}

fn delete(context: &Context, client: &Client, cluster: &str, name: &str, yes: bool) -> Result<()> {
    if !yes {
        if !terminal::is_there() {
            return Err(Failure::usage(
                format!(
                    "deleting database {name} was not confirmed, and there is no terminal to ask"
                ),
                "add --yes",
            )
            .into());
        }
        let question = format!("Delete database {name} of cluster {cluster} and all its data?");
        if !terminal::yes(&question)? {
            return Err(Failure::new("nothing was deleted", "").into());
        }
    }
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
