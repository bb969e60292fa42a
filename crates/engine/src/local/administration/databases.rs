//! Databases: list, create, delete.

use super::mark::Mark;
use super::session::{AdministrationSession, text};
use super::statements::{grant, name_parts, quoted, revoke};
use crate::administration::{
    AdministrationError, AdministrationResult, BoundedList, EngineDatabase,
};
use crate::error::RunError;
use crate::limits::{ADMINISTERED_USERS_MAX, DATABASES_LISTED_MAX};
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

/// Error of a change of which nobody can tell now whether it was made.
pub fn unknown_end(source: RunError) -> AdministrationError {
    AdministrationError::Unfinished {
        left: "whether it was made could not be read back".to_owned(),
        source,
    }
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
            return Err(match self.at_disk_limit() {
                true => AdministrationError::DiskLimit,
                false => AdministrationError::ReadOnly,
            });
        }
        // What an interrupted deletion may have left.
        self.revoke_from_roles(name).await?;
        // The grants first: if the work is interrupted, the same command finishes it.
        let made = match self.grant_to_roles(name).await {
            Ok(()) => {
                let create = format!("CREATE DATABASE {}", quoted(name.as_str()));
                self.execute(&create).await
            }
            Err(AdministrationError::Run(error)) => Err(error),
            Err(error) => return Err(error),
        };
        if let Err(error) = made {
            return match self.sees_database(name).await {
                Ok(Some(made)) => Ok(made),
                Ok(None) => Err(self.take_back_grants(name, error).await),
                Err(_) => Err(unknown_end(error)),
            };
        }
        let made = self.database(name).await?;
        made.ok_or(AdministrationError::Missing)
    }

    /// Takes back the grants on a database that was not created.
    async fn take_back_grants(
        &mut self,
        name: &DatabaseName,
        error: RunError,
    ) -> AdministrationError {
        match self.revoke_from_roles(name).await {
            Ok(()) => AdministrationError::Run(error),
            Err(_) => AdministrationError::Unfinished {
                left: "it was not created, but users with a role may have grants on it, which the \
                       next `database create` or `database delete` of this name removes"
                    .to_owned(),
                source: error,
            },
        }
    }

    /// The database, asked on a connection that works.
    async fn sees_database(
        &mut self,
        name: &DatabaseName,
    ) -> AdministrationResult<Option<EngineDatabase>> {
        self.renew().await?;
        self.database(name).await
    }

    pub async fn delete_database(&mut self, name: &DatabaseName) -> AdministrationResult<()> {
        if !self.has_database(name).await? {
            // What an interrupted deletion may have left.
            self.revoke_from_roles(name).await?;
            return Err(AdministrationError::Missing);
        }
        let tables = self.table_count(name).await?;
        if let Err(error) = self.drop_database(&quoted(name.as_str())).await {
            match self.sees_database(name).await {
                Ok(None) => {}
                Ok(Some(_)) => return Err(self.partly_deleted(name, tables, error).await),
                Err(_) => return Err(unknown_end(error)),
            }
        }
        let revoked = self.revoke_from_roles(name).await;
        revoked.map_err(|error| match error {
            AdministrationError::Run(source) => AdministrationError::Unfinished {
                left: "it is deleted, but users with a role may have grants on it, which the next \
                       `database create` or `database delete` of this name removes"
                    .to_owned(),
                source,
            },
            other => other,
        })
    }

    /// Error of a deletion after which the database is still there.
    async fn partly_deleted(
        &mut self,
        name: &DatabaseName,
        before: u64,
        error: RunError,
    ) -> AdministrationError {
        let now = match self.table_count(name).await {
            Ok(now) => now,
            Err(_) => return unknown_end(error),
        };
        if now >= before {
            return AdministrationError::Run(error);
        }
        AdministrationError::Unfinished {
            left: format!(
                "it still exists, but {} of its {before} tables are deleted",
                before - now
            ),
            source: error,
        }
    }

    async fn table_count(&mut self, name: &DatabaseName) -> AdministrationResult<u64> {
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {}",
            literal(name.as_str())
        );
        let rows = self.rows(&sql).await?;
        let count = rows.first().and_then(|row| text(row, 0));
        Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    /// Grants a new database to the users that have every database.
    async fn grant_to_roles(&mut self, name: &DatabaseName) -> AdministrationResult<()> {
        let mut users = BTreeMap::<UserRole, Vec<String>>::new();
        for (user, mark) in self.marked_users().await? {
            if mark.every_database {
                users.entry(mark.role).or_default().push(user);
            }
        }
        for (role, users) in users {
            for some in name_parts(&users) {
                if let Some(change) = grant(role, name, some) {
                    self.change(&change).await?;
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
            .filter_map(|row| text(row, 0).map(str::to_owned))
            .collect();
        for some in name_parts(&users) {
            self.change(&revoke(name, some)).await?;
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
