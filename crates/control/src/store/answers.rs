//! Stored answers to requests with an idempotency key.

use super::change::StoreChange;
use super::error::{StoreError, StoreResult};
use super::feed::next_version;
use crate::limits;
use sqlx::{Row, SqliteConnection};

/// Answer to a request with an idempotency key. The store doesn't know what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of the request: another request with the same key gets an error.
    pub request_hash: [u8; 32],
    pub answer: Vec<u8>,
    pub expires_unix: i64,
}

/// Reads the answer to the request with this key, unless it has expired.
pub async fn read_answer(
    db: &mut SqliteConnection,
    key: &str,
    now: i64,
) -> StoreResult<Option<StoredAnswer>> {
    let sql = "SELECT request_hash, answer, expires_unix FROM answers WHERE request_key = ? AND \
               expires_unix > ?";
    let row = sqlx::query(sql)
        .bind(key)
        .bind(now)
        .fetch_optional(db)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let hash: Vec<u8> = row.try_get("request_hash")?;
    Ok(Some(StoredAnswer {
        request_hash: hash.try_into().map_err(|_| StoreError::WrongHashSize)?,
        answer: row.try_get("answer")?,
        expires_unix: row.try_get("expires_unix")?,
    }))
}

pub struct SaveAnswer {
    pub key: String,
    pub answer: StoredAnswer,
    pub now: i64,
}

impl StoreChange for SaveAnswer {
    type Out = ();

    fn bytes(&self) -> usize {
        self.answer.answer.len()
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        // An expired answer with this key too.
        sqlx::query("DELETE FROM answers WHERE expires_unix <= ? OR request_key = ?")
            .bind(self.now)
            .bind(&self.key)
            .execute(&mut *db)
            .await?;
        let sql = "SELECT request_key FROM answers ORDER BY version DESC";
        let kept = sqlx::query(sql).fetch_all(&mut *db).await?;
        // Makes room for the new one.
        for row in kept.iter().skip(limits::ANSWERS_MAX.saturating_sub(1)) {
            sqlx::query("DELETE FROM answers WHERE request_key = ?")
                .bind(row.try_get::<String, _>("request_key")?)
                .execute(&mut *db)
                .await?;
        }
        let version = next_version(db).await?;
        let sql = "INSERT INTO answers (request_key, request_hash, answer, expires_unix, version) \
                   VALUES (?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(&self.key)
            .bind(&self.answer.request_hash[..])
            .bind(&self.answer.answer[..])
            .bind(self.answer.expires_unix)
            .bind(version)
            .execute(db)
            .await?;
        Ok(())
    }
}
