//! Users: list, create, password, delete.

use super::databases::unknown_end;
use super::mark::Mark;
use super::session::{AdministrationSession, text};
use super::statements::{
    admin_grants, create_locked, drop_users, grant, grant_mark, is_locked_with, name_parts, quoted,
    set_passwords, unlock,
};
use crate::administration::{
    AdministrationError, AdministrationResult, EngineAccount, EngineUser, EngineUsers,
    NewEngineUser, UsersWanted,
};
use crate::error::RunError;
use crate::limits::{
    ADMINISTERED_USERS_MAX, HOST_CHARS_MAX, OTHERS_MAX, USER_GRANTS_LISTED_MAX, USERS_LISTED_MAX,
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

/// Place of a user in the list: whether SQL made it, then its name.
type UserPlace = (bool, String);

/// Page of the list of users that is being filled from accounts in any order.
struct UserPage<'a> {
    marks: &'a BTreeMap<String, Mark>,
    find: String,
    after: Option<UserPlace>,
    most: usize,
    rows: BTreeMap<UserPlace, EngineUser>,
    has_more: bool,
}

impl<'a> UserPage<'a> {
    fn new(wanted: &UsersWanted, marks: &'a BTreeMap<String, Mark>) -> Self {
        let mut page = Self {
            marks,
            find: wanted.find.to_lowercase(),
            after: None,
            most: wanted.most.clamp(1, USERS_LISTED_MAX),
            rows: BTreeMap::new(),
            has_more: false,
        };
        page.after = wanted.after.as_deref().map(|name| page.place(name));
        page
    }

    fn place(&self, name: &str) -> UserPlace {
        let has_role = name == FIRST_USER || self.marks.contains_key(name);
        (!has_role, name.to_owned())
    }

    /// Returns the row of a user. `None` if it is not on this page.
    fn row(&mut self, name: &str) -> Option<&mut EngineUser> {
        if !name.to_lowercase().contains(&self.find) {
            return None;
        }
        let place = self.place(name);
        if self.after.as_ref().is_some_and(|after| place <= *after) {
            return None;
        }
        let is_full = self.rows.len() >= self.most && !self.rows.contains_key(&place);
        if is_full {
            self.has_more = true;
            if self
                .rows
                .last_key_value()
                .is_none_or(|(last, _)| place > *last)
            {
                return None;
            }
            self.rows.pop_last();
        }
        let row = self.rows.entry(place);
        Some(row.or_insert_with_key(|(_, name)| EngineUser::named(name)))
    }

    /// `complete`: whether all accounts were read.
    fn finish(self, complete: bool) -> EngineUsers {
        let rows: Vec<EngineUser> = self.rows.into_values().collect();
        let last = rows.last().map(|user| user.name.clone());
        EngineUsers {
            next: last.filter(|_| self.has_more),
            rows,
            complete,
        }
    }
}

impl AdministrationSession<'_> {
    /// `accounts`: all accounts that clients may log in with.
    pub async fn list_users(
        &mut self,
        accounts: &Accounts,
        wanted: &UsersWanted,
    ) -> AdministrationResult<EngineUsers> {
        let marks = self.marked_users().await?;
        let mut databases = self.granted_databases().await?;
        let mut page = UserPage::new(wanted, &marks);
        for account in accounts.iter() {
            let Some(user) = page.row(&account.user) else {
                continue;
            };
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
        Ok(page.finish(accounts.is_complete()))
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
        if name.is_anonymous() {
            return self.end_unnamed_sessions().await;
        }
        let sql = format!("KILL HARD CONNECTION USER {}", quoted(name.as_str()));
        Ok(self.execute(&sql).await?)
    }

    /// Ends the sessions whose users have no account: they logged in by accounts without a name.
    async fn end_unnamed_sessions(&mut self) -> AdministrationResult<()> {
        let rows = self
            .rows(&format!(
                "SELECT p.ID FROM information_schema.PROCESSLIST p WHERE p.ID <> CONNECTION_ID() \
                 AND p.COMMAND <> 'Daemon' AND p.USER NOT IN ('system user', 'event_scheduler', \
                 'unauthenticated user') AND NOT EXISTS (SELECT 1 FROM mysql.global_priv g WHERE \
                 g.User = CONVERT(p.USER USING utf8mb3) COLLATE utf8mb3_bin) LIMIT {OTHERS_MAX}"
            ))
            .await?;
        for id in rows
            .iter()
            .filter_map(|row| text(row, 0)?.parse::<u64>().ok())
        {
            match self.execute(&format!("KILL HARD CONNECTION {id}")).await {
                // It ended by itself.
                Ok(()) | Err(RunError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &UsersWanted, accounts: &[&str]) -> (Vec<String>, Option<String>) {
        let mark = Mark::new(UserRole::ReadOnly, false);
        let marks = [("zeta".to_owned(), mark)].into();
        let mut page = UserPage::new(wanted, &marks);
        for name in accounts {
            let _ = page.row(name);
        }
        let page = page.finish(true);
        let names = page.rows.into_iter().map(|user| user.name);
        (names.collect(), page.next)
    }

    #[test]
    fn pages_have_every_user_once_and_those_with_a_role_first() {
        let accounts = ["b", "", "zeta", "a", "root", "b", "C", "a"];
        for most in 1..=7 {
            let mut all = Vec::new();
            let mut wanted = UsersWanted {
                most,
                ..UsersWanted::default()
            };
            loop {
                let (names, next) = names(&wanted, &accounts);
                assert!(names.len() <= most);
                all.extend(names);
                if next.is_none() {
                    break;
                }
                wanted.after = next;
            }
            assert_eq!(all, ["root", "zeta", "", "C", "a", "b"], "{most}");
        }
        let wanted = UsersWanted {
            find: "c".to_owned(),
            most: 5,
            ..UsersWanted::default()
        };
        assert_eq!(names(&wanted, &accounts), (vec!["C".to_owned()], None));
    }
}
