//! The connection of one operation: its own, so that a long one does not hold up the readings of
//! accounts that logins wait for. Its statements have bounds of length and time.

use crate::error::RunError;
use crate::limits::{
    ADMIN_STATEMENT_BYTES_MAX, ADMIN_STATEMENT_MAX, ADMINISTRATION_MAX, DROP_DATABASE_SECONDS,
    LATER_LOCK_WAIT_SECONDS,
};
use crate::local::admin::{Admin, StatementError};
use crate::local::administration::statements::Change;
use crate::local::error::AdminError;
use crate::local::run::LocalRun;
use std::time::{Duration, Instant};
use tidegate_wire::query::Row;

/// A connection of the gateway's account.
pub struct AdministrationSession<'a> {
    run: &'a LocalRun,
    /// `None` after a statement without an answer.
    admin: Option<Admin>,
    /// No statement begins after this.
    until: Instant,
}

impl<'a> AdministrationSession<'a> {
    pub async fn open(run: &'a LocalRun) -> Result<Self, RunError> {
        Ok(Self {
            run,
            admin: Some(run.open_admin().await?),
            until: Instant::now() + ADMINISTRATION_MAX,
        })
    }

    /// Makes a change. After an error that does not tell, it is made if its condition is true.
    pub async fn change(&mut self, change: &Change) -> Result<(), RunError> {
        let error = match self.execute(&change.sql).await {
            Err(error @ (RunError::Busy(_) | RunError::Lost(_))) => error,
            told => return told,
        };
        if !self.is_true(&change.is_made).await {
            return Err(error);
        }
        self.renew().await?;
        let _ = self
            .execute(&format!(
                "SET SESSION lock_wait_timeout={LATER_LOCK_WAIT_SECONDS}"
            ))
            .await;
        Ok(())
    }

    /// Whether a condition is known to be true. Asked on the run's own connection, since this one
    /// may be lost.
    pub async fn is_true(&self, condition: &str) -> bool {
        let rows = self.run.query(&format!("SELECT {condition}")).await;
        rows.is_ok_and(|rows| rows.first().and_then(|row| text(row, 0)) == Some("1"))
    }

    /// Opens another connection if this one is lost.
    pub async fn renew(&mut self) -> Result<(), RunError> {
        if self.admin.is_none() {
            self.admin = Some(self.run.open_admin().await?);
        }
        Ok(())
    }

    /// Whether the engine is read-only because of the cluster's disk limit.
    pub fn at_disk_limit(&self) -> bool {
        self.run.at_disk_limit().is_on()
    }

    /// Runs one statement and returns its rows.
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, RunError> {
        self.rows_within(sql, ADMIN_STATEMENT_MAX).await
    }

    pub async fn execute(&mut self, sql: &str) -> Result<(), RunError> {
        self.rows(sql).await.map(drop)
    }

    /// Drops a database, which takes as long as it has tables.
    pub async fn drop_database(&mut self, quoted: &str) -> Result<(), RunError> {
        let most = Duration::from_secs(DROP_DATABASE_SECONDS.into());
        self.execute(&format!(
            "SET SESSION max_statement_time={DROP_DATABASE_SECONDS}"
        ))
        .await?;
        let sql = format!("DROP DATABASE {quoted}");
        self.rows_within(&sql, most + ADMIN_STATEMENT_MAX)
            .await
            .map(drop)
    }

    async fn rows_within(&mut self, sql: &str, most: Duration) -> Result<Vec<Row>, RunError> {
        if sql.len() > ADMIN_STATEMENT_BYTES_MAX {
            return Err(RunError::Refused("a statement is too long".to_owned()));
        }
        if Instant::now() >= self.until {
            return Err(RunError::Busy(
                "the engine answers too slowly to finish".to_owned(),
            ));
        }
        let Some(mut admin) = self.admin.take() else {
            return Err(RunError::lost(AdminError::Closed));
        };
        match admin.run_within(sql, most).await {
            Err(StatementError::Late) => {
                // The engine notices a closed connection only when the statement ends.
                let kill = format!("KILL CONNECTION {}", admin.session);
                let _ = self.run.query(&kill).await;
                Err(RunError::Busy("a statement took too long".to_owned()))
            }
            Err(StatementError::Closed(error)) => Err(RunError::lost(error)),
            Err(StatementError::Refused(reason)) => {
                self.admin = Some(admin);
                Err(RunError::Refused(reason))
            }
            Err(StatementError::Busy(reason)) => {
                self.admin = Some(admin);
                Err(RunError::Busy(reason))
            }
            Ok(rows) => {
                self.admin = Some(admin);
                Ok(rows)
            }
        }
    }
}

/// A cell of a row as text. `None` if it is NULL or not UTF-8.
pub fn text(row: &Row, at: usize) -> Option<&str> {
    std::str::from_utf8(row.get(at)?.as_deref()?).ok()
}
