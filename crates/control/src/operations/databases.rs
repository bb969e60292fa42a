//! Lists, creates and deletes databases of a cluster, which is woken for it.

use super::administered::{SHOWN_CHARS_MAX, Tries, no_such};
use crate::control::Control;
use crate::engine_error::Work;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::views::{DatabaseView, ListView};
use tidegate_engine::{AdministrationError, EngineDatabase};
use tidegate_model::{DatabaseName, SqlNameError};

impl Control {
    /// Lists the databases of a cluster by name, without the engine's own.
    pub async fn databases(&self, cluster: &str) -> ControlResult<ListView<DatabaseView>> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        self.to_its_end(async move {
            let mut tries = Tries::default();
            loop {
                let on = this.administered(&cluster).await?;
                match on.admin()?.databases().await {
                    Ok(list) => {
                        return Ok(ListView {
                            rows: list.rows.into_iter().map(database_view).collect(),
                            complete: list.complete,
                        });
                    }
                    Err(error) => tries.try_again(&on, error, Work::List("databases")).await?,
                }
            }
        })
        .await
    }

    /// Creates a database. Users that have every database get it too.
    pub async fn create_database(&self, cluster: &str, name: &str) -> ControlResult<DatabaseView> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        let name = DatabaseName::parse(name).map_err(|e| bad_database(name, e))?;
        self.to_its_end(async move {
            let mut tries = this.tries();
            loop {
                let on = this.administered(&cluster).await?;
                let admin = on.admin()?;
                match admin.create_database(&name).await {
                    Ok(made) => return Ok(database_view(made)),
                    // An earlier try has made it.
                    Err(AdministrationError::Exists) if tries.has_earlier() => {
                        let list = admin.databases().await;
                        let list = list.map_err(|e| on.error(e, Work::Change(&named(&name))))?;
                        let mut rows = list.rows.into_iter();
                        let made = rows.find(|database| database.name == name.as_str());
                        let missing = AdministrationError::Missing;
                        return made
                            .map(database_view)
                            .ok_or_else(|| on.error(missing, Work::Change(&named(&name))));
                    }
                    Err(error) => {
                        tries
                            .try_again(&on, error, Work::Change(&named(&name)))
                            .await?
                    }
                }
            }
        })
        .await
    }

    /// Drops a database with its data, and the grants that users of a role have on it.
    pub async fn delete_database(&self, cluster: &str, name: &str) -> ControlResult<()> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        let name = existing_database(name, &cluster)?;
        self.to_its_end(async move {
            let mut tries = this.tries();
            loop {
                let on = this.administered(&cluster).await?;
                match on.admin()?.delete_database(&name).await {
                    Ok(()) => return Ok(()),
                    Err(AdministrationError::Missing) if tries.has_earlier() => return Ok(()),
                    Err(error) => {
                        tries
                            .try_again(&on, error, Work::Change(&named(&name)))
                            .await?
                    }
                }
            }
        })
        .await
    }
}

/// Name of a database that may exist. One that no database can have is as unknown as any other.
pub(super) fn existing_database(name: &str, cluster: &str) -> ControlResult<DatabaseName> {
    DatabaseName::existing(name).map_err(|error| match error {
        SqlNameError::Reserved => bad_database(name, error),
        _ => no_such("database", name, cluster),
    })
}

fn named(name: &DatabaseName) -> String {
    format!("database {:?}", name.as_str())
}

/// Error of a name that no database of a tenant can have.
pub(super) fn bad_database(name: &str, error: SqlNameError) -> ControlError {
    let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
    ControlError::new(
        ErrorCode::BadName,
        format!("{shown:?} can't be the name of a database: {error}"),
        DatabaseName::HINT,
    )
}

fn database_view(database: EngineDatabase) -> DatabaseView {
    DatabaseView {
        name: database.name,
        character_set: database.character_set,
        collation: database.collation,
    }
}
