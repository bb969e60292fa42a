//! Operators, links, web sessions and API keys in the store. Only hashes of tokens come in here, never a token.

use super::sqlite::SqliteStore;
use super::{StoreError, StoreResult};
use crate::control::WebSessionLife;
use crate::limits;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tidegate_model::BoxFuture;

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSessionRow {
    pub operator: String,
    pub created_unix: i64,
    pub seen_unix: i64,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub created_unix: i64,
    pub expires_unix: Option<i64>,
    pub used_unix: Option<i64>,
}

/// Every method is durable when it returns.
pub trait AccessStore {
    /// The operator of that name, made if missing.
    fn ensure_operator<'a>(&'a self, name: &'a str, now: i64) -> BoxFuture<'a, StoreResult<()>>;

    /// Drops links that have ended, and the oldest beyond the bound.
    fn add_link<'a>(
        &'a self,
        hash: &'a Hash,
        operator: &'a str,
        now: i64,
        expires: i64,
    ) -> BoxFuture<'a, StoreResult<()>>;

    /// A link that still holds becomes a session; both or neither. `None` if it does not hold.
    fn redeem<'a>(
        &'a self,
        link: &'a Hash,
        session: &'a Hash,
        now: i64,
        life: WebSessionLife,
    ) -> BoxFuture<'a, StoreResult<Option<String>>>;

    fn web_session<'a>(&'a self, hash: &'a Hash) -> BoxFuture<'a, StoreResult<Option<WebSessionRow>>>;
    fn saw_web_session<'a>(&'a self, hash: &'a Hash, now: i64) -> BoxFuture<'a, StoreResult<()>>;
    fn end_web_session<'a>(&'a self, hash: &'a Hash) -> BoxFuture<'a, StoreResult<()>>;

    fn add_key<'a>(&'a self, hash: &'a Hash, key: &'a KeyRow) -> BoxFuture<'a, StoreResult<()>>;
    fn keys(&self) -> BoxFuture<'_, StoreResult<Vec<KeyRow>>>;
    fn key<'a>(&'a self, hash: &'a Hash) -> BoxFuture<'a, StoreResult<Option<KeyRow>>>;
    fn saw_key<'a>(&'a self, id: &'a str, now: i64) -> BoxFuture<'a, StoreResult<()>>;
    /// By id or name; false if there was none.
    fn revoke_key<'a>(&'a self, key: &'a str) -> BoxFuture<'a, StoreResult<bool>>;
}

impl AccessStore for SqliteStore {
    fn ensure_operator<'a>(&'a self, name: &'a str, now: i64) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            let sql = "INSERT INTO operators (name, created_unix) VALUES (?, ?) ON CONFLICT (name) DO NOTHING";
            sqlx::query(sql).bind(name).bind(now).execute(&self.pool).await?;
            Ok(())
        })
    }

    fn add_link<'a>(
        &'a self,
        hash: &'a Hash,
        operator: &'a str,
        now: i64,
        expires: i64,
    ) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("DELETE FROM sign_in_links WHERE expires_unix <= ?").bind(now).execute(&mut *tx).await?;
            let sql = "DELETE FROM sign_in_links WHERE hash NOT IN \
                       (SELECT hash FROM sign_in_links ORDER BY expires_unix DESC, rowid DESC LIMIT ?)";
            sqlx::query(sql).bind(limits::LINKS_MAX - 1).execute(&mut *tx).await?;
            let sql = "INSERT INTO sign_in_links (hash, operator, expires_unix) \
                       SELECT ?, id, ? FROM operators WHERE name = ?";
            let done = sqlx::query(sql).bind(&hash[..]).bind(expires).bind(operator).execute(&mut *tx).await?;
            if done.rows_affected() != 1 {
                return Err(StoreError::Database(sqlx::Error::RowNotFound));
            }
            tx.commit().await?;
            Ok(())
        })
    }

    fn redeem<'a>(
        &'a self,
        link: &'a Hash,
        session: &'a Hash,
        now: i64,
        life: WebSessionLife,
    ) -> BoxFuture<'a, StoreResult<Option<String>>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let sql = "DELETE FROM sign_in_links WHERE hash = ? AND expires_unix > ? RETURNING operator";
            let Some(row) = sqlx::query(sql).bind(&link[..]).bind(now).fetch_optional(&mut *tx).await? else {
                return Ok(None);
            };
            let operator: i64 = row.try_get("operator")?;
            forget_old_sessions(&mut tx, now, life).await?;
            let sql = "INSERT INTO web_sessions (hash, operator, created_unix, seen_unix) VALUES (?, ?, ?, ?)";
            sqlx::query(sql).bind(&session[..]).bind(operator).bind(now).bind(now).execute(&mut *tx).await?;
            let sql = "SELECT name FROM operators WHERE id = ?";
            let name: String = sqlx::query(sql).bind(operator).fetch_one(&mut *tx).await?.try_get("name")?;
            tx.commit().await?;
            Ok(Some(name))
        })
    }

    fn web_session<'a>(&'a self, hash: &'a Hash) -> BoxFuture<'a, StoreResult<Option<WebSessionRow>>> {
        Box::pin(async move {
            let sql = "SELECT o.name, s.created_unix, s.seen_unix FROM web_sessions s \
                       JOIN operators o ON o.id = s.operator WHERE s.hash = ?";
            let Some(row) = sqlx::query(sql).bind(&hash[..]).fetch_optional(&self.pool).await? else {
                return Ok(None);
            };
            Ok(Some(WebSessionRow {
                operator: row.try_get("name")?,
                created_unix: row.try_get("created_unix")?,
                seen_unix: row.try_get("seen_unix")?,
            }))
        })
    }

    fn saw_web_session<'a>(&'a self, hash: &'a Hash, now: i64) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            let sql = "UPDATE web_sessions SET seen_unix = ? WHERE hash = ?";
            sqlx::query(sql).bind(now).bind(&hash[..]).execute(&self.pool).await?;
            Ok(())
        })
    }

    fn end_web_session<'a>(&'a self, hash: &'a Hash) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            sqlx::query("DELETE FROM web_sessions WHERE hash = ?").bind(&hash[..]).execute(&self.pool).await?;
            Ok(())
        })
    }

    fn add_key<'a>(&'a self, hash: &'a Hash, key: &'a KeyRow) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let sql = "SELECT COUNT(*) AS n, COALESCE(SUM(name = ?), 0) AS same FROM api_keys";
            let row = sqlx::query(sql).bind(&key.name).fetch_one(&mut *tx).await?;
            if row.try_get::<i64, _>("same")? > 0 {
                return Err(StoreError::KeyNameTaken);
            }
            if row.try_get::<i64, _>("n")? >= limits::KEYS_MAX {
                return Err(StoreError::TooManyKeys);
            }
            let sql = "INSERT INTO api_keys (id, name, hash, created_unix, expires_unix) VALUES (?, ?, ?, ?, ?)";
            sqlx::query(sql)
                .bind(&key.id)
                .bind(&key.name)
                .bind(&hash[..])
                .bind(key.created_unix)
                .bind(key.expires_unix)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(())
        })
    }

    fn keys(&self) -> BoxFuture<'_, StoreResult<Vec<KeyRow>>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM api_keys ORDER BY name").fetch_all(&self.pool).await?;
            rows.iter().map(key_row).collect()
        })
    }

    fn key<'a>(&'a self, hash: &'a Hash) -> BoxFuture<'a, StoreResult<Option<KeyRow>>> {
        Box::pin(async move {
            let sql = "SELECT * FROM api_keys WHERE hash = ?";
            sqlx::query(sql).bind(&hash[..]).fetch_optional(&self.pool).await?.as_ref().map(key_row).transpose()
        })
    }

    fn saw_key<'a>(&'a self, id: &'a str, now: i64) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            let sql = "UPDATE api_keys SET used_unix = ? WHERE id = ?";
            sqlx::query(sql).bind(now).bind(id).execute(&self.pool).await?;
            Ok(())
        })
    }

    fn revoke_key<'a>(&'a self, key: &'a str) -> BoxFuture<'a, StoreResult<bool>> {
        Box::pin(async move {
            // An id first: a name that looks like another key's id must not take that one's place.
            let sql = "DELETE FROM api_keys WHERE id = \
                       (SELECT id FROM api_keys WHERE id = ?1 OR name = ?1 ORDER BY id <> ?1 LIMIT 1)";
            Ok(sqlx::query(sql).bind(key).execute(&self.pool).await?.rows_affected() > 0)
        })
    }
}

async fn forget_old_sessions(db: &mut SqliteConnection, now: i64, life: WebSessionLife) -> StoreResult<()> {
    let ago = |life: std::time::Duration| now.saturating_sub(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
    sqlx::query("DELETE FROM web_sessions WHERE seen_unix <= ? OR created_unix <= ?")
        .bind(ago(life.idle))
        .bind(ago(life.most))
        .execute(&mut *db)
        .await?;
    let sql = "DELETE FROM web_sessions WHERE hash NOT IN \
               (SELECT hash FROM web_sessions ORDER BY seen_unix DESC, rowid DESC LIMIT ?)";
    sqlx::query(sql).bind(limits::WEB_SESSIONS_MAX - 1).execute(&mut *db).await?;
    Ok(())
}

fn key_row(row: &SqliteRow) -> StoreResult<KeyRow> {
    Ok(KeyRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        created_unix: row.try_get("created_unix")?,
        expires_unix: row.try_get("expires_unix")?,
        used_unix: row.try_get("used_unix")?,
    })
}
