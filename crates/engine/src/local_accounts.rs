//! The reading of a running engine's accounts. Rows are judged in `accounts`.

use crate::accounts::account;
use crate::driver::RunError;
use crate::limits::{ACCOUNTS_MAX, READING_MAX_SECONDS};
use crate::local_run::LocalRun;
use tidegate_model::Account;

impl LocalRun {
    pub async fn read_accounts(&self) -> Result<Vec<Account>, RunError> {
        // The engine bounds it itself, so that a tenant who locks the table costs a reading and not the connection.
        let sql = format!(
            "SET STATEMENT max_statement_time={READING_MAX_SECONDS}, lock_wait_timeout={READING_MAX_SECONDS} FOR \
             SELECT Host, User, Priv FROM mysql.global_priv LIMIT {}",
            ACCOUNTS_MAX + 1
        );
        let rows = self.query(&sql).await?;
        if rows.len() > ACCOUNTS_MAX {
            return Err(RunError::Refused(format!("it has more than {ACCOUNTS_MAX} accounts")));
        }
        let text = |cell: Option<&Option<Vec<u8>>>| String::from_utf8(cell?.clone()?).ok();
        let read = |row: &Vec<_>| account(&text(row.first())?, &text(row.get(1))?, &text(row.get(2))?);
        Ok(rows.iter().filter_map(read).collect())
    }
}
