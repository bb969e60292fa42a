//! Changes to sign-in links, web sessions and API keys.

use super::access_rows::{Hash, KeyRow, LinkRow};
use super::change::{ChangeClass, StoreChange};
use super::error::{StoreError, StoreResult};
use crate::limits;
use crate::settings::WebSessionLife;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;

pub struct EnsureOperator {
    pub name: String,
    pub now: i64,
}

impl StoreChange for EnsureOperator {
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

pub struct AddLink {
    pub link: LinkRow,
    pub operator: String,
    pub now: i64,
}

impl StoreChange for AddLink {
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

pub struct RedeemLink {
    pub link: Hash,
    pub session: Hash,
    pub now: i64,
    pub life: WebSessionLife,
}

impl StoreChange for RedeemLink {
    type Out = Option<String>;

    /// The operator may sign in to free space.
    fn class(&self) -> ChangeClass {
        ChangeClass::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<Option<String>> {
        let sql =
            "DELETE FROM sign_in_links WHERE hash = ? AND expires_unix > ? RETURNING operator";
        // One statement finds and deletes the link, so that it is redeemed only once.
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

/// Time this long before another, in seconds since 1970.
fn before(unix: i64, time: Duration) -> i64 {
    unix.saturating_sub(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

async fn forget_old_sessions(
    db: &mut SqliteConnection,
    now: i64,
    life: WebSessionLife,
) -> StoreResult<()> {
    sqlx::query("DELETE FROM web_sessions WHERE seen_unix <= ? OR created_unix <= ?")
        .bind(before(now, life.idle))
        .bind(before(now, life.most))
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

pub struct SawWebSession {
    pub hash: Hash,
    pub now: i64,
}

impl StoreChange for SawWebSession {
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

pub struct EndWebSession(pub Hash);

impl StoreChange for EndWebSession {
    type Out = ();

    /// A session that was signed out must be invalid, even on a full disk.
    fn class(&self) -> ChangeClass {
        ChangeClass::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("DELETE FROM web_sessions WHERE hash = ?")
            .bind(&self.0[..])
            .execute(db)
            .await?;
        Ok(())
    }
}

pub struct AddKey(pub KeyRow);

impl StoreChange for AddKey {
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

pub struct SawKey {
    pub id: String,
    pub now: i64,
}

impl StoreChange for SawKey {
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

pub struct RemoveKey(pub String);

impl StoreChange for RemoveKey {
    type Out = ();

    /// A revoked key must be invalid, even on a full disk.
    fn class(&self) -> ChangeClass {
        ChangeClass::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("DELETE FROM api_keys WHERE id = ?")
            .bind(&self.0)
            .execute(db)
            .await?;
        Ok(())
    }
}
