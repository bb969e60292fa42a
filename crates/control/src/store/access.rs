//! Operators, links, web sessions and API keys in the store. Only hashes of tokens come in here,
//! never a token.
//!
//! Look-ups are answered from memory ([`crate::credentials`]), so that made-up tokens never reach
//! the disk.

use super::sqlite::SqliteStore;
use super::writer::{Change, Class};
use super::{StoreError, StoreResult};
use crate::control::WebSessionLife;
use crate::limits;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;
use tidegate_model::BoxFuture;

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// Sign-in link that was not used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    pub hash: Hash,
    pub expires_unix: i64,
}

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSessionRow {
    pub hash: Hash,
    pub operator: String,
    pub created_unix: i64,
    pub seen_unix: i64,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub hash: Hash,
    /// As [`crate::Scopes`] writes them.
    pub scopes: String,
    pub created_unix: i64,
    pub expires_unix: Option<i64>,
    pub used_unix: Option<i64>,
}

/// Everything that opens something.
#[derive(Debug, Default)]
pub struct AccessRows {
    pub links: Vec<LinkRow>,
    pub sessions: Vec<WebSessionRow>,
    pub keys: Vec<KeyRow>,
}

/// Every change is durable when it returns.
pub trait AccessStore {
    /// The operator of that name, made if missing.
    fn ensure_operator(&self, name: &str, now: i64) -> BoxFuture<'_, StoreResult<()>>;

    fn load_access(&self) -> BoxFuture<'_, StoreResult<AccessRows>>;

    /// Drops links that have expired, and the oldest beyond the bound.
    fn add_link(&self, link: LinkRow, operator: &str, now: i64) -> BoxFuture<'_, StoreResult<()>>;

    /// A valid link becomes a session; both or neither. `None` if the link is not valid.
    fn redeem(
        &self,
        link: Hash,
        session: Hash,
        now: i64,
        life: WebSessionLife,
    ) -> BoxFuture<'_, StoreResult<Option<String>>>;

    fn saw_web_session(&self, hash: Hash, now: i64) -> BoxFuture<'_, StoreResult<()>>;
    fn end_web_session(&self, hash: Hash) -> BoxFuture<'_, StoreResult<()>>;

    fn add_key(&self, key: KeyRow) -> BoxFuture<'_, StoreResult<()>>;
    fn saw_key(&self, id: String, now: i64) -> BoxFuture<'_, StoreResult<()>>;
    fn remove_key(&self, id: String) -> BoxFuture<'_, StoreResult<()>>;

    /// API keys that got the scope `all` when the store was opened, since keys had no scopes
    /// before.
    fn keys_widened(&self) -> u64;
}

impl AccessStore for SqliteStore {
    fn ensure_operator(&self, name: &str, now: i64) -> BoxFuture<'_, StoreResult<()>> {
        let name = name.to_owned();
        Box::pin(async move {
            let there = sqlx::query("SELECT 1 FROM operators WHERE name = ?")
                .bind(&name)
                .fetch_optional(&self.reads);
            match there.await? {
                // A start on a full disk writes nothing.
                Some(_) => Ok(()),
                None => self.writer.write(EnsureOperator { name, now }).await,
            }
        })
    }

    fn load_access(&self) -> BoxFuture<'_, StoreResult<AccessRows>> {
        Box::pin(async move {
            let mut tx = self.reads.begin().await?;
            let links = sqlx::query("SELECT * FROM sign_in_links")
                .fetch_all(&mut *tx)
                .await?;
            let sql =
                "SELECT s.*, o.name FROM web_sessions s JOIN operators o ON o.id = s.operator";
            let sessions = sqlx::query(sql).fetch_all(&mut *tx).await?;
            let keys = sqlx::query("SELECT * FROM api_keys")
                .fetch_all(&mut *tx)
                .await?;
            Ok(AccessRows {
                links: links.iter().map(link_row).collect::<Result<_, _>>()?,
                sessions: sessions.iter().map(session_row).collect::<Result<_, _>>()?,
                keys: keys.iter().map(key_row).collect::<Result<_, _>>()?,
            })
        })
    }

    fn add_link(&self, link: LinkRow, operator: &str, now: i64) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(AddLink {
            link,
            operator: operator.to_owned(),
            now,
        }))
    }

    fn redeem(
        &self,
        link: Hash,
        session: Hash,
        now: i64,
        life: WebSessionLife,
    ) -> BoxFuture<'_, StoreResult<Option<String>>> {
        Box::pin(self.writer.write(RedeemLink {
            link,
            session,
            now,
            life,
        }))
    }

    fn saw_web_session(&self, hash: Hash, now: i64) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SawWebSession { hash, now }))
    }

    fn end_web_session(&self, hash: Hash) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(EndWebSession(hash)))
    }

    fn add_key(&self, key: KeyRow) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(AddKey(key)))
    }

    fn saw_key(&self, id: String, now: i64) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(SawKey { id, now }))
    }

    fn remove_key(&self, id: String) -> BoxFuture<'_, StoreResult<()>> {
        Box::pin(self.writer.write(RemoveKey(id)))
    }

    fn keys_widened(&self) -> u64 {
        self.keys_widened
    }
}

struct EnsureOperator {
    name: String,
    now: i64,
}

impl Change for EnsureOperator {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        let sql = "INSERT INTO operators (name, created_unix) VALUES (?, ?) ON CONFLICT (name) DO \
                   NOTHING";
        sqlx::query(sql)
            .bind(&self.name)
            .bind(self.now)
            .execute(db)
            .await?;
        Ok(())
    }
}

struct AddLink {
    link: LinkRow,
    operator: String,
    now: i64,
}

impl Change for AddLink {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("DELETE FROM sign_in_links WHERE expires_unix <= ?")
            .bind(self.now)
            .execute(&mut *db)
            .await?;
        let sql = "DELETE FROM sign_in_links WHERE hash NOT IN \
                   (SELECT hash FROM sign_in_links ORDER BY expires_unix DESC, rowid DESC LIMIT ?)";
        sqlx::query(sql)
            .bind(limits::LINKS_MAX - 1)
            .execute(&mut *db)
            .await?;
        let sql = "INSERT INTO sign_in_links (hash, operator, expires_unix) SELECT ?, id, ? FROM \
                   operators WHERE name = ?";
        let insert = sqlx::query(sql)
            .bind(&self.link.hash[..])
            .bind(self.link.expires_unix)
            .bind(&self.operator);
        match insert.execute(db).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NoOperator),
        }
    }
}

struct RedeemLink {
    link: Hash,
    session: Hash,
    now: i64,
    life: WebSessionLife,
}

impl Change for RedeemLink {
    type Out = Option<String>;

    /// An operator who signs in may be the one who makes room.
    fn class(&self) -> Class {
        Class::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<Option<String>> {
        let sql =
            "DELETE FROM sign_in_links WHERE hash = ? AND expires_unix > ? RETURNING operator";
        let redeemed = sqlx::query(sql)
            .bind(&self.link[..])
            .bind(self.now)
            .fetch_optional(&mut *db)
            .await?;
        let Some(row) = redeemed else { return Ok(None) };
        let operator: i64 = row.try_get("operator")?;
        forget_old_sessions(db, self.now, self.life).await?;
        let sql = "INSERT INTO web_sessions (hash, operator, created_unix, seen_unix) VALUES (?, \
                   ?, ?, ?)";
        let insert = sqlx::query(sql)
            .bind(&self.session[..])
            .bind(operator)
            .bind(self.now)
            .bind(self.now);
        insert.execute(&mut *db).await?;
        let name = sqlx::query("SELECT name FROM operators WHERE id = ?")
            .bind(operator)
            .fetch_one(db)
            .await?;
        Ok(Some(name.try_get("name")?))
    }
}

async fn forget_old_sessions(
    db: &mut SqliteConnection,
    now: i64,
    life: WebSessionLife,
) -> StoreResult<()> {
    let ago =
        |life: Duration| now.saturating_sub(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
    sqlx::query("DELETE FROM web_sessions WHERE seen_unix <= ? OR created_unix <= ?")
        .bind(ago(life.idle))
        .bind(ago(life.most))
        .execute(&mut *db)
        .await?;
    let sql = "DELETE FROM web_sessions WHERE hash NOT IN \
               (SELECT hash FROM web_sessions ORDER BY seen_unix DESC, rowid DESC LIMIT ?)";
    sqlx::query(sql)
        .bind(limits::WEB_SESSIONS_MAX - 1)
        .execute(db)
        .await?;
    Ok(())
}

struct SawWebSession {
    hash: Hash,
    now: i64,
}

impl Change for SawWebSession {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        let sql = "UPDATE web_sessions SET seen_unix = ? WHERE hash = ?";
        sqlx::query(sql)
            .bind(self.now)
            .bind(&self.hash[..])
            .execute(db)
            .await?;
        Ok(())
    }
}

struct EndWebSession(Hash);

impl Change for EndWebSession {
    type Out = ();

    /// A cookie that was given back must open nothing, whatever the disk.
    fn class(&self) -> Class {
        Class::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("DELETE FROM web_sessions WHERE hash = ?")
            .bind(&self.0[..])
            .execute(db)
            .await?;
        Ok(())
    }
}

struct AddKey(KeyRow);

impl Change for AddKey {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        let key = &self.0;
        let sql = "SELECT COUNT(*) AS n, COALESCE(SUM(name = ?), 0) AS same FROM api_keys";
        let row = sqlx::query(sql).bind(&key.name).fetch_one(&mut *db).await?;
        if row.try_get::<i64, _>("same")? > 0 {
            return Err(StoreError::KeyNameTaken);
        }
        if row.try_get::<i64, _>("n")? >= limits::KEYS_MAX {
            return Err(StoreError::TooManyKeys);
        }
        let sql = "INSERT INTO api_keys (id, name, hash, scopes, created_unix, expires_unix) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(&key.id)
            .bind(&key.name)
            .bind(&key.hash[..])
            .bind(&key.scopes)
            .bind(key.created_unix)
            .bind(key.expires_unix)
            .execute(db)
            .await?;
        Ok(())
    }
}

struct SawKey {
    id: String,
    now: i64,
}

impl Change for SawKey {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("UPDATE api_keys SET used_unix = ? WHERE id = ?")
            .bind(self.now)
            .bind(&self.id)
            .execute(db)
            .await?;
        Ok(())
    }
}

struct RemoveKey(String);

impl Change for RemoveKey {
    type Out = ();

    /// A key that was revoked must open nothing, whatever the disk.
    fn class(&self) -> Class {
        Class::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("DELETE FROM api_keys WHERE id = ?")
            .bind(&self.0)
            .execute(db)
            .await?;
        Ok(())
    }
}

fn hash_of(row: &SqliteRow) -> StoreResult<Hash> {
    let bytes: Vec<u8> = row.try_get("hash")?;
    Hash::try_from(bytes)
        .map_err(|_| StoreError::Failed("a hash in the store is not 32 bytes".to_owned()))
}

fn link_row(row: &SqliteRow) -> StoreResult<LinkRow> {
    Ok(LinkRow {
        hash: hash_of(row)?,
        expires_unix: row.try_get("expires_unix")?,
    })
}

fn session_row(row: &SqliteRow) -> StoreResult<WebSessionRow> {
    Ok(WebSessionRow {
        hash: hash_of(row)?,
        operator: row.try_get("name")?,
        created_unix: row.try_get("created_unix")?,
        seen_unix: row.try_get("seen_unix")?,
    })
}

fn key_row(row: &SqliteRow) -> StoreResult<KeyRow> {
    Ok(KeyRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        hash: hash_of(row)?,
        scopes: row.try_get("scopes")?,
        created_unix: row.try_get("created_unix")?,
        expires_unix: row.try_get("expires_unix")?,
        used_unix: row.try_get("used_unix")?,
    })
}
