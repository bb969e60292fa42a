//! Databases: list, create, delete.

use super::mark::Mark;
use super::session::{AdministrationSession, text};
use super::statements::{any_host, grant, quoted, revoke};
use crate::administration::{
    AdministrationError, AdministrationResult, BoundedList, EngineDatabase,
};
use crate::limits::{ADMINISTERED_USERS_MAX, DATABASES_LISTED_MAX, GRANTEES_PER_STATEMENT};
use std::collections::BTreeMap;
use tidegate_model::login::USER_CHARS_MAX;
use tidegate_model::sql_names::SYSTEM_DATABASES;
use tidegate_model::{DatabaseName, UserRole};
use tidegate_wire::query::{Row, literal};

fn database_of_row(row: &Row) -> Option<EngineDatabase> {
    Some(EngineDatabase {
        name: text(row, 0)?.to_owned(),
        character_set: text(row, 1)?.to_owned(),
        collation: text(row, 2)?.to_owned(),
    })
}

impl AdministrationSession<'_> {
    pub async fn list_databases(&mut self) -> AdministrationResult<BoundedList<EngineDatabase>> {
        let system: Vec<String> = SYSTEM_DATABASES
            .iter()
            .map(|name| format!("'{name}'"))
            .collect();
        let rows = self
            .rows(&format!(
                "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM \
                 information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({}) ORDER BY SCHEMA_NAME \
                 LIMIT {}",
                system.join(","),
                DATABASES_LISTED_MAX + 1
            ))
            .await?;
        let complete = rows.len() <= DATABASES_LISTED_MAX;
        let rows = rows.iter().take(DATABASES_LISTED_MAX);
        Ok(BoundedList {
            rows: rows.filter_map(database_of_row).collect(),
            complete,
        })
    }

    pub async fn has_database(&mut self, name: &DatabaseName) -> AdministrationResult<bool> {
        Ok(self.database(name).await?.is_some())
    }

    async fn database(
        &mut self,
        name: &DatabaseName,
    ) -> AdministrationResult<Option<EngineDatabase>> {
        // Compared as bytes: the schema's own collation takes `App` for `app`.
        let rows = self
            .rows(&format!(
                "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM \
                 information_schema.SCHEMATA WHERE SCHEMA_NAME COLLATE utf8mb3_bin = CONVERT({} \
                 USING utf8mb3)",
                literal(name.as_str())
            ))
            .await?;
        Ok(rows.first().and_then(database_of_row))
    }

    pub async fn create_database(
        &mut self,
        name: &DatabaseName,
    ) -> AdministrationResult<EngineDatabase> {
        if self.has_database(name).await? {
            return Err(AdministrationError::Exists);
        }
        let read_only = self.rows("SELECT @@GLOBAL.read_only").await?;
        // The gateway's account could write all the same.
        if read_only.first().and_then(|row| text(row, 0)) != Some("0") {
            return Err(AdministrationError::ReadOnly);
        }
        // What an interrupted deletion may have left.
        self.revoke_from_roles(name).await?;
        // The grants first: if the work is interrupted, the same command finishes it.
        let made = match self.grant_to_roles(name).await {
            Ok(()) => {
                let create = format!("CREATE DATABASE {}", quoted(name.as_str()));
                self.execute(&create).await.map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            let _ = self.revoke_from_roles(name).await;
            return Err(error);
        }
        let made = self.database(name).await?;
        made.ok_or(AdministrationError::Missing)
    }

    pub async fn delete_database(&mut self, name: &DatabaseName) -> AdministrationResult<()> {
        if !self.has_database(name).await? {
            // What an interrupted deletion may have left.
            self.revoke_from_roles(name).await?;
            return Err(AdministrationError::Missing);
        }
        self.drop_database(&quoted(name.as_str())).await?;
        self.revoke_from_roles(name).await
    }

    /// Grants a new database to the users that have every database.
    async fn grant_to_roles(&mut self, name: &DatabaseName) -> AdministrationResult<()> {
        let mut users = BTreeMap::<UserRole, Vec<String>>::new();
        for (user, mark) in self.marked_users().await? {
            if mark.every_database {
                users.entry(mark.role).or_default().push(any_host(&user));
            }
        }
        for (role, accounts) in users {
            for some in accounts.chunks(GRANTEES_PER_STATEMENT) {
                if let Some(sql) = grant(role, name, some) {
                    self.execute(&sql).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes the grants on a database from all users that have a role.
    async fn revoke_from_roles(&mut self, name: &DatabaseName) -> AdministrationResult<()> {
        let rows = self
            .rows(&format!(
                "SELECT LEFT(d.User, {chars}) FROM mysql.db d WHERE d.Host = '%' AND d.Db = \
                 CONVERT({pattern} USING utf8mb3) AND EXISTS (SELECT 1 FROM mysql.db m WHERE \
                 m.Host = '%' AND m.User = d.User AND m.Db IN ({marks})) LIMIT {most}",
                chars = USER_CHARS_MAX + 1,
                pattern = literal(&name.pattern()),
                marks = Mark::sql_list(),
                most = ADMINISTERED_USERS_MAX,
            ))
            .await?;
        let users: Vec<String> = rows
            .iter()
            .filter_map(|row| text(row, 0))
            .map(any_host)
            .collect();
        for some in users.chunks(GRANTEES_PER_STATEMENT) {
            self.execute(&revoke(name, some)).await?;
        }
        Ok(())
    }

    /// Users with a role, as many as there may be. Only those whose account exists.
    pub async fn marked_users(&mut self) -> AdministrationResult<BTreeMap<String, Mark>> {
        let rows = self
            .rows(&format!(
                "SELECT LEFT(d.User, {chars}), d.Db FROM mysql.db d WHERE d.Host = '%' AND d.Db IN \
                 ({marks}) AND EXISTS (SELECT 1 FROM mysql.global_priv g WHERE g.Host = '%' AND \
                 g.User = d.User) ORDER BY d.User, d.Db LIMIT {most}",
                chars = USER_CHARS_MAX + 1,
                marks = Mark::sql_list(),
                most = ADMINISTERED_USERS_MAX,
            ))
            .await?;
        let mut users = BTreeMap::new();
        for row in &rows {
            if let (Some(user), Some(mark)) = (text(row, 0), text(row, 1).and_then(Mark::parse)) {
                // A tenant may have added a second mark; one of them is as good as the other.
                users.entry(user.to_owned()).or_insert(mark);
            }
        }
        Ok(users)
    }
}
