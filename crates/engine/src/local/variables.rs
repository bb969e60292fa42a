//! Server variables of a running MariaDB process.
//!
//! They can be set for all sessions only with SUPER, which no account may keep: a tenant can create
//! a procedure that runs as any account. So the gateway's account gets SUPER at the start and loses
//! it before the first session comes. The connection that logged in between keeps the right, since
//! the engine reads global rights at the login only.

use crate::error::RunError;
use crate::local::accounts::init_sql::{ADMIN_USER, literal};
use crate::local::admin::admin_line::AdminLine;
use crate::local::admin::session_settings::SQL_MODE;
use std::collections::BTreeMap;
use tidegate_model::ClusterId;
use tidegate_model::server_variables::{
    EVENT_SCHEDULER, SERVER_VARIABLES, ServerVariable, ServerVariables, find_engine_variable,
};
use tokio::sync::Mutex;

/// Variables of one run.
pub struct RunVariables {
    /// Values at the start: those of the engine's options.
    defaults: BTreeMap<&'static str, String>,
    /// Values that were set since.
    set: Mutex<ServerVariables>,
}

/// All variables that the gateway sets.
fn all_variables() -> impl Iterator<Item = &'static ServerVariable> {
    SERVER_VARIABLES.iter().chain([&EVENT_SCHEDULER])
}

/// Takes the right to set variables from the account; this connection keeps it.
pub async fn lock_rights(line: &AdminLine) -> Result<(), RunError> {
    let sql = format!("REVOKE SUPER ON *.* FROM '{ADMIN_USER}'@'localhost'");
    line.run(&sql).await.map(drop)
}

impl RunVariables {
    /// Reads the values at the start.
    pub async fn read(line: &AdminLine) -> Result<Self, RunError> {
        let names: Vec<_> = all_variables()
            .map(|variable| format!("'{}'", variable.sql_name))
            .collect();
        let rows = line
            .run(&format!(
                "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})",
                names.join(", ")
            ))
            .await?;
        let mut defaults = BTreeMap::new();
        for row in rows {
            let [Some(name), Some(value)] = &row[..] else {
                continue;
            };
            let name = String::from_utf8_lossy(name);
            if let Some(variable) = find_engine_variable(&name) {
                let value = String::from_utf8_lossy(value).into_owned();
                defaults.insert(variable.name, value);
            }
        }
        Ok(Self {
            defaults,
            set: Mutex::default(),
        })
    }

    /// Sets these variables at the start. One that the engine refuses keeps its default.
    pub async fn begin(&self, line: &AdminLine, wanted: &ServerVariables, cluster: ClusterId) {
        let mut set = self.set.lock().await;
        for (name, value) in wanted {
            match set_global(line, name, value).await {
                Ok(()) => drop(set.insert(name.clone(), value.clone())),
                Err(error) => tracing::warn!(
                    %cluster,
                    variable = name,
                    value,
                    %error,
                    "the engine refuses this value of a server variable; its default applies"
                ),
            }
        }
    }

    /// Sets these variables, and the others to their defaults: all of them or, if the engine
    /// refuses one, none.
    pub async fn change(&self, line: &AdminLine, wanted: &ServerVariables) -> Result<(), RunError> {
        let mut set = self.set.lock().await;
        let before = set.clone();
        for variable in all_variables() {
            let name = variable.name;
            // The character set is the collation's too, so each of them sets the other.
            let with_charset = is_charset(name) && charset(&before) != charset(wanted);
            if before.get(name) == wanted.get(name) && !with_charset {
                continue;
            }
            if let Err(error) = self.set_one(line, wanted, name).await {
                // Those before it. An error here is a lost connection, which ends the next
                // statement too.
                for variable in all_variables() {
                    let _ = self.set_one(line, &before, variable.name).await;
                }
                return Err(error);
            }
        }
        *set = wanted.clone();
        Ok(())
    }

    async fn set_one(
        &self,
        line: &AdminLine,
        wanted: &ServerVariables,
        name: &'static str,
    ) -> Result<(), RunError> {
        let default = self.defaults.get(name);
        match wanted.get(name).or(default) {
            // The collation of a character set that was chosen follows from it.
            Some(_) if name == "collation_server" && charset(wanted) == (true, false) => Ok(()),
            Some(value) => set_global(line, name, value).await,
            // An engine without this variable.
            None => Ok(()),
        }
    }
}

fn is_charset(name: &str) -> bool {
    matches!(name, "character_set_server" | "collation_server")
}

/// Whether the character set and the collation are set.
fn charset(variables: &ServerVariables) -> (bool, bool) {
    (
        variables.contains_key("character_set_server"),
        variables.contains_key("collation_server"),
    )
}

async fn set_global(line: &AdminLine, name: &str, value: &str) -> Result<(), RunError> {
    let (variable, value) = in_sql(name, value)?;
    let sql = format!("SET GLOBAL {} = {value}", variable.sql_name);
    line.run(&sql).await.map(drop)
}

/// Returns the variable and its value as SQL. A damaged store may contain any text.
fn in_sql(name: &str, value: &str) -> Result<(&'static ServerVariable, String), RunError> {
    let read = find_engine_variable(name).and_then(|variable| {
        let value = variable.read(value)?;
        let number = variable.is_number() || value == "0";
        let value = if number { value } else { literal(&value)? };
        Some((variable, value))
    });
    read.ok_or_else(|| RunError::Refused("it is not a value of this variable".to_owned()))
}

/// Checks the values of which only the engine knows whether they are right, on a connection that
/// can't set variables for all sessions.
pub async fn check_values(line: &AdminLine, wanted: &ServerVariables) -> Result<(), RunError> {
    for (name, value) in wanted {
        let (variable, value) = in_sql(name, value)?;
        // Not back to DEFAULT, which a tenant may have set.
        let (test, back) = match variable.name {
            "sql_mode" => ("sql_mode", SQL_MODE),
            "time_zone" => ("time_zone", "SYSTEM"),
            "character_set_server" => ("character_set_server", "utf8mb4"),
            "collation_server" => ("collation_server", "utf8mb4_general_ci"),
            _ => continue,
        };
        line.run(&format!("SET SESSION {test} = {value}")).await?;
        line.run(&format!("SET SESSION {test} = '{back}'")).await?;
    }
    Ok(())
}
