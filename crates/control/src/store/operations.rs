//! Operations on clusters that are under way. The first step of one writes its row, and the last
//! step deletes it, each in one transaction with the change that it makes.

use super::change::StoreChange;
use super::codec::to_i64;
use super::error::{StoreError, StoreResult};
use sqlx::{Row, SqliteConnection};
use tidegate_model::ClusterId;

/// Kind of an operation that has more than one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    Create,
    Delete,
    /// A new password for root.
    Password,
}

impl OperationKind {
    const ALL: [Self; 3] = [Self::Create, Self::Delete, Self::Password];

    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Password => "password",
        }
    }
}

/// An operation that is under way. A cluster has one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationRow {
    pub kind: OperationKind,
    pub claim: OperationClaim,
}

/// Right to make the steps of an operation, until another server takes it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationClaim {
    pub cluster: ClusterId,
    token: u64,
}

impl OperationClaim {
    /// Claim of the caller that has reserved a new cluster.
    pub fn of_new(cluster: ClusterId) -> Self {
        Self { cluster, token: 1 }
    }
}

/// Reads all operations that are under way.
pub async fn read_operations(db: &mut SqliteConnection) -> StoreResult<Vec<OperationRow>> {
    let sql = "SELECT cluster, kind, token FROM operations ORDER BY made_unix, cluster";
    let rows = sqlx::query(sql).fetch_all(db).await?;
    let mut operations = Vec::with_capacity(rows.len());
    for row in &rows {
        let cluster: i64 = row.try_get("cluster")?;
        let kind: String = row.try_get("kind")?;
        let mut kinds = OperationKind::ALL.into_iter();
        let Some(kind) = kinds.find(|known| known.as_str() == kind) else {
            // A newer version may have added it; that version finishes it.
            tracing::warn!(
                cluster,
                kind,
                "an unknown operation on a cluster is left unfinished"
            );
            continue;
        };
        operations.push(OperationRow {
            kind,
            claim: OperationClaim {
                cluster: ClusterId(cluster.unsigned_abs()),
                token: row.try_get::<i64, _>("token")?.unsigned_abs(),
            },
        });
    }
    Ok(operations)
}

/// Begins an operation, or takes over the one that the cluster has.
pub async fn begin(
    db: &mut SqliteConnection,
    cluster: ClusterId,
    kind: OperationKind,
    now: i64,
) -> StoreResult<OperationClaim> {
    let sql = "SELECT token FROM operations WHERE cluster = ?";
    let found = sqlx::query(sql)
        .bind(to_i64(cluster.0))
        .fetch_optional(&mut *db)
        .await?;
    let (token, sql) = match found {
        Some(row) => (
            row.try_get::<i64, _>("token")?.saturating_add(1),
            "UPDATE operations SET kind = ?, token = ?, made_unix = ? WHERE cluster = ?",
        ),
        None => (
            1,
            "INSERT INTO operations (kind, token, made_unix, cluster) VALUES (?, ?, ?, ?)",
        ),
    };
    sqlx::query(sql)
        .bind(kind.as_str())
        .bind(token)
        .bind(now)
        .bind(to_i64(cluster.0))
        .execute(db)
        .await?;
    Ok(OperationClaim {
        cluster,
        token: token.unsigned_abs(),
    })
}

/// Ends an operation. Fails, with the change of this step, if it was taken over.
pub async fn end(db: &mut SqliteConnection, claim: OperationClaim) -> StoreResult<()> {
    let done = sqlx::query("DELETE FROM operations WHERE cluster = ? AND token = ?")
        .bind(to_i64(claim.cluster.0))
        .bind(to_i64(claim.token))
        .execute(db)
        .await?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::TakenOver(claim.cluster)),
    }
}

pub struct BeginOperation {
    pub cluster: ClusterId,
    pub kind: OperationKind,
    pub now: i64,
}

impl StoreChange for BeginOperation {
    type Out = OperationClaim;

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<OperationClaim> {
        begin(db, self.cluster, self.kind, self.now).await
    }
}

pub struct EndOperation(pub OperationClaim);

impl StoreChange for EndOperation {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        end(db, self.0).await
    }
}
