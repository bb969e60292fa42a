//! Changes that operators make to clusters.

use super::books::{read_book, write_book};
use super::change::{ChangeClass, StoreChange};
use super::cluster_rows::{expect_one_row, read_one};
use super::codec::{to_i64, to_ms};
use super::error::{StoreError, StoreResult};
use super::feed::next_version;
use super::operations::{OperationClaim, OperationKind, begin, end};
use super::rows::{ClusterRow, Reservation};
use sqlx::{Row, SqliteConnection};
use tidegate_model::{AccountBook, ClusterId, ClusterLimits, ClusterName, ClusterSettings};

pub struct ReserveCluster(pub Reservation);

impl StoreChange for ReserveCluster {
    type Out = ClusterRow;

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<ClusterRow> {
        let wanted = &self.0;
        let id = to_i64(wanted.id.0);
        if is_taken(db, "name_taken", wanted.name.as_str()).await? {
            return Err(StoreError::NameTaken(wanted.name.clone()));
        }
        if is_taken(db, "prefix", wanted.prefix.as_str()).await? {
            return Err(StoreError::PrefixTaken);
        }
        let sql = "SELECT id FROM clusters WHERE id = ?";
        let same = sqlx::query(sql).bind(id).fetch_optional(&mut *db).await?;
        if same.is_some() {
            return Err(StoreError::IdTaken);
        }
        let version = next_version(db).await?;
        sqlx::query(
            "INSERT INTO clusters (id, name, name_taken, prefix, created_unix, connections_max, \
             sleep_after_ms, transaction_idle_max_ms, memory_max_bytes, disk_max_bytes, \
             cpu_weight, tasks_max, engine, engine_parameters, version, ip_allow, variables, \
             phase) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '{}', 'creating')",
        )
        .bind(id)
        .bind(wanted.name.as_str())
        .bind(wanted.name.as_str())
        .bind(wanted.prefix.as_str())
        .bind(wanted.created_unix)
        .bind(i64::from(wanted.limits.connections_max))
        .bind(to_ms(wanted.limits.sleep_after))
        .bind(to_ms(wanted.limits.transaction_idle_max))
        .bind(to_i64(wanted.limits.memory_max_bytes))
        .bind(to_i64(wanted.limits.disk_max_bytes))
        .bind(i64::from(wanted.limits.cpu_weight))
        .bind(i64::from(wanted.limits.tasks_max))
        .bind(wanted.engine.kind.as_str())
        .bind(wanted.engine.parameters.to_json())
        .bind(version)
        .execute(&mut *db)
        .await?;
        begin(db, wanted.id, OperationKind::Create, wanted.created_unix).await?;
        let sql = "INSERT INTO books (cluster, run, complete, version) VALUES (?, 0, 0, ?)";
        sqlx::query(sql)
            .bind(id)
            .bind(version)
            .execute(&mut *db)
            .await?;
        read_one(db, wanted.id).await
    }
}

/// Whether a cluster has this value in this column, `name_taken` or `prefix`.
async fn is_taken(
    db: &mut SqliteConnection,
    column: &'static str,
    value: &str,
) -> StoreResult<bool> {
    let sql = match column {
        "prefix" => "SELECT COUNT(*) AS n FROM clusters WHERE prefix = ?",
        _ => "SELECT COUNT(*) AS n FROM clusters WHERE name_taken = ?",
    };
    let taken: i64 = sqlx::query(sql)
        .bind(value)
        .fetch_one(db)
        .await?
        .try_get("n")?;
    Ok(taken > 0)
}

pub struct PublishCluster {
    pub claim: OperationClaim,
    pub seed: AccountBook,
}

impl StoreChange for PublishCluster {
    type Out = ClusterRow;

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<ClusterRow> {
        let id = self.claim.cluster;
        end(db, self.claim).await?;
        // A book that a run of the creation recorded is newer than the seed.
        if read_book(db, id).await?.accounts.is_empty() {
            write_book(db, id, &self.seed).await?;
        }
        let sql = "UPDATE clusters SET phase = 'live', version = ? WHERE id = ? AND phase = \
                   'creating'";
        let version = next_version(db).await?;
        expect_one_row(
            sqlx::query(sql)
                .bind(version)
                .bind(to_i64(id.0))
                .execute(&mut *db)
                .await?
                .rows_affected(),
            id,
        )?;
        read_one(db, id).await
    }
}

pub struct SetCluster {
    pub cluster: ClusterId,
    pub limits: ClusterLimits,
    pub settings: ClusterSettings,
}

impl StoreChange for SetCluster {
    type Out = u64;

    /// A higher disk limit for a full cluster must also be recorded on a full disk, and the end of
    /// its protection against deletion.
    fn class(&self) -> ChangeClass {
        ChangeClass::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<u64> {
        let limits = self.limits;
        let settings = &self.settings;
        let version = next_version(db).await?;
        let ranges: Vec<_> = settings.ip_allow.iter().map(ToString::to_string).collect();
        let sql = "UPDATE clusters SET connections_max = ?, sleep_after_ms = ?, \
                   transaction_idle_max_ms = ?, \
                   memory_max_bytes = ?, disk_max_bytes = ?, cpu_weight = ?, tasks_max = ?, \
                   deletion_protection = ?, ping_holds = ?, events = ?, ip_allow = ?, \
                   variables = ?, version = ? \
                   WHERE id = ? AND phase = 'live'";
        let change = sqlx::query(sql)
            .bind(i64::from(limits.connections_max))
            .bind(to_ms(limits.sleep_after))
            .bind(to_ms(limits.transaction_idle_max))
            .bind(to_i64(limits.memory_max_bytes))
            .bind(to_i64(limits.disk_max_bytes))
            .bind(i64::from(limits.cpu_weight))
            .bind(i64::from(limits.tasks_max))
            .bind(settings.deletion_protection)
            .bind(settings.ping_holds)
            .bind(settings.events)
            .bind(ranges.join(" "))
            .bind(serde_json::json!(settings.variables).to_string())
            .bind(version)
            .bind(to_i64(self.cluster.0));
        expect_one_row(change.execute(db).await?.rows_affected(), self.cluster)?;
        Ok(version.unsigned_abs())
    }
}

pub struct RenameCluster {
    pub cluster: ClusterId,
    pub name: ClusterName,
}

impl StoreChange for RenameCluster {
    type Out = u64;

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<u64> {
        if is_taken(db, "name_taken", self.name.as_str()).await? {
            return Err(StoreError::NameTaken(self.name.clone()));
        }
        let version = next_version(db).await?;
        let sql = "UPDATE clusters SET name = ?, name_taken = ?, version = ? WHERE id = ? AND \
                   phase = 'live'";
        let change = sqlx::query(sql)
            .bind(self.name.as_str())
            .bind(self.name.as_str())
            .bind(version)
            .bind(to_i64(self.cluster.0));
        expect_one_row(change.execute(db).await?.rows_affected(), self.cluster)?;
        Ok(version.unsigned_abs())
    }
}

pub struct BeginDelete {
    pub cluster: ClusterId,
    pub now: i64,
}

impl StoreChange for BeginDelete {
    type Out = OperationClaim;

    /// A deletion frees space.
    fn class(&self) -> ChangeClass {
        ChangeClass::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<OperationClaim> {
        // The name is free for another cluster at once. The prefix never is.
        let sql = "UPDATE clusters SET phase = 'deleting', name_taken = NULL, version = ? WHERE \
                   id = ? AND phase <> 'gone'";
        let version = next_version(db).await?;
        expect_one_row(
            sqlx::query(sql)
                .bind(version)
                .bind(to_i64(self.cluster.0))
                .execute(&mut *db)
                .await?
                .rows_affected(),
            self.cluster,
        )?;
        begin(db, self.cluster, OperationKind::Delete, self.now).await
    }
}

pub struct BuryCluster(pub OperationClaim);

impl StoreChange for BuryCluster {
    type Out = ();

    fn class(&self) -> ChangeClass {
        ChangeClass::Vital
    }

    async fn apply(&self, db: &mut SqliteConnection) -> StoreResult<()> {
        let cluster = to_i64(self.0.cluster.0);
        end(db, self.0).await?;
        for sql in [
            "DELETE FROM book_parts WHERE cluster = ?",
            "DELETE FROM books WHERE cluster = ?",
        ] {
            sqlx::query(sql).bind(cluster).execute(&mut *db).await?;
        }
        let version = next_version(db).await?;
        let sql = "UPDATE clusters SET phase = 'gone', name_taken = NULL, version = ? WHERE id = \
                   ? AND phase <> 'gone'";
        sqlx::query(sql)
            .bind(version)
            .bind(cluster)
            .execute(db)
            .await?;
        Ok(())
    }
}
