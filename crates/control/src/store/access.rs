//! Operators, links, web sessions and API keys in the store. The store gets hashes of tokens only.
//!
//! Lookups use the copy in memory ([`crate::credentials`]), so that invented tokens never reach the
//! disk.

use super::access_changes::{
    AddKey, AddLink, EndWebSession, EnsureOperator, RedeemLink, RemoveKey, SawKey, SawWebSession,
};
use super::access_rows::{AccessRows, Hash, KeyRow, LinkRow, WebSessionRow};
use super::error::{StoreError, StoreResult};
use super::interface::AccessStore;
use super::sqlite::SqliteStore;
use crate::settings::WebSessionLife;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tidegate_model::BoxFuture;

impl AccessStore for SqliteStore {
    fn ensure_operator(&self, name: &str, now: i64) -> BoxFuture<'_, StoreResult<()>> {
        let name = name.to_owned();
        Box::pin(async move {
            let there = sqlx::query("SELECT 1 FROM operators WHERE name = ?")
                .bind(&name)
                .fetch_optional(&self.reads);
            match there.await? {
                // So that a start on a full disk writes nothing.
                Some(_) => Ok(()),
                None => self.writer.write(EnsureOperator { name, now }).await,
            }
        })
    }

    fn load_access(&self) -> BoxFuture<'_, StoreResult<AccessRows>> {
        Box::pin(async move { read_access(&mut *self.reads.begin().await?).await })
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

/// Reads all links, web sessions and keys.
pub async fn read_access(db: &mut SqliteConnection) -> StoreResult<AccessRows> {
    let links = sqlx::query("SELECT * FROM sign_in_links")
        .fetch_all(&mut *db)
        .await?;
    let sql = "SELECT s.*, o.name FROM web_sessions s JOIN operators o ON o.id = s.operator";
    let sessions = sqlx::query(sql).fetch_all(&mut *db).await?;
    let keys = sqlx::query("SELECT * FROM api_keys").fetch_all(db).await?;
    Ok(AccessRows {
        links: links.iter().map(link_row).collect::<Result<_, _>>()?,
        sessions: sessions.iter().map(session_row).collect::<Result<_, _>>()?,
        keys: keys.iter().map(key_row).collect::<Result<_, _>>()?,
    })
}

fn hash_of(row: &SqliteRow) -> StoreResult<Hash> {
    let bytes: Vec<u8> = row.try_get("hash")?;
    Hash::try_from(bytes).map_err(|_| StoreError::WrongHashSize)
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
