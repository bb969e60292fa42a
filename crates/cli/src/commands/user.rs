//! `tidegate user create|list|password|delete`. A password never is an argument: it is generated,
//! or comes by standard input.

use super::awake::wake;
use super::confirm::confirm;
use super::endpoint::endpoint;
use super::shown_once::ShownOnce;
use crate::args::{PasswordArgs, UserCommand};
use crate::card::Card;
use crate::context::{Context, ask, shell_word};
use crate::failure::Failure;
use crate::limits::PASSWORD_INPUT_MAX;
use crate::screen::{self, Paint, Step};
use crate::terminal;
use anyhow::{Context as _, Result};
use std::io::{IsTerminal, Read};
use tidegate_connect::bracketed;
use tidegate_console::types::{Account, CreateUser, Role, Secret, SetPassword, User};
use tidegate_console::{Client, UserFilter};
use tidegate_model::printable;
use zeroize::Zeroizing;

pub fn run(context: &Context, command: &UserCommand) -> Result<()> {
    let client = context.client();
    match command {
        UserCommand::Create {
            cluster,
            name,
            role,
            database,
            password,
            at,
        } => {
            let wanted = CreateUser {
                name: name.clone(),
                role: (*role).into(),
                databases: (!database.is_empty()).then(|| database.clone()),
                password: given_password(*password, name)?,
            };
            wake(&client, cluster)?;
            let step = Step::begin("creating the user");
            let user = ask(client.at(at.if_version).create_user(cluster, &wanted))?;
            step.done("");
            let printed = print_login(context, cluster, &user);
            shown_once(cluster, name, &user).check(context, printed)
        }
        UserCommand::Password {
            cluster,
            user,
            password,
            at,
        } => {
            let name = user.name();
            let wanted = SetPassword {
                password: given_password(*password, name)?,
            };
            wake(&client, cluster)?;
            let step = Step::begin("setting a new password");
            let user = ask(client
                .at(at.if_version)
                .set_user_password(cluster, name, &wanted))?;
            step.done("");
            let printed = print_login(context, cluster, &user);
            shown_once(cluster, name, &user).check(context, printed)
        }
        UserCommand::List {
            cluster,
            find,
            after,
        } => {
            let wanted = UserFilter {
                find: find.clone(),
                after: after.clone(),
            };
            list(context, &client, cluster, &wanted)
        }
        UserCommand::Delete {
            cluster,
            user,
            confirmed,
            at,
        } => {
            let name = user.name();
            let words = user.words();
            confirm(*confirmed, &format!("deleting {words}"), || {
                Ok(format!(
                    "Delete {words} of cluster {cluster} and end its sessions?"
                ))
            })?;
            wake(&client, cluster)?;
            let step = Step::begin("deleting the user");
            ask(client.at(at.if_version).delete_user(cluster, name))?;
            step.done("");
            if context.global.json {
                return screen::print_json(
                    &serde_json::json!({ "cluster": cluster, "name": name, "deleted": true }),
                );
            }
            screen::say(&format!("deleted {words} of {cluster}"));
            Ok(())
        }
    }
}

/// Prints a page of the list of users.
fn list(context: &Context, client: &Client, cluster: &str, wanted: &UserFilter) -> Result<()> {
    wake(client, cluster)?;
    let list = ask(client.users(cluster, wanted))?;
    if context.global.json {
        screen::print_json(&list.users)?;
    } else {
        let rows: Vec<_> = list.users.iter().flat_map(user_rows).collect();
        match rows.is_empty() {
            true => screen::say("no users"),
            false => screen::print(&screen::table(&USER_COLUMNS, &rows))?,
        }
    }
    if let Some(next) = &list.next {
        let find = wanted.find.as_deref();
        let find = find.map_or(String::new(), |text| {
            format!(" --find {}", shell_word(text))
        });
        let command = format!("user list {cluster}{find} --after={}", shell_word(next));
        screen::say(&format!(
            "there are more users: `{}` continues, --find TEXT filters",
            context.next(&command)
        ));
    } else if !list.complete {
        screen::say(
            "there are more accounts than the server reads; --find TEXT filters those read",
        );
    }
    Ok(())
}

/// Reads the password from standard input, or asks for it there. `None`: the server generates one.
fn given_password(args: PasswordArgs, name: &str) -> Result<Option<Secret>> {
    if !args.password_stdin {
        return Ok(None);
    }
    if std::io::stdin().is_terminal() {
        let asked = terminal::password(&format!("New password for {}: ", printable(name)))
            .context("asking for the password")?;
        return checked(asked).map(Some);
    }
    // At its full length: a string that grows leaves copies in memory that are not erased.
    let mut text = Zeroizing::new(String::with_capacity(PASSWORD_INPUT_MAX));
    let bound = u64::try_from(PASSWORD_INPUT_MAX).unwrap_or(u64::MAX);
    std::io::stdin()
        .lock()
        .take(bound)
        .read_to_string(&mut text)
        .context("reading the password from standard input")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    checked(Zeroizing::new(line.to_owned())).map(Some)
}

fn checked(password: Zeroizing<String>) -> Result<Secret> {
    if password.is_empty() {
        return Err(Failure::usage(
            "standard input contained no password",
            "pipe it in, or leave out --password-stdin: one is then generated",
        )
        .into());
    }
    Ok(Secret::new(password))
}

/// Words for the login of a user that could not be printed.
fn shown_once(cluster: &str, name: &str, user: &User) -> ShownOnce {
    let words = match name.is_empty() {
        true => "--anonymous".to_owned(),
        false => shell_word(name),
    };
    ShownOnce {
        made: format!(
            "{} of cluster {cluster} has its password",
            printable(&user.user)
        ),
        secret: "login",
        hint: format!("`tidegate user password {cluster} {words}` sets a new password"),
    }
}

/// Prints the login of a user, with the command lines that use it.
fn print_login(context: &Context, cluster: &str, user: &User) -> Result<()> {
    if context.global.json {
        return screen::print_json(user);
    }
    if user.name.is_empty() {
        let password = user.password.as_ref().map_or("(as given)", |p| p.reveal());
        let rows = [
            (
                "user",
                format!("{}NAME, with any name that has no account", user.user),
            ),
            ("password", password.to_owned()),
        ];
        return screen::print(&screen::labelled(&rows));
    }
    let mut endpoint = endpoint(context, cluster, &user.name)?;
    let mut options = format!(" --user {}", shell_word(&user.name));
    if !user.databases.contains(&endpoint.database)
        && let Some(first) = user.databases.first()
    {
        endpoint.database.clone_from(first);
        options.push_str(&format!(" -D {}", shell_word(first)));
    }
    let card = Card {
        endpoint: format!("{}:{}", bracketed(&endpoint.host), endpoint.port),
        user: &user.user,
        password: user.password.as_ref().map(Secret::reveal),
        database: &endpoint.database,
        ca: endpoint.trust.ca_path().map(|ca| ca.display().to_string()),
        new_password: context.next(&format!(
            "user password {cluster} {}",
            shell_word(&user.name)
        )),
        verified: None,
        lines: super::connect::first_lines(context, cluster, &endpoint, &options),
    };
    screen::print(&card.render(Paint::stdout()))
}

const USER_COLUMNS: [&str; 5] = ["NAME", "ROLE", "DATABASES", "HOSTS", "USER"];

/// Rows of one user: accounts at different hosts have different rights, so each role has its own.
fn user_rows(user: &User) -> Vec<Vec<String>> {
    let mut groups = Vec::<(Option<Role>, bool, Vec<&str>)>::new();
    for Account { host, role, locked } in &user.accounts {
        let same = |(other, is_locked, _): &&mut (Option<Role>, bool, Vec<&str>)| {
            (*other, *is_locked) == (*role, *locked)
        };
        match groups.iter_mut().find(same) {
            Some((_, _, hosts)) => hosts.push(host),
            None => groups.push((*role, *locked, vec![host])),
        }
    }
    // A role first: it is what Tidegate gave the user.
    groups.sort_by_key(|(role, _, _)| role.is_none());
    let rows = groups.into_iter().map(|(role, locked, hosts)| {
        let name = role.map_or("-", Role::as_str);
        let databases = match (role, user.every_database) {
            (None, _) => "-".to_owned(),
            (Some(_), true) => "all".to_owned(),
            (Some(_), false) => user.databases.join(","),
        };
        let is_anonymous = user.name.is_empty();
        vec![
            if is_anonymous {
                "''".to_owned()
            } else {
                user.name.clone()
            },
            if locked {
                format!("{name} (locked)")
            } else {
                name.to_owned()
            },
            databases,
            hosts.join(","),
            if is_anonymous {
                format!("{}NAME", user.user)
            } else {
                user.user.clone()
            },
        ]
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(host: &str, role: Option<Role>, locked: bool) -> Account {
        Account {
            host: host.to_owned(),
            role,
            locked,
        }
    }

    #[test]
    fn a_role_is_shown_for_the_hosts_that_have_it_and_others_by_themselves() {
        let user = User {
            name: "app".to_owned(),
            user: "p.app".to_owned(),
            password: None,
            role: Some(Role::ReadOnly),
            every_database: true,
            databases: Vec::new(),
            accounts: vec![
                account("10.%", None, false),
                account("::1", None, false),
                account("localhost", None, true),
                account("%", Some(Role::ReadOnly), false),
            ],
            hosts: Vec::new(),
            locked: true,
        };
        let rows = user_rows(&user);
        let shown: Vec<_> = rows.iter().map(|row| row[1..4].join(" ")).collect();
        assert_eq!(
            shown,
            ["read-only all %", "- - 10.%,::1", "- (locked) - localhost"]
        );
    }
}
