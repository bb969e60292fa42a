//! Requests with an idempotency key, and the answers to them. The store doesn't know what is in
//! either: the API seals both.

use super::change::StoreChange;
use super::error::StoreResult;
use super::feed::next_version;
use crate::limits;
use sqlx::{Row, SqliteConnection};

/// A request with an idempotency key that was executed, or interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// Sealed note about the request.
    pub note: Vec<u8>,
    /// Sealed answer; missing if the request is executed now or was interrupted.
    pub answer: Option<Vec<u8>>,
}

/// A request that is about to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// Hash of the caller and its idempotency key.
    pub key: String,
    pub caller: String,
    pub note: Vec<u8>,
    pub expires_unix: i64,
}

/// Records a request before it is executed, unless it is recorded already.
pub struct BeginRequest {
    pub request: NewRequest,
    pub now: i64,
}

impl StoreChange for BeginRequest {
    type Out = Option<StoredRequest>;

    fn bytes(&self) -> usize {
        self.request.note.len()
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<Option<StoredRequest>> {
        let new = &self.request;
        sqlx::query("DELETE FROM answers WHERE expires_unix <= ?")
            .bind(self.now)
            .execute(&mut *db)
            .await?;
        let sql = "SELECT note, answer FROM answers WHERE request_key = ?";
        let found = sqlx::query(sql)
            .bind(&new.key)
            .fetch_optional(&mut *db)
            .await?;
        if let Some(row) = found {
            return Ok(Some(StoredRequest {
                note: row.try_get("note")?,
                answer: row.try_get("answer")?,
            }));
        }
        make_room(db, &new.caller, 1, size(new.note.len())).await?;
        let version = next_version(db).await?;
        let sql = "INSERT INTO answers (request_key, caller, note, bytes, expires_unix, version) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(&new.key)
            .bind(&new.caller)
            .bind(&new.note[..])
            .bind(size(new.note.len()))
            .bind(new.expires_unix)
            .bind(version)
            .execute(db)
            .await?;
        Ok(None)
    }
}

/// Replaces the note about a request, and adds its answer if it has one now.
pub struct NoteRequest {
    pub key: String,
    pub noted: StoredRequest,
}

impl StoreChange for NoteRequest {
    type Out = ();

    fn bytes(&self) -> usize {
        self.noted.note.len() + self.noted.answer.as_ref().map_or(0, Vec::len)
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        let row = sqlx::query("SELECT caller, bytes FROM answers WHERE request_key = ?")
            .bind(&self.key)
            .fetch_optional(&mut *db)
            .await?;
        // Later requests may have taken its place.
        let Some(row) = row else { return Ok(()) };
        let before: i64 = row.try_get("bytes")?;
        let more = size(self.bytes()).saturating_sub(before).max(0);
        // The oldest rows go first, so this one only if it alone is too much.
        let version = next_version(db).await?;
        let sql = "UPDATE answers SET version = ? WHERE request_key = ?";
        sqlx::query(sql)
            .bind(version)
            .bind(&self.key)
            .execute(&mut *db)
            .await?;
        let caller: String = row.try_get("caller")?;
        make_room(db, &caller, 0, more).await?;
        let sql = "UPDATE answers SET note = ?, answer = ?, bytes = ? WHERE request_key = ?";
        sqlx::query(sql)
            .bind(&self.noted.note[..])
            .bind(self.noted.answer.as_deref())
            .bind(size(self.bytes()))
            .bind(&self.key)
            .execute(db)
            .await?;
        Ok(())
    }
}

/// Forgets a request that has changed nothing.
pub struct ForgetRequest(pub String);

impl StoreChange for ForgetRequest {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        sqlx::query("DELETE FROM answers WHERE request_key = ?")
            .bind(&self.0)
            .execute(db)
            .await?;
        Ok(())
    }
}

/// Rows and bytes of a caller, or of all callers.
struct Room {
    total: &'static str,
    oldest: &'static str,
    rows_max: i64,
    bytes_max: i64,
}

const OF_CALLER: Room = Room {
    total: "SELECT COUNT(*) AS n, COALESCE(SUM(bytes), 0) AS bytes FROM answers WHERE caller = ?",
    oldest: "SELECT request_key, bytes FROM answers WHERE caller = ? ORDER BY version LIMIT 1",
    rows_max: limits::ANSWERS_PER_CALLER_MAX,
    bytes_max: limits::ANSWER_BYTES_PER_CALLER_MAX,
};

/// The parameter is empty, so that both queries have one.
const OF_ALL: Room = Room {
    total: "SELECT COUNT(*) AS n, COALESCE(SUM(bytes), 0) AS bytes FROM answers WHERE ? = ''",
    oldest: "SELECT request_key, bytes FROM answers WHERE ? = '' ORDER BY version LIMIT 1",
    rows_max: limits::ANSWERS_MAX,
    bytes_max: limits::ANSWER_BYTES_MAX,
};

/// Deletes the oldest rows until so many more rows and bytes are within the bounds.
async fn make_room(
    db: &mut SqliteConnection,
    caller: &str,
    more_rows: i64,
    more_bytes: i64,
) -> StoreResult<()> {
    for (room, of) in [(OF_CALLER, caller), (OF_ALL, "")] {
        let row = sqlx::query(room.total).bind(of).fetch_one(&mut *db).await?;
        let mut rows: i64 = row.try_get("n")?;
        let mut kept: i64 = row.try_get("bytes")?;
        while rows + more_rows > room.rows_max || kept + more_bytes > room.bytes_max {
            let oldest = sqlx::query(room.oldest).bind(of);
            let Some(row) = oldest.fetch_optional(&mut *db).await? else {
                break;
            };
            sqlx::query("DELETE FROM answers WHERE request_key = ?")
                .bind(row.try_get::<String, _>("request_key")?)
                .execute(&mut *db)
                .await?;
            rows -= 1;
            kept -= row.try_get::<i64, _>("bytes")?;
        }
    }
    Ok(())
}

/// Length as the database counts it.
fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
