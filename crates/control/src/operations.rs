//! Operations on clusters and sessions, as plain async functions. Each runs to its end even if the
//! caller goes away in the middle, so no cluster is left half-changed by a closed connection.

use crate::control::{Control, engine_failed, now_unix, spec};
use crate::error::{ControlError, ErrorCode};
use crate::limits;
use crate::register::Entry;
use crate::store::{ClusterRow, Reservation, StoreError};
use crate::views::{ClusterView, LimitsChange, NewCluster, SessionView, WithPassword};
use crate::{names, password};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tidegate_engine::EngineError;
use tidegate_model::{
    Account, AccountBook, ClusterEngine, ClusterLimits, ClusterName, ClusterState, ClusterUsage,
    EngineParameters, Event, Prefix, RefusalKind, Requirement, RunEpoch, SessionId, Size, Verifier,
};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// The administrator of each cluster.
pub const ROOT: &str = "root";

type Answer<T> = Result<T, ControlError>;

impl Control {
    /// Makes a cluster, asleep, with a fresh password that is kept nowhere.
    pub async fn create_cluster(&self, new: NewCluster) -> Answer<WithPassword> {
        let this = self.clone();
        self.to_its_end(async move { this.create(new).await }).await
    }

    /// All clusters by name.
    pub fn clusters(&self) -> Vec<ClusterView> {
        self.register()
            .all()
            .iter()
            .map(|entry| self.view(entry))
            .collect()
    }

    pub fn cluster(&self, name: &str) -> Answer<ClusterView> {
        Ok(self.view(&*self.entry(name)?))
    }

    /// Ends its sessions, stops its engine and removes its files.
    pub async fn delete_cluster(&self, name: &str) -> Answer<()> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move { this.delete(&name).await })
            .await
    }

    /// Puts it to sleep now. Refused while a session of it is busy.
    pub async fn sleep_cluster(&self, name: &str) -> Answer<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            this.engines()
                .sleep(entry.id)
                .await
                .map_err(|e| engine_error(e, &entry.name))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Wakes it and waits until it is awake.
    pub async fn wake_cluster(&self, name: &str) -> Answer<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            this.engines()
                .wake(entry.id)
                .await
                .map_err(|e| engine_error(e, &entry.name))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Gives its root a new password. It is returned only once the engine has it and a fresh
    /// reading shows it.
    pub async fn new_password(&self, name: &str) -> Answer<WithPassword> {
        self.password_by(name, false).await
    }

    /// As [`Self::new_password`], but first ends the engine and repairs its accounts.
    pub async fn repair_password(&self, name: &str) -> Answer<WithPassword> {
        self.password_by(name, true).await
    }

    async fn password_by(&self, name: &str, repair: bool) -> Answer<WithPassword> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move { this.change_password(&name, repair).await })
            .await
    }

    /// Changes what it may use, asleep or awake; sessions that are open stay.
    pub async fn change_limits(&self, name: &str, change: LimitsChange) -> Answer<ClusterView> {
        let this = self.clone();
        let name = name.to_owned();
        self.to_its_end(async move {
            let (entry, _held) = this.exclusive(&name).await?;
            let limits = change.of(entry.limits());
            check(&limits)?;
            this.store().set_limits(entry.id, limits).await?;
            entry.set_limits(limits);
            this.engines()
                .set_limits(entry.id, limits)
                .await
                .map_err(|e| engine_error(e, &entry.name))?;
            Ok(this.view(&entry))
        })
        .await
    }

    /// Measured use, beside its limits. Wakes nobody.
    pub async fn usage(&self, name: &str) -> Answer<ClusterUsage> {
        let entry = self.entry(name)?;
        self.engines()
            .usage(entry.id)
            .await
            .map_err(|e| engine_error(e, &entry.name))
    }

    /// Lets a cluster at its disk limit delete, drop and truncate for this long.
    pub async fn allow_shrink(&self, name: &str, time: Duration) -> Answer<()> {
        let entry = self.entry(name)?;
        if !limits::ALLOW_SHRINK.contains(&time) {
            let message = "allow_shrink is out of range";
            return Err(ControlError::new(
                ErrorCode::BadLimits,
                message,
                "give a time from 1 s to 1 h, such as 10m",
            ));
        }
        self.engines()
            .allow_shrink(entry.id, time)
            .await
            .map_err(|e| engine_error(e, &entry.name))
    }

    /// Sessions that have logged in; of one cluster or of all.
    pub fn session_list(&self, cluster: Option<&str>) -> Answer<Vec<SessionView>> {
        let only = cluster
            .map(|name| self.entry(name))
            .transpose()?
            .map(|entry| entry.id);
        let view = |s: tidegate_model::SessionInfo| SessionView {
            id: s.id,
            client: s.client,
            cluster: self
                .register()
                .by_id(s.cluster)
                .map(|entry| entry.name.clone()),
            user: s.user,
            tls: s.tls,
            age: s.age,
        };
        Ok(self.sessions().list(only).into_iter().map(view).collect())
    }

    /// Asks one session to end. To a caller who may not end those of its cluster it does not exist;
    /// the name is `None` if that cluster was deleted.
    pub fn kill_session(&self, id: u64, may_end: impl Fn(Option<&str>) -> bool) -> Answer<()> {
        let found = SessionId::is_ours(id)
            .and_then(|session| Some((session, self.sessions().cluster_of(session)?)));
        let name = |cluster| {
            self.register()
                .by_id(cluster)
                .map(|entry| entry.name.clone())
        };
        match found {
            Some((session, cluster))
                if may_end(name(cluster).as_ref().map(ClusterName::as_str))
                    && self.sessions().kill(session) =>
            {
                Ok(())
            }
            _ => Err(ControlError::new(
                ErrorCode::NotFound,
                format!("there is no session {id}"),
                "`tidegate session list` shows those that are open",
            )),
        }
    }

    async fn create(&self, new: NewCluster) -> Answer<WithPassword> {
        let limits = new.limits.unwrap_or(self.default_limits());
        check(&limits)?;
        let engine = self.choose_engine(new.engine.as_deref(), &new.parameters)?;
        let password = password::generate()?;
        let stage2 = password::stage2(&password);
        // 1. On record before anything stands on disk. 2. The files. 3. Visible. Whoever finds an
        //    end after 1 or 2 sweeps it at the next start.
        let row = self.reserve(new.name.as_deref(), engine, limits).await?;
        let made = async {
            self.engines()
                .create(spec(&row), stage2)
                .await
                .map_err(|e| engine_error(e, &row.name))?;
            Ok(self.store().publish(row.id, &seed(stage2)).await?)
        };
        let row = match made.await {
            Ok(row) => row,
            Err(e) => {
                self.discard(&row).await;
                return Err(e);
            }
        };
        let entry = self.register().insert(row);
        Ok(WithPassword {
            cluster: self.view(&entry),
            password,
        })
    }

    /// Checks a wanted kind of engine and its parameters.
    fn choose_engine(
        &self,
        wanted: Option<&str>,
        parameters: &serde_json::Map<String, serde_json::Value>,
    ) -> Answer<ClusterEngine> {
        let default = self.engines().kinds().next().map(|kind| kind.name);
        let name = wanted.or(default).unwrap_or_default();
        let Some(kind) = self.engines().kind(name) else {
            let names: Vec<_> = self.engines().kinds().map(|kind| kind.name).collect();
            return Err(ControlError::unknown_kind(name, &names));
        };
        let description = kind.description();
        let checked = EngineParameters::check(description.parameters, parameters)
            .and_then(|checked| kind.check_parameters(&checked).map(|()| checked));
        let parameters = checked
            .map_err(|e| ControlError::new(ErrorCode::BadParameters, e.to_string(), e.hint()))?;
        Ok(ClusterEngine {
            kind: description.name.to_owned(),
            parameters,
        })
    }

    async fn reserve(
        &self,
        given: Option<&str>,
        engine: ClusterEngine,
        limits: ClusterLimits,
    ) -> Answer<ClusterRow> {
        let given = match given {
            Some(text) => Some(ClusterName::parse(text).map_err(|_| ControlError::bad_name(text))?),
            None => None,
        };
        for _ in 0..limits::DRAWS_MAX {
            let name = match &given {
                Some(name) => name.clone(),
                None => names::generate()?,
            };
            let wanted = Reservation {
                name,
                prefix: Prefix::random()?,
                created_unix: now_unix(),
                engine: engine.clone(),
                limits,
            };
            let reserved = match self.uids() {
                Some(uids) => uids.reserve(self.store(), &wanted, self.strays()).await,
                None => self.store().reserve(&wanted, None, self.strays()).await,
            };
            match reserved {
                Err(StoreError::PrefixTaken) => {}
                Err(StoreError::NameTaken(_)) if given.is_none() => {}
                other => return Ok(other?),
            }
        }
        Err(ControlError::internal("no free name or prefix was drawn"))
    }

    /// After a creation that failed. What can't be removed now is swept at the next start.
    async fn discard(&self, row: &ClusterRow) {
        let files = match self.engines().remove(row.id).await {
            Ok(()) | Err(EngineError::Unknown(_)) => Ok(()),
            Err(e) => Err(e.report()),
        };
        let done = match files {
            Ok(()) => self.store().bury(row.id).await.map_err(|e| e.to_string()),
            Err(e) => self
                .store()
                .begin_delete(row.id)
                .await
                .map_err(|e| e.to_string())
                .and(Err(e)),
        };
        if let Err(error) = done {
            tracing::warn!(cluster = %row.id, error, "a cluster that could not be created is not \
                 wholly removed");
        }
    }

    async fn delete(&self, name: &str) -> Answer<()> {
        let (entry, _held) = self.exclusive(name).await?;
        // What exists of it can't be deleted, so neither is the record that leads to it.
        if self.engines().kind(&entry.engine.kind).is_none() {
            let kind = &entry.engine.kind;
            return Err(ControlError::new(
                ErrorCode::Unsupported,
                format!("cluster {name:?} has an engine of the unknown kind {kind:?}"),
                "delete it with the version of Tidegate that created it",
            ));
        }
        self.store().begin_delete(entry.id).await?;
        self.register().remove(&entry);
        self.end_sessions(&entry);
        self.journal()
            .record(&Event::ClusterDeleted { cluster: entry.id });
        self.engines().remove(entry.id).await.map_err(|e| {
            let error = engine_error(e, &entry.name);
            let hint =
                "it is deleted all the same; its files are removed at the server's next start";
            ControlError::new(error.code, error.message, hint)
        })?;
        // Those that logged in between the two.
        self.end_sessions(&entry);
        self.store().bury(entry.id).await?;
        Ok(())
    }

    fn end_sessions(&self, entry: &Entry) {
        for session in self.sessions().list(Some(entry.id)) {
            self.sessions().kill(session.id);
        }
    }

    async fn change_password(&self, name: &str, repair: bool) -> Answer<WithPassword> {
        let (entry, _held) = self.exclusive(name).await?;
        let password = password::generate()?;
        let stage2 = password::stage2(&password);
        // Of root only: it must work whatever the other accounts are.
        let changed = match repair {
            true => self.engines().repair_password(entry.id, ROOT, stage2).await,
            false => self.engines().set_password(entry.id, ROOT, stage2).await,
        };
        let book = changed.map_err(|e| password_error(e, &entry.name))?;
        self.register()
            .books()
            .learn(entry.id, &[ROOT.to_owned()], &book);
        let has_it = |a: Account| {
            a.user == ROOT && !a.locked && a.verifiers.contains(&Verifier::Native(stage2))
        };
        if !book.accounts.iter().any(has_it) {
            return Err(ControlError::new(
                ErrorCode::EngineFailed,
                format!("the engine of cluster {name:?} did not take the new password"),
                "try again; the server's log tells more",
            ));
        }
        Ok(WithPassword {
            cluster: self.view(&entry),
            password,
        })
    }

    fn view(&self, entry: &Entry) -> ClusterView {
        // A cluster that is being deleted under a reader's hands has no engine any more.
        let state = self
            .engines()
            .state(entry.id)
            .unwrap_or(ClusterState::Asleep);
        ClusterView {
            id: entry.id,
            name: entry.name.clone(),
            prefix: entry.prefix.clone(),
            state,
            failure: (state == ClusterState::Failed)
                .then(|| self.engines().failure(entry.id))
                .flatten(),
            created_unix: entry.created_unix,
            engine: entry.engine.clone(),
            sleeps: self.sleeps(entry),
            sessions: self.sessions().count(entry.id),
            limits: entry.limits(),
            complete_book: entry.has_complete_book(),
        }
    }

    fn sleeps(&self, entry: &Entry) -> bool {
        let kind = self.engines().kind(&entry.engine.kind);
        kind.is_some_and(|kind| kind.description().abilities.sleeps)
    }

    fn entry(&self, name: &str) -> Answer<Arc<Entry>> {
        // A name that could not exist does not exist.
        let parsed = ClusterName::parse(name).map_err(|_| ControlError::not_found(name))?;
        self.register()
            .by_name(&parsed)
            .ok_or_else(|| ControlError::not_found(name))
    }

    /// The cluster, with nobody else changing it.
    async fn exclusive(&self, name: &str) -> Answer<(Arc<Entry>, OwnedMutexGuard<()>)> {
        let entry = self.entry(name)?;
        let lock = Arc::clone(&entry.operation).lock_owned();
        let held = timeout(limits::OPERATION_WAIT, lock)
            .await
            .map_err(|_| ControlError::busy(&entry.name))?;
        // The one we waited for may have deleted it.
        let now = self.entry(name)?;
        if now.id != entry.id {
            return Err(ControlError::not_found(name));
        }
        Ok((entry, held))
    }

    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Answer<T>> + Send + 'static,
    ) -> Answer<T> {
        if self.stopping() {
            return Err(stopping());
        }
        tokio::spawn(work)
            .await
            .unwrap_or_else(|e| Err(ControlError::internal(e)))
    }
}

fn check(wanted: &ClusterLimits) -> Answer<()> {
    let bad = |what: &str, hint: String| Err(ControlError::new(ErrorCode::BadLimits, what, hint));
    let (least, most) = limits::CONNECTIONS.into_inner();
    if !limits::CONNECTIONS.contains(&wanted.connections_max) {
        return bad(
            "connections_max is out of range",
            format!("give a number from {least} to {most}"),
        );
    }
    let time = |what: &str, range: RangeInclusive<Duration>| {
        let (least, most) = range.into_inner();
        let days = most.as_secs() / 86_400;
        bad(
            what,
            format!("give a time from {} s to {days} days", least.as_secs_f64()),
        )
    };
    if !limits::SLEEP_AFTER.contains(&wanted.sleep_after) {
        return time("sleep_after is out of range", limits::SLEEP_AFTER);
    }
    if !limits::TRANSACTION_IDLE.contains(&wanted.transaction_idle_max) {
        return time(
            "transaction_idle_max is out of range",
            limits::TRANSACTION_IDLE,
        );
    }
    check_machine(wanted)
}

/// Limits of what the engine may use of the machine.
fn check_machine(wanted: &ClusterLimits) -> Answer<()> {
    let size = |name: &str, value: u64, range: RangeInclusive<u64>, why: &str| {
        let (least, most) = range.clone().into_inner();
        if range.contains(&value) {
            return Ok(());
        }
        let (message, hint) = match value < least {
            true => (
                format!("{name} of {} is too small: {why}", Size(value)),
                format!("give at least {}", Size(least)),
            ),
            false => (
                format!("{name} of {} is too large", Size(value)),
                format!("give at most {}", Size(most)),
            ),
        };
        Err(ControlError::new(ErrorCode::BadLimits, message, hint))
    };
    let number = |name: &str, value: u32, range: RangeInclusive<u32>| {
        if range.contains(&value) {
            return Ok(());
        }
        let (least, most) = range.into_inner();
        let hint = format!("give a number from {least} to {most}");
        Err(ControlError::new(
            ErrorCode::BadLimits,
            format!("{name} of {value} is out of range"),
            hint,
        ))
    };
    size(
        "memory_max",
        wanted.memory_max_bytes,
        limits::MEMORY,
        "the engine can't start with it",
    )?;
    size(
        "disk_max",
        wanted.disk_max_bytes,
        limits::DISK,
        "a cluster without data nearly fills it",
    )?;
    number("cpu_weight", wanted.cpu_weight, limits::CPU_WEIGHT)?;
    number("tasks_max", wanted.tasks_max, limits::TASKS)
}

/// What a cluster is born with: root from anywhere.
fn seed(stage2: [u8; 20]) -> AccountBook {
    let root = Account {
        user: ROOT.to_owned(),
        host: "%".to_owned(),
        verifiers: vec![Verifier::Native(stage2)],
        locked: false,
        requires: Requirement::None,
    };
    AccountBook {
        accounts: [root].into_iter().collect(),
        run: RunEpoch(0),
        read_began: None,
    }
}

fn stopping() -> ControlError {
    ControlError::new(
        ErrorCode::Stopping,
        "the server is stopping",
        "start it again, then repeat this",
    )
}

/// Error of a change of root's password.
fn password_error(e: EngineError, name: &ClusterName) -> ControlError {
    if !e.is_delay() {
        return engine_error(e, name);
    }
    let name = name.as_str();
    ControlError::new(
        ErrorCode::Busy,
        format!(
            "the engine of cluster {name:?} did not change the password in time: {}; no session \
             was ended and nothing was repaired",
            e.report()
        ),
        format!(
            "a session may have locked the accounts, as a backup does: wait for it, then try \
             again. `tidegate cluster password {name} --repair` does not wait: it ends the engine \
             and all its sessions, and creates root anew"
        ),
    )
}

fn engine_error(e: EngineError, name: &ClusterName) -> ControlError {
    match e {
        EngineError::Busy => ControlError::new(
            ErrorCode::Busy,
            format!("a session of cluster {:?} is busy", name.as_str()),
            "wait until it is done, or end it: `tidegate session list` and `tidegate session kill \
             ID`",
        ),
        EngineError::Stopping => stopping(),
        EngineError::Unsupported(_) => ControlError::new(
            ErrorCode::Unsupported,
            format!("cluster {:?}: {e}", name.as_str()),
            "`tidegate cluster engines` shows what each kind of engine can do",
        ),
        refused @ EngineError::Refused {
            kind: RefusalKind::DiskFull | RefusalKind::DiskLimit,
            ..
        } => ControlError::new(
            ErrorCode::EngineFailed,
            refused.to_string(),
            format!(
                "free space on the file system of the data directory, or let this cluster start \
                 and give back what it took: `tidegate cluster set {name} --allow-shrink 10m`, \
                 then `tidegate cluster wake {name}`",
                name = name.as_str()
            ),
        ),
        other => engine_failed(other),
    }
}
