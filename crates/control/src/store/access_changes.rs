//! Changes to sign-in links, web sessions and API keys.

use super::access_rows::{Hash, KeyRow, LinkRow};
use super::change::{ChangeClass, StoreChange};
use super::error::{StoreError, StoreResult};
use super::feed::stamp_access;
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
        let sql = "SELECT 1 AS there FROM operators WHERE name = ?";
        let there = sqlx::query(sql)
            .bind(&self.name)
            .fetch_optional(&mut *db)
            .await?;
        if there.is_none() {
            sqlx::query("INSERT INTO operators (name, created_unix) VALUES (?, ?)")
                .bind(&self.name)
                .bind(self.now)
                .execute(db)
                .await?;
        }
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
        let version = stamp_access(db).await?;
        let sql = "SELECT hash FROM sign_in_links ORDER BY expires_unix DESC, version DESC";
        let links = sqlx::query(sql).fetch_all(&mut *db).await?;
        // Makes room for the new one.
        for (_, link) in (1i64..)
            .zip(&links)
            .filter(|(n, _)| *n >= limits::LINKS_MAX)
        {
            sqlx::query("DELETE FROM sign_in_links WHERE hash = ?")
                .bind(link.try_get::<Vec<u8>, _>("hash")?)
                .execute(&mut *db)
                .await?;
        }
        let sql = "INSERT INTO sign_in_links (hash, operator, expires_unix, version) SELECT ?, id, \
                   ?, ? FROM operators WHERE name = ?";
        let insert = sqlx::query(sql)
            .bind(&self.link.hash[..])
            .bind(self.link.expires_unix)
            .bind(version)
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
        let sql = "SELECT operator FROM sign_in_links WHERE hash = ? AND expires_unix > ?";
        let found = sqlx::query(sql)
            .bind(&self.link[..])
            .bind(self.now)
            .fetch_optional(&mut *db)
            .await?;
        let Some(row) = found else { return Ok(None) };
        let operator: i64 = row.try_get("operator")?;
        let deleted = sqlx::query("DELETE FROM sign_in_links WHERE hash = ?")
            .bind(&self.link[..])
            .execute(&mut *db)
            .await?;
        // The number of deleted rows decides, so that a link is redeemed only once.
        if deleted.rows_affected() != 1 {
            return Ok(None);
        }
        let version = stamp_access(db).await?;
        forget_old_sessions(db, self.now, self.life).await?;
        let sql = "INSERT INTO web_sessions (hash, operator, created_unix, seen_unix, version) \
                   VALUES (?, ?, ?, ?, ?)";
        let insert = sqlx::query(sql)
            .bind(&self.session[..])
            .bind(operator)
            .bind(self.now)
            .bind(self.now)
            .bind(version);
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
    let sql = "SELECT hash FROM web_sessions ORDER BY seen_unix DESC, version DESC";
    let sessions = sqlx::query(sql).fetch_all(&mut *db).await?;
    // Makes room for the new one.
    let too_many = (1i64..).zip(&sessions);
    for (_, session) in too_many.filter(|(n, _)| *n >= limits::WEB_SESSIONS_MAX) {
        sqlx::query("DELETE FROM web_sessions WHERE hash = ?")
            .bind(session.try_get::<Vec<u8>, _>("hash")?)
            .execute(&mut *db)
            .await?;
    }
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
            .execute(&mut *db)
            .await?;
        stamp_access(db).await.map(drop)
    }
}

pub struct AddKey(pub KeyRow);

impl StoreChange for AddKey {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        let key = &self.0;
        stamp_access(db).await?;
        let same = sqlx::query("SELECT id FROM api_keys WHERE name = ?")
            .bind(&key.name)
            .fetch_optional(&mut *db)
            .await?;
        if same.is_some() {
            return Err(StoreError::KeyNameTaken);
        }
        let row = sqlx::query("SELECT COUNT(*) AS n FROM api_keys")
            .fetch_one(&mut *db)
            .await?;
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
            .execute(&mut *db)
            .await?;
        stamp_access(db).await.map(drop)
    }
}
