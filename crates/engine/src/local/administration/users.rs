//! Users: list, create, password, delete.

use super::mark::Mark;
use super::session::{AdministrationSession, text};
use super::statements::{
    account, admin_grants, any_host, create_locked, grant, grant_mark, quoted,
};
use crate::administration::{
    AdministrationError, AdministrationResult, BoundedList, EngineUser, NewEngineUser,
};
use crate::limits::{
    ADMINISTERED_USERS_MAX, GRANTEES_PER_STATEMENT, HOST_CHARS_MAX, USER_GRANTS_LISTED_MAX,
    USERS_LISTED_MAX,
};
use crate::local::accounts::init_sql::{FIRST_USER, native_hash};
use std::collections::BTreeMap;
use tidegate_model::limits::HOSTS_PER_USER_MAX;
use tidegate_model::login::USER_CHARS_MAX;
use tidegate_model::{Accounts, DatabaseName, UserName, UserRole};
use tidegate_wire::query::literal;

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
            // Root has no mark: it is as old as the cluster.
            let mark = match account.user == FIRST_USER {
                true => Some(Mark::new(UserRole::Admin, true)),
                false => marks.get(&account.user).copied(),
            };
            let user = users.entry(account.user).or_insert_with_key(|name| {
                let listed = mark.is_some_and(|mark| mark.role != UserRole::Admin);
                let databases = listed.then(|| databases.remove(name)).flatten();
                EngineUser {
                    name: name.clone(),
                    hosts: Vec::new(),
                    role: mark.map(|mark| mark.role),
                    every_database: mark.is_some_and(|mark| mark.every_database),
                    databases: databases.unwrap_or_default(),
                    locked: false,
                }
            });
            user.locked |= account.locked;
            if user.hosts.len() < HOSTS_PER_USER_MAX {
                user.hosts.push(account.host);
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
            return Err(AdministrationError::Exists);
        }
        let users = self.marked_users().await?.len();
        if users >= ADMINISTERED_USERS_MAX {
            return Err(AdministrationError::TooMany(users));
        }
        let databases = self.databases_for(new).await?;
        self.execute(&create_locked(user, &new.stage2)).await?;
        let made = self.complete_user(new, &databases).await;
        if let Err(error) = made {
            // It is locked, so nobody logs in with it if this fails too.
            let drop = format!("DROP USER IF EXISTS {}", any_host(user));
            let _ = self.execute(&drop).await;
            return Err(error);
        }
        let names = databases.iter().map(|name| name.as_str().to_owned());
        Ok(names.collect())
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
    ) -> AdministrationResult<()> {
        let user = new.name.as_str();
        let every_database = new.databases.is_none();
        let mark = Mark::new(new.role, every_database || new.role == UserRole::Admin);
        self.execute(&grant_mark(user, mark)).await?;
        if new.role == UserRole::Admin {
            for sql in admin_grants(user) {
                self.execute(&sql).await?;
            }
        }
        for database in databases {
            if let Some(sql) = grant(new.role, database, &[any_host(user)]) {
                self.execute(&sql).await?;
            }
        }
        let unlock = format!("ALTER USER {} ACCOUNT UNLOCK", any_host(user));
        Ok(self.execute(&unlock).await?)
    }

    pub async fn set_user_password(
        &mut self,
        name: &UserName,
        stage2: [u8; 20],
    ) -> AdministrationResult<()> {
        let hash = native_hash(&stage2);
        let accounts: Vec<String> = self
            .accounts_of(name)
            .await?
            .iter()
            .map(|account| format!("{account} IDENTIFIED VIA mysql_native_password USING '{hash}'"))
            .collect();
        for some in accounts.chunks(GRANTEES_PER_STATEMENT) {
            let sql = format!("ALTER USER {}", some.join(", "));
            self.execute(&sql).await?;
        }
        Ok(())
    }

    pub async fn delete_user(&mut self, name: &UserName) -> AdministrationResult<()> {
        let mut accounts = self.accounts_of(name).await?;
        // Again, since one reading is bounded and a tenant may have made any number.
        while !accounts.is_empty() {
            for some in accounts.chunks(GRANTEES_PER_STATEMENT) {
                let sql = format!("DROP USER {}", some.join(", "));
                self.execute(&sql).await?;
            }
            accounts = match self.accounts_of(name).await {
                Err(AdministrationError::Missing) => Vec::new(),
                others => others?,
            };
        }
        Ok(())
    }

    pub async fn end_user_sessions(&mut self, name: &UserName) -> AdministrationResult<()> {
        let sql = format!("KILL HARD CONNECTION USER {}", quoted(name.as_str()));
        Ok(self.execute(&sql).await?)
    }

    /// Accounts of a user; at least one.
    async fn accounts_of(&mut self, name: &UserName) -> AdministrationResult<Vec<String>> {
        let user = name.as_str();
        // A role has an empty host.
        let hosts = self.hosts_of(user, "AND Host <> ''").await?;
        if hosts.is_empty() {
            return Err(AdministrationError::Missing);
        }
        Ok(hosts.iter().map(|host| account(user, host)).collect())
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
