//! A running MariaDB process and the statements that this room sends to it.

use crate::administration::Administration;
use crate::bound_task::BoundTask;
use crate::driver::{EngineEvents, Run, RunUsage};
use crate::error::RunError;
use crate::limits::{
    ADMIN_LOGIN_MAX, FORGET_LOOK, HOST_CHARS_MAX, OTHER_HOSTS_MAX, OTHERS_MAX,
    READ_ONLY_WAIT_SECONDS, READING_MAX_SECONDS, START_MAX,
};
use crate::local::accounts::init_sql::{FIRST_USER, literal, native_hash};
use crate::local::accounts::secret::AdminSecret;
use crate::local::admin::Admin;
use crate::local::admin::admin_line::AdminLine;
use crate::local::admin::health;
use crate::local::administration::session::text;
use crate::local::administration::statements::account;
use crate::local::cgroup::GroupLimits;
use crate::local::error::AdminError;
use crate::local::events::EventCount;
use crate::local::process::Process;
use crate::local::socket::SocketFile;
use crate::local::variables::{RunVariables, check_values, lock_rights};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tidegate_model::{
    Accounts, BoxFuture, ClusterId, ClusterLimits, EngineCertificate, EngineSession, LiveSwitch,
    ReadingOrder, ServerVariables, error_chain,
};
use tidegate_wire::query::Row;
use tokio::net::UnixStream;

/// Waits for the engine's greeting and logs in.
pub async fn first_login(stream: UnixStream, secret: &AdminSecret) -> Result<Admin, AdminError> {
    let ready = tokio::time::timeout(START_MAX, Admin::greeting(stream)).await;
    let greeted = ready.map_err(|_| AdminError::Late("no greeting came in time"))??;
    let login = tokio::time::timeout(ADMIN_LOGIN_MAX, greeted.login(secret.password())).await;
    login.map_err(|_| AdminError::Late("the gateway's own login took too long"))?
}

/// A running MariaDB process.
pub struct LocalRun {
    process: Process,
    admin: AdminLine,
    extra: SocketFile,
    certificate: Arc<EngineCertificate>,
    /// Rotates the engine's log.
    _log_watch: BoundTask,
    /// Watches the cluster's disk limit.
    disk_watch: OnceLock<BoundTask>,
    /// Reason why this server ended it.
    killed_because: OnceLock<String>,
    events: Arc<EventCount>,
    /// On while it is read-only because of the cluster's disk limit.
    at_disk_limit: LiveSwitch,
    /// Number of readings of its accounts.
    readings: AtomicU64,
    /// Its server variables, if its connection may set them.
    variables: OnceLock<RunVariables>,
}

impl LocalRun {
    pub fn new(
        process: Process,
        admin: AdminLine,
        (extra, certificate): (SocketFile, EngineCertificate),
        log_watch: BoundTask,
        events: Arc<EventCount>,
        at_disk_limit: LiveSwitch,
    ) -> Self {
        Self {
            process,
            admin,
            extra,
            certificate: Arc::new(certificate),
            _log_watch: log_watch,
            disk_watch: OnceLock::new(),
            killed_because: OnceLock::new(),
            readings: AtomicU64::new(0),
            events,
            at_disk_limit,
            variables: OnceLock::new(),
        }
    }

    /// Runs one statement as the administrator. A lost connection costs the statement only.
    pub async fn query(&self, sql: &str) -> Result<Vec<Row>, RunError> {
        self.admin.run(sql).await
    }

    /// Switch that is on while the engine is read-only because of the disk limit, and not because a
    /// tenant set it.
    pub fn at_disk_limit(&self) -> &LiveSwitch {
        &self.at_disk_limit
    }

    /// Opens another administrative connection, for statements that may take long.
    pub async fn open_admin(&self) -> Result<Admin, RunError> {
        self.admin.open().await
    }

    /// Sets the server variables of this run before its first session. The start goes on whatever
    /// fails: the defaults apply then.
    pub async fn begin_variables(&self, wanted: &ServerVariables, cluster: ClusterId) {
        let begun = async {
            lock_rights(&self.admin).await?;
            RunVariables::read(&self.admin).await
        };
        match begun.await {
            Ok(variables) => {
                variables.begin(&self.admin, wanted, cluster).await;
                // A run begins once.
                let _ = self.variables.set(variables);
            }
            Err(error) => {
                let error = error_chain(&error);
                tracing::warn!(%cluster, error, "the server variables could not be set; their \
                     defaults apply");
            }
        }
    }

    /// Keeps the watch of the cluster's disk limit for as long as the run.
    pub fn set_disk_watch(&self, watch: BoundTask) {
        // A run is watched once.
        let _ = self.disk_watch.set(watch);
    }

    /// Processes of this run, as far as the server sees them.
    pub fn processes(&self) -> Vec<i32> {
        self.process.processes()
    }

    /// Sets the size that one of its files may have, if this server may. False if the engine keeps
    /// another one: as a service the server lacks the right to change it (CAP_SYS_RESOURCE), so the
    /// next start has it.
    pub fn set_file_max(&self, bytes: u64) -> bool {
        let set = self.process.set_file_max(bytes);
        if let Err(error) = &set {
            tracing::debug!(%error, "a running engine's file size limit stays as it is");
        }
        set.is_ok()
    }

    /// Refuses writes to everybody without the right to write all the same, or allows them again.
    pub async fn set_read_only(&self, read_only: bool) -> Result<(), RunError> {
        let rows = self.query("SELECT @@GLOBAL.read_only").await?;
        let now = rows
            .first()
            .and_then(|row| row.first()?.as_deref())
            .map(|cell| cell == b"1");
        // Setting it again would wait for the tenant's statements again.
        if now == Some(read_only) {
            return Ok(());
        }
        // Setting it waits for statements and table locks of the tenant, by default for a day.
        let set = format!(
            "SET SESSION lock_wait_timeout = {READ_ONLY_WAIT_SECONDS}, GLOBAL read_only = {}",
            u8::from(read_only)
        );
        let done = self.query(&set).await.map(drop);
        // All statements share this session, and the next ones need their usual time.
        self.query(&format!(
            "SET SESSION lock_wait_timeout = {READING_MAX_SECONDS}"
        ))
        .await?;
        done
    }

    /// Sessions of people, by id. The engine's own threads are not counted.
    async fn others(&self) -> Result<Vec<u64>, RunError> {
        let rows = self
            .query(&format!(
                "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() \
                 AND COMMAND <> 'Daemon' AND USER NOT IN ('system user', 'event_scheduler') LIMIT \
                  {OTHERS_MAX}"
            ))
            .await?;
        let id = |row: &Vec<Option<Vec<u8>>>| {
            std::str::from_utf8(row.first()?.as_deref()?)
                .ok()?
                .parse()
                .ok()
        };
        Ok(rows.iter().filter_map(id).collect())
    }

    async fn wait_for_quiet(&self, patience: Duration) -> Result<Vec<u64>, RunError> {
        let until = Instant::now() + patience;
        loop {
            let others = self.others().await?;
            if others.is_empty() || Instant::now() >= until {
                return Ok(others);
            }
            tokio::time::sleep(FORGET_LOOK).await;
        }
    }
}

impl Run for LocalRun {
    fn ended(&self) -> BoxFuture<'_, String> {
        Box::pin(async move {
            let end = self.process.ended().await;
            self.killed_because.get().cloned().unwrap_or(end.text)
        })
    }

    fn frozen(&self, patience: Duration) -> BoxFuture<'_, ()> {
        Box::pin(health::frozen(
            &self.extra.path,
            || self.process.cpu_time(),
            patience,
        ))
    }

    fn next_reading(&self) -> ReadingOrder {
        ReadingOrder(self.readings.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn certificate(&self) -> Option<Arc<EngineCertificate>> {
        Some(Arc::clone(&self.certificate))
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Accounts, RunError>> {
        Box::pin(async move {
            // At the end of a run too, so that the number is known while the cluster sleeps.
            self.events.read(&self.admin).await;
            self.read_accounts().await
        })
    }

    fn accounts_of<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<Accounts, RunError>> {
        Box::pin(self.read_users(users))
    }

    fn set_password<'a>(
        &'a self,
        user: &'a str,
        host: &'a str,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move {
            let (Some(user), Some(host)) = (literal(user), literal(host)) else {
                return Err(RunError::Refused(
                    "the name can't be written in SQL".to_owned(),
                ));
            };
            let hash = native_hash(&stage2);
            // With a requirement that can't be met here, or locked, the new password would let
            // nobody in.
            let sql = format!(
                "ALTER USER {user}@{host} IDENTIFIED VIA mysql_native_password USING '{hash}' \
                 REQUIRE NONE ACCOUNT UNLOCK"
            );
            self.query(&sql).await.map(drop)
        })
    }

    fn set_limits(&self, limits: &ClusterLimits) -> BoxFuture<'_, Result<(), RunError>> {
        let limits = *limits;
        Box::pin(async move {
            self.process
                .set_limits(GroupLimits::from(&limits))
                .await
                .map_err(|e| RunError::Process(Arc::new(e)))?;
            self.query(&format!(
                "SET GLOBAL max_connections = {}",
                limits.connections_max
            ))
            .await
            .map(drop)
        })
    }

    fn drop_shadows<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<usize, RunError>> {
        Box::pin(async move {
            if user != FIRST_USER {
                return Ok(0);
            }
            let rows = self
                .query(&format!(
                    "SELECT LEFT(Host, {}) FROM mysql.global_priv WHERE User = '' AND Host <> '' \
                     LIMIT {OTHER_HOSTS_MAX}",
                    HOST_CHARS_MAX + 1
                ))
                .await?;
            let mut dropped = 0;
            for host in rows.iter().filter_map(|row| text(row, 0)) {
                let drop = format!("DROP USER IF EXISTS {}", account("", host));
                self.query(&drop).await?;
                dropped += 1;
            }
            Ok(dropped)
        })
    }

    fn at_disk_limit(&self) -> LiveSwitch {
        self.at_disk_limit.clone()
    }

    fn answers(&self) -> BoxFuture<'_, bool> {
        // An error of the engine is an answer too.
        Box::pin(async { !matches!(self.query("DO 0").await, Err(RunError::Lost(_))) })
    }

    fn administration(&self) -> Option<&dyn Administration> {
        Some(self)
    }

    fn set_variables<'a>(
        &'a self,
        wanted: &'a ServerVariables,
    ) -> BoxFuture<'a, Result<bool, RunError>> {
        Box::pin(async move {
            match self.variables.get() {
                Some(variables) => variables.change(&self.admin, wanted).await.map(|()| true),
                None => check_values(&self.admin, wanted).await.map(|()| false),
            }
        })
    }

    fn events(&self) -> BoxFuture<'_, Option<EngineEvents>> {
        Box::pin(self.events.read(&self.admin))
    }

    fn usage(&self) -> BoxFuture<'_, RunUsage> {
        Box::pin(self.process.usage())
    }

    fn kill_because(&self, reason: String) {
        // The first reason is the cause.
        let _ = self.killed_because.set(reason);
        self.process.kill();
    }

    fn end_session(&self, session: EngineSession) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(async move {
            self.query(&format!("KILL CONNECTION {}", session.id))
                .await
                .map(drop)
        })
    }

    fn settle(&self, patience: Duration) -> BoxFuture<'_, Result<bool, RunError>> {
        Box::pin(async move {
            let stay = self.wait_for_quiet(patience).await?;
            for session in &stay {
                // An error: it is gone meanwhile, or can't be killed. The next wait finds out.
                match self.query(&format!("KILL CONNECTION {session}")).await {
                    Err(e @ (RunError::Lost(_) | RunError::ShutOut(_))) => return Err(e),
                    Ok(_)
                    | Err(RunError::Refused(_) | RunError::Busy(_) | RunError::Process(_)) => {}
                }
            }
            Ok(stay.is_empty() || self.wait_for_quiet(patience).await?.is_empty())
        })
    }

    fn stop(&self) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.process.stop().await.signal != Some(9) })
    }
}
