//! Users: list, create, password, delete.

use super::databases::unknown_end;
use super::mark::Mark;
use super::session::{AdministrationSession, text};
use super::statements::{
    admin_grants, create_locked, drop_users, grant, grant_mark, is_locked_with, name_parts, quoted,
    set_passwords, unlock,
};
use crate::administration::{
    AdministrationError, AdministrationResult, BoundedList, EngineAccount, EngineUser,
    NewEngineUser,
};
use crate::error::RunError;
use crate::limits::{
    ADMINISTERED_USERS_MAX, HOST_CHARS_MAX, USER_GRANTS_LISTED_MAX, USERS_LISTED_MAX,
};
use crate::local::accounts::init_sql::FIRST_USER;
use std::collections::BTreeMap;
use tidegate_model::limits::HOSTS_PER_USER_MAX;
use tidegate_model::login::USER_CHARS_MAX;
use tidegate_model::{Accounts, DatabaseName, UserName, UserRole};
use tidegate_wire::query::literal;

/// Host of the accounts that have a role.
const ANY_HOST: &str = "%";
/// Condition for accounts: a role has an empty host.
const NOT_A_ROLE: &str = "AND Host <> ''";

fn at_any_host() -> [String; 1] {
    [ANY_HOST.to_owned()]
}

impl AdministrationSession<'_> {
    /// `accounts`: all accounts that clients may log in with.
    pub async fn list_users(
        &mut self,
        accounts: &Accounts,
    ) -> AdministrationResult<BoundedList<EngineUser>> {
        let marks = self.marked_users().await?;
        let mut databases = self.granted_databases().await?;
        let mut users = BTreeMap::<String, EngineUser>::new();
        let mut complete = accounts.is_complete();
        for account in accounts.iter() {
            if users.len() >= USERS_LISTED_MAX && !users.contains_key(&account.user) {
                complete = false;
                continue;
            }
            let user = users
                .entry(account.user)
                .or_insert_with_key(|name| EngineUser::named(name));
            // A role is recorded for this host alone; SQL created the accounts of others.
            let mark = match (account.host == ANY_HOST, user.name == FIRST_USER) {
                (false, _) => None,
                // Root has no mark: it is as old as the cluster.
                (true, true) => Some(Mark::new(UserRole::Admin, true)),
                (true, false) => marks.get(&user.name).copied(),
            };
            if let Some(mark) = mark {
                user.role = Some(mark.role);
                user.every_database = mark.every_database;
                let listed = mark.role != UserRole::Admin;
                let listed = listed.then(|| databases.remove(&user.name)).flatten();
                user.databases = listed.unwrap_or_default();
            }
            if user.accounts.len() < HOSTS_PER_USER_MAX {
                user.accounts.push(EngineAccount {
                    host: account.host,
                    role: mark.map(|mark| mark.role),
                    locked: account.locked,
                });
            }
        }
        Ok(BoundedList {
            rows: users.into_values().collect(),
            complete,
        })
    }

    /// Databases that users with a role have grants on.
    async fn granted_databases(&mut self) -> AdministrationResult<BTreeMap<String, Vec<String>>> {
        let rows = self
            .rows(&format!(
                "SELECT LEFT(d.User, {chars}), LEFT(d.Db, 65) FROM mysql.db d WHERE d.Host = '%' \
                 AND EXISTS (SELECT 1 FROM mysql.db m WHERE m.Host = '%' AND m.User = d.User AND \
                 m.Db IN ({marks})) ORDER BY d.User, d.Db LIMIT {most}",
                chars = USER_CHARS_MAX + 1,
                marks = Mark::sql_list(),
                most = USER_GRANTS_LISTED_MAX,
            ))
            .await?;
        let mut databases = BTreeMap::<String, Vec<String>>::new();
        for row in &rows {
            let database = text(row, 1).and_then(DatabaseName::of_pattern);
            if let (Some(user), Some(database)) = (text(row, 0), database) {
                let list = databases.entry(user.to_owned()).or_default();
                list.push(database.as_str().to_owned());
            }
        }
        Ok(databases)
    }

    pub async fn create_user(&mut self, new: &NewEngineUser) -> AdministrationResult<Vec<String>> {
        let user = new.name.as_str();
        // A role of this name is in the same table.
        if !self.hosts_of(user, "").await?.is_empty() {
            let is_own =
                new.replaces_unfinished && self.is_true(&is_locked_with(user, &new.stage2)).await;
            if !is_own {
                return Err(AdministrationError::Exists);
            }
            self.change(&drop_users(user, &at_any_host())).await?;
        }
        let users = self.marked_users().await?.len();
        if users >= ADMINISTERED_USERS_MAX {
            return Err(AdministrationError::TooMany(users));
        }
        let databases = self.databases_for(new).await?;
        let made = match self.change(&create_locked(user, &new.stage2)).await {
            Ok(()) => self.complete_user(new, &databases).await,
            // Another session has created it meanwhile, say.
            Err(error @ (RunError::Refused(_) | RunError::ShutOut(_) | RunError::Process(_))) => {
                return Err(error.into());
            }
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            return Err(self.remove_unfinished(new, error).await);
        }
        let names = databases.iter().map(|name| name.as_str().to_owned());
        Ok(names.collect())
    }

    /// Drops a user that could not be completed.
    async fn remove_unfinished(
        &mut self,
        new: &NewEngineUser,
        source: RunError,
    ) -> AdministrationError {
        let user = new.name.as_str();
        if self.renew().await.is_ok() && self.is_true(&is_locked_with(user, &new.stage2)).await {
            // Whether that succeeded is read next.
            let _ = self.change(&drop_users(user, &at_any_host())).await;
        }
        match self.hosts_again(user).await {
            Ok(hosts) if hosts.is_empty() => source.into(),
            Ok(_) => AdministrationError::Unfinished {
                left: "it exists, is locked and does not have all its rights; delete it before it \
                       is created again"
                    .to_owned(),
                source,
            },
            Err(_) => unknown_end(source),
        }
    }

    /// Databases that a new user gets now.
    async fn databases_for(
        &mut self,
        new: &NewEngineUser,
    ) -> AdministrationResult<Vec<DatabaseName>> {
        if new.role == UserRole::Admin {
            return Ok(Vec::new());
        }
        let Some(wanted) = &new.databases else {
            let all = self.list_databases().await?.rows;
            // SQL may have created a name that no grant can have.
            return Ok(all
                .iter()
                .filter_map(|database| DatabaseName::existing(&database.name).ok())
                .filter(DatabaseName::can_be_granted)
                .collect());
        };
        for database in wanted {
            if !self.has_database(database).await? {
                let name = database.as_str().to_owned();
                return Err(AdministrationError::MissingDatabase(name));
            }
        }
        Ok(wanted.clone())
    }

    /// Grants what a new, locked account needs, and unlocks it.
    async fn complete_user(
        &mut self,
        new: &NewEngineUser,
        databases: &[DatabaseName],
    ) -> Result<(), RunError> {
        let user = new.name.as_str();
        let every_database = new.databases.is_none();
        let mark = Mark::new(new.role, every_database || new.role == UserRole::Admin);
        self.change(&grant_mark(user, mark)).await?;
        if new.role == UserRole::Admin {
            for change in admin_grants(user) {
                self.change(&change).await?;
            }
        }
        for database in databases {
            if let Some(change) = grant(new.role, database, &[user.to_owned()]) {
                self.change(&change).await?;
            }
        }
        self.change(&unlock(user)).await
    }

    pub async fn set_user_password(
        &mut self,
        name: &UserName,
        stage2: [u8; 20],
    ) -> AdministrationResult<()> {
        let user = name.as_str();
        let hosts = self.hosts_of_accounts(name).await?;
        for (done, some) in name_parts(&hosts).into_iter().enumerate() {
            let Err(error) = self.change(&set_passwords(user, some, &stage2)).await else {
                continue;
            };
            // One statement changes its accounts one after the other.
            let mut changed = done;
            for host in &hosts {
                let one = set_passwords(user, std::slice::from_ref(host), &stage2);
                changed += usize::from(self.is_true(&one.is_made).await);
            }
            return Err(match changed {
                0 => error.into(),
                _ => AdministrationError::Unfinished {
                    left: "some of its accounts have the new password, others the old one".into(),
                    source: error,
                },
            });
        }
        Ok(())
    }

    pub async fn delete_user(&mut self, name: &UserName) -> AdministrationResult<()> {
        let user = name.as_str();
        let mut hosts = self.hosts_of_accounts(name).await?;
        let first = hosts.clone();
        // Again, since one reading is bounded and a tenant may have made any number.
        while !hosts.is_empty() {
            for some in name_parts(&hosts) {
                let Err(error) = self.change(&drop_users(user, some)).await else {
                    continue;
                };
                return match self.hosts_again(user).await {
                    Ok(left) if left.is_empty() => Ok(()),
                    Ok(left) if left == first => Err(error.into()),
                    Ok(_) => Err(AdministrationError::Unfinished {
                        left: "some of its accounts are deleted, others are not".to_owned(),
                        source: error,
                    }),
                    Err(_) => Err(unknown_end(error)),
                };
            }
            hosts = self.hosts_of(user, NOT_A_ROLE).await?;
        }
        Ok(())
    }

    pub async fn end_user_sessions(&mut self, name: &UserName) -> AdministrationResult<()> {
        let sql = format!("KILL HARD CONNECTION USER {}", quoted(name.as_str()));
        Ok(self.execute(&sql).await?)
    }

    /// Hosts of a user's accounts; at least one.
    async fn hosts_of_accounts(&mut self, name: &UserName) -> AdministrationResult<Vec<String>> {
        let hosts = self.hosts_of(name.as_str(), NOT_A_ROLE).await?;
        match hosts.is_empty() {
            true => Err(AdministrationError::Missing),
            false => Ok(hosts),
        }
    }

    /// Hosts of a user's accounts, asked on a connection that works.
    async fn hosts_again(&mut self, user: &str) -> AdministrationResult<Vec<String>> {
        self.renew().await?;
        self.hosts_of(user, NOT_A_ROLE).await
    }

    async fn hosts_of(&mut self, user: &str, also: &str) -> AdministrationResult<Vec<String>> {
        let rows = self
            .rows(&format!(
                "SELECT LEFT(Host, {}) FROM mysql.global_priv WHERE User = CONVERT({} USING \
                 utf8mb3) {also} LIMIT {HOSTS_PER_USER_MAX}",
                HOST_CHARS_MAX + 1,
                literal(user)
            ))
            .await?;
        let hosts = rows.iter().filter_map(|row| text(row, 0));
        Ok(hosts.map(str::to_owned).collect())
    }
}
