//! Migration of accounts to schema version 4: from a row per account to one block per cluster.

use super::error::{StoreError, StoreResult};
use serde::Deserialize;
use sqlx::{Row, SqliteConnection};
use tidegate_model::limits::BOOK_BYTES_MAX;
use tidegate_model::{Account, Accounts, AccountsBuilder, Requirement, Unsupported, Verifier};

/// A verifier in the JSON of those rows.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredVerifier {
    /// Stage 2 in hexadecimal.
    Native(String),
    Empty,
    /// Name of the plugin.
    Unsupported(String),
}

pub async fn accounts_to_books(db: &mut SqliteConnection) -> StoreResult<()> {
    let clusters =
        sqlx::query("SELECT DISTINCT cluster FROM accounts JOIN clusters ON id = cluster")
            .fetch_all(&mut *db)
            .await?;
    for cluster in clusters {
        let id: i64 = cluster.try_get("cluster")?;
        let sql = "SELECT user, host, verifiers, locked FROM accounts WHERE cluster = ? ORDER BY \
                   position";
        let rows = sqlx::query(sql).bind(id).fetch_all(&mut *db).await?;
        let mut builder = AccountsBuilder::new(BOOK_BYTES_MAX);
        for row in &rows {
            // A row that can't be read makes the book incomplete, and doesn't keep the server from
            // starting.
            match account(row) {
                Ok(account) => drop(builder.push(&account)),
                Err(_) => builder.set_incomplete(),
            }
        }
        write_parts(db, id, &builder.finish()).await?;
    }
    sqlx::raw_sql("DROP TABLE accounts").execute(db).await?;
    Ok(())
}

/// Bytes of one part of a block in schema version 4.
const PART: usize = 64 << 10;

/// Writes the block of a cluster as schema version 4 has it.
async fn write_parts(db: &mut SqliteConnection, id: i64, accounts: &Accounts) -> StoreResult<()> {
    for (part, bytes) in (0i64..).zip(accounts.as_bytes().chunks(PART)) {
        sqlx::query("INSERT INTO books (cluster, part, accounts) VALUES (?, ?, ?)")
            .bind(id)
            .bind(part)
            .bind(bytes)
            .execute(&mut *db)
            .await?;
    }
    sqlx::query("UPDATE clusters SET accounts_complete = ? WHERE id = ?")
        .bind(i64::from(accounts.is_complete()))
        .bind(id)
        .execute(db)
        .await?;
    Ok(())
}

fn account(row: &sqlx::sqlite::SqliteRow) -> StoreResult<Account> {
    let text: String = row.try_get("verifiers")?;
    // The parser's message may contain a hash, so it is not passed on.
    let stored: Vec<StoredVerifier> =
        serde_json::from_str(&text).map_err(|_| unreadable_verifiers())?;
    let verifiers: Option<Vec<Verifier>> = stored.iter().map(StoredVerifier::read).collect();
    Ok(Account {
        user: row.try_get("user")?,
        host: row.try_get("host")?,
        verifiers: verifiers.ok_or_else(unreadable_verifiers)?,
        locked: row.try_get::<i64, _>("locked")? != 0,
        requires: Requirement::None,
    })
}

impl StoredVerifier {
    fn read(&self) -> Option<Verifier> {
        match self {
            Self::Native(text) => unhex(text).map(Verifier::Native),
            Self::Empty => Some(Verifier::Empty),
            Self::Unsupported(plugin) => Some(Verifier::Unsupported(Unsupported::plugin(plugin))),
        }
    }
}

fn unreadable_verifiers() -> StoreError {
    StoreError::Corrupt {
        cluster: 0,
        what: "verifiers are not readable".to_owned(),
    }
}

fn unhex(text: &str) -> Option<[u8; 20]> {
    let mut out = [0u8; 20];
    if text.len() != 40 || !text.is_ascii() {
        return None;
    }
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::migrate;
    use super::super::{ClusterStore, SqliteStore};
    use super::*;
    use tidegate_model::{ClusterId, RunEpoch};

    #[tokio::test]
    async fn accounts_of_an_older_store_come_along_and_a_broken_one_makes_its_book_incomplete() {
        let tmp = tempfile::tempdir().unwrap();
        let file = tmp.path().join("store.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        migrate::to_version(&pool, migrate::BEFORE_BOOKS)
            .await
            .unwrap();
        let hash = "a7".repeat(20);
        for sql in [
            "INSERT INTO clusters (id, name, prefix, created_unix, connections_max, \
             sleep_after_ms, \
             transaction_idle_max_ms, phase, accounts_run) VALUES (1, 'a', 'abcdefghjkmn', 0, 1, \
             1, 1, 'live', 3)",
            "INSERT INTO clusters (id, name, prefix, created_unix, connections_max, \
             sleep_after_ms, \
             transaction_idle_max_ms, phase) VALUES (2, 'b', 'abcdefghjkmp', 0, 1, 1, 1, 'live')",
            &format!(
                r#"INSERT INTO accounts VALUES (1, 0, 'root', '%', '[{{"native":"{hash}"}},"empty"]', 0)"#
            ),
            r#"INSERT INTO accounts
               VALUES (1, 1, 'odd', '10.%', '[{"unsupported":"ed25519"}]', 1)"#,
            "INSERT INTO accounts VALUES (2, 0, 'root', '%', 'no json', 0)",
            r#"INSERT INTO accounts VALUES (2, 1, 'app', '%', '["empty"]', 0)"#,
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
                .execute(&pool)
                .await
                .unwrap();
        }
        pool.close().await;

        let store = SqliteStore::open(&file).await.unwrap();
        let book = store.book(ClusterId(1)).await.unwrap();
        assert!(book.accounts.is_complete());
        assert_eq!(book.run, RunEpoch(3));
        let accounts: Vec<Account> = book.accounts.iter().collect();
        assert_eq!(
            accounts[0].verifiers,
            [Verifier::Native([0xa7; 20]), Verifier::Empty]
        );
        assert_eq!(
            (accounts[1].host.as_str(), accounts[1].locked),
            ("10.%", true)
        );
        assert_eq!(
            accounts[1].verifiers,
            [Verifier::Unsupported(Unsupported::Ed25519)]
        );
        let other = store.book(ClusterId(2)).await.unwrap();
        assert!(!other.accounts.is_complete());
        assert_eq!(
            other.accounts.iter().map(|a| a.user).collect::<Vec<_>>(),
            ["app"]
        );
    }
}
