//! View of a cluster's users and databases. What SQL made has any name, which is shown escaped.

use crate::limits::ROWS_PER_PAGE;
use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::Frame;
use crate::pages::words::filters;
use crate::types::Secret;
use askama::Template;
use tidegate_control::{DatabaseView, ROOT, UserView};
use tidegate_model::{UserRole, printable};

pub struct UserRow {
    /// Name as the forms send it.
    pub name: String,
    pub shown: String,
    /// Role of its account at any host.
    pub role: String,
    /// Accounts at other hosts.
    pub others: Vec<String>,
    pub databases: String,
    pub login: String,
    /// Root is not managed here.
    pub is_root: bool,
}

impl UserRow {
    pub fn of(user: &UserView) -> Self {
        let databases = match (user.role, user.every_database) {
            (None, _) => String::new(),
            (Some(_), true) => "all".to_owned(),
            (Some(_), false) => user.databases.join(", "),
        };
        let (main, others): (Vec<_>, Vec<_>) = user
            .accounts
            .iter()
            .partition(|account| account.host == "%");
        let main = main.first();
        let others = others.iter().map(|account| {
            let role = role_words(account.role, account.locked);
            format!("{role} at {}", printable(&account.host))
        });
        Self {
            shown: match user.name.as_str() {
                "" => "(no name)".to_owned(),
                name => printable(name).into_owned(),
            },
            name: user.name.clone(),
            role: role_words(user.role, main.is_some_and(|account| account.locked)),
            others: others.collect(),
            databases: printable(&databases).into_owned(),
            login: printable(&user.login).into_owned(),
            is_root: user.name == ROOT,
        }
    }
}

fn role_words(role: Option<UserRole>, locked: bool) -> String {
    let role = role.map_or("made with SQL", |role| role.as_str());
    match locked {
        true => format!("{role}, locked"),
        false => role.to_owned(),
    }
}

pub struct DatabaseRow {
    /// Name as the forms send it.
    pub name: String,
    pub shown: String,
    pub collation: String,
}

impl DatabaseRow {
    pub fn of(database: &DatabaseView) -> Self {
        Self {
            shown: printable(&database.name).into_owned(),
            name: database.name.clone(),
            collation: printable(&database.collation).into_owned(),
        }
    }
}

/// Users and databases of a cluster that is awake.
pub struct Lists {
    pub users: Vec<UserRow>,
    pub users_complete: bool,
    /// Query of the next page of users.
    pub next_users: Option<String>,
    /// Text that the names contain.
    pub find: String,
    pub databases: Vec<DatabaseRow>,
    pub databases_complete: bool,
}

impl Lists {
    pub fn shown_users(&self) -> &[UserRow] {
        self.users.get(..ROWS_PER_PAGE).unwrap_or(&self.users)
    }

    pub fn shown_databases(&self) -> &[DatabaseRow] {
        let all = &self.databases;
        all.get(..ROWS_PER_PAGE).unwrap_or(all)
    }

    /// Whether there are users that the page does not show.
    pub fn has_more_users(&self) -> bool {
        !self.users_complete || self.users.len() > ROWS_PER_PAGE
    }

    /// Whether there are databases that the page does not show.
    pub fn has_more_databases(&self) -> bool {
        !self.databases_complete || self.databases.len() > ROWS_PER_PAGE
    }
}

/// A user with a password that was just generated.
pub struct MadeUser {
    pub login: String,
    pub password: Secret,
}

#[derive(Template)]
#[template(path = "users.html")]
pub struct UsersPage {
    pub frame: Frame,
    pub row: ClusterRow,
    /// `None` while the cluster is not awake.
    pub lists: Option<Lists>,
    pub made: Option<MadeUser>,
    /// Name of a user that was refused.
    pub wanted_user: String,
    /// Name of a database that was refused.
    pub wanted_database: String,
}
