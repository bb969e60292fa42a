//! Readings of a running engine's accounts, page by page and within bounds. `accounts` turns rows
//! into accounts.
//!
//! A tenant can write anything into its account table, or put a view in its place, so each row is
//! cut by the statement itself, a page by its number of rows, and a reading by its bytes, its pages
//! and its time. A reading that reaches a bound is marked as incomplete.

use crate::error::RunError;
use crate::limits::{
    HOST_CHARS_MAX, PAGE_ROWS, PRIV_BYTES_MAX, READING_BYTES_MAX, READING_MAX_SECONDS,
    READING_PAGES_MAX, USERS_BYTES_MAX,
};
use crate::local::accounts::account_of_row;
use crate::local::accounts::init_sql::FIRST_USER;
use crate::local::run::LocalRun;
use std::time::{Duration, Instant};
use tidegate_model::limits::BOOK_BYTES_MAX;
use tidegate_model::login::USER_CHARS_MAX;
use tidegate_model::{Accounts, AccountsBuilder};
use tidegate_wire::query::{Row, literal};

/// A row of a page.
struct AccountRow<'a> {
    host: &'a str,
    user: &'a str,
    privileges: Option<&'a [u8]>,
}

impl<'a> AccountRow<'a> {
    /// `None` if the names are longer than an engine's own table could have them, or no text:
    /// nobody logs in by such a row.
    fn of(row: &'a Row) -> Option<Self> {
        let host = text_cell(row, 0)?;
        let user = text_cell(row, 1)?;
        let short =
            host.chars().count() <= HOST_CHARS_MAX && user.chars().count() <= USER_CHARS_MAX;
        short.then(|| Self {
            host,
            user,
            privileges: row.get(2).and_then(Option::as_deref),
        })
    }
}

fn text_cell(row: &Row, at: usize) -> Option<&str> {
    std::str::from_utf8(row.get(at)?.as_deref()?).ok()
}

impl LocalRun {
    /// All accounts, as many as a book has room for; the first administrator before all others.
    pub async fn read_accounts(&self) -> Result<Accounts, RunError> {
        let until = Instant::now() + Duration::from_secs(READING_MAX_SECONDS.into());
        // Root is read first, so that it is in the book however many accounts a tenant creates.
        let mut builder = AccountsBuilder::new(BOOK_BYTES_MAX);
        add(
            &mut builder,
            &self.page_of_users(&[FIRST_USER.to_owned()]).await?,
            |_| true,
        );
        let mut after = None;
        let mut bytes_left = READING_BYTES_MAX;
        for _ in 0..READING_PAGES_MAX {
            let page = match self.page(after.as_ref()).await {
                Ok(page) => page,
                // The engine's own bound of time: what was read before is good.
                Err(RunError::Refused(_) | RunError::Busy(_)) if after.is_some() => break,
                Err(e) => return Err(e),
            };
            let all_fit = add(&mut builder, &page, |user| user != FIRST_USER);
            if page.len() < PAGE_ROWS {
                return Ok(builder.finish());
            }
            bytes_left = bytes_left.saturating_sub(page.iter().map(bytes).sum());
            // By key and not by offset: the engine uses its index, and rows deleted meanwhile shift
            // nothing.
            after = page.last().and_then(key);
            // Without a key the last name is longer than the engine's own table allows, as in a
            // view.
            if !all_fit || bytes_left == 0 || after.is_none() || Instant::now() >= until {
                break;
            }
        }
        builder.set_incomplete();
        Ok(builder.finish())
    }

    /// The accounts of these users. Incomplete if there are more of them than one page takes.
    pub async fn read_users(&self, users: &[String]) -> Result<Accounts, RunError> {
        let mut builder = AccountsBuilder::new(USERS_BYTES_MAX);
        if users.is_empty() {
            return Ok(builder.finish());
        }
        let page = self.page_of_users(users).await?;
        add(&mut builder, &page, |user| {
            users.iter().any(|name| name == user)
        });
        if page.len() >= PAGE_ROWS {
            builder.set_incomplete();
        }
        Ok(builder.finish())
    }

    /// The rows after this host and user, in the order of the table's key.
    async fn page(&self, after: Option<&(String, String)>) -> Result<Vec<Row>, RunError> {
        // The order of the table's key: host, then user.
        let which = after.map(|(host, user)| {
            let host = name(host);
            let user = name(user);
            format!("WHERE Host > {host} OR (Host = {host} AND User > {user})")
        });
        self.query(&select(&format!(
            "{} ORDER BY Host, User",
            which.unwrap_or_default()
        )))
        .await
    }

    async fn page_of_users(&self, users: &[String]) -> Result<Vec<Row>, RunError> {
        let names: Vec<String> = users.iter().map(|user| name(user)).collect();
        // Accounts without a name last: any number of them must not displace the user's.
        self.query(&select(&format!(
            "WHERE User IN ({}) ORDER BY User = ''",
            names.join(",")
        )))
        .await
    }
}

/// A statement that returns at most one page, of rows that are cut to their bounds. The engine ends
/// it by itself in time, so that a tenant who locks the table costs a reading and not the
/// connection.
fn select(rest: &str) -> String {
    // One more than the bounds: a name that was cut must not be taken for another.
    let host = HOST_CHARS_MAX + 1;
    let user = USER_CHARS_MAX + 1;
    format!(
        "SET STATEMENT max_statement_time={READING_MAX_SECONDS}, \
         lock_wait_timeout={READING_MAX_SECONDS} FOR \
         SELECT LEFT(Host, {host}), LEFT(User, {user}), IF(OCTET_LENGTH(Priv) <= \
          {PRIV_BYTES_MAX}, Priv, NULL) \
         FROM mysql.global_priv {rest} LIMIT {PAGE_ROWS}"
    )
}

/// A literal in the character set of the table's key, so that the engine finds the place by its
/// index.
fn name(text: &str) -> String {
    format!("CONVERT({} USING utf8mb3)", literal(text))
}

/// The host and user of a row, for the page after it.
fn key(row: &Row) -> Option<(String, String)> {
    let cells = AccountRow::of(row)?;
    Some((cells.host.to_owned(), cells.user.to_owned()))
}

fn bytes(row: &Row) -> usize {
    row.iter().flatten().map(Vec::len).sum()
}

/// Adds the accounts of a page; false if one of them found no room.
fn add(builder: &mut AccountsBuilder, page: &[Row], wanted: impl Fn(&str) -> bool) -> bool {
    let mut all_fit = true;
    for cells in page
        .iter()
        .filter_map(AccountRow::of)
        .filter(|cells| wanted(cells.user))
    {
        if let Some(account) = account_of_row(cells.host, cells.user, cells.privileges) {
            all_fit &= builder.push(&account);
        }
    }
    all_fit
}
