//! The guard of one cluster's disk limit: measures the use and sets the level of the running
//! engine. One per cluster, over all runs.

use super::level::{DiskLevel, DiskState, DiskUse};
use super::measure::measure;
use super::quota::DiskQuotas;
use super::watch::SpaceWatch;
use crate::driver::Run;
use crate::local::folder::Folder;
use crate::local::run::LocalRun;
use crate::local::space::Space;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tidegate_model::{ClusterId, LiveSwitch, Size, error_chain};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub struct DiskGuard {
    cluster: ClusterId,
    data: PathBuf,
    /// Emptied before each start.
    tmp: PathBuf,
    root: PathBuf,
    quotas: DiskQuotas,
    /// The file system's limit as it was set last.
    quota: tokio::sync::Mutex<Option<u64>>,
    state: Mutex<DiskState>,
    /// Locked during the first measurement, so that many callers cause one.
    first: tokio::sync::Mutex<()>,
    /// The engine that is awake.
    run: Mutex<Option<Weak<LocalRun>>>,
    space: Arc<SpaceWatch>,
    /// On while the engine is read-only because of the limit.
    at_limit: LiveSwitch,
    /// A limit changed, deleting was allowed, or free space fell.
    changed: Notify,
}

impl DiskGuard {
    pub fn new(
        cluster: ClusterId,
        folder: &Folder,
        (quotas, space): (DiskQuotas, Arc<SpaceWatch>),
        soft: u64,
    ) -> Self {
        Self {
            cluster,
            data: folder.data(),
            tmp: folder.tmp(),
            root: folder.root().to_owned(),
            quotas,
            quota: tokio::sync::Mutex::new(None),
            state: Mutex::new(DiskState::new(soft)),
            first: tokio::sync::Mutex::default(),
            run: Mutex::new(None),
            space,
            at_limit: LiveSwitch::default(),
            changed: Notify::new(),
        }
    }

    /// Sets the file system's own limit, where it has one, if it is not what it should be.
    async fn set_quota(&self) {
        let mut set = self.quota.lock().await;
        let wanted = self.state().quota();
        if self.quotas.available().is_err() || *set == Some(wanted) {
            return;
        }
        let quotas = self.quotas.clone();
        let root = self.root.clone();
        let limited = tokio::task::spawn_blocking(move || quotas.limit(&root, wanted)).await;
        match limited
            .map_err(io::Error::other)
            .and_then(|limited| limited)
        {
            // One that was made without quotas stays so: tried once.
            Ok(_) => *set = Some(wanted),
            Err(error) => {
                tracing::warn!(
                    cluster = %self.cluster,
                    %error,
                    "the cluster's file system quota can't be set; its use is measured"
                );
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        // Every critical section is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_limit(&self, soft: u64) {
        self.state().set_limit(soft);
        self.changed.notify_one();
    }

    /// Allows the cluster to write for this long although it has reached its limit, so that it can
    /// delete.
    pub async fn allow_shrink(&self, time: Duration) -> io::Result<()> {
        self.measure_first().await?;
        // Measured asleep or a moment ago; what is added meanwhile makes the ceiling lower, not
        // higher.
        self.state().allow_shrink(Instant::now() + time);
        self.set_quota().await;
        self.changed.notify_one();
        Ok(())
    }

    /// The last measurement, or a new one if there is none.
    pub async fn used(&self) -> Option<DiskUse> {
        self.measure_first().await.ok()?;
        self.state().used()
    }

    /// Measures the cluster unless it was measured before. A tenant with many files makes that
    /// slow, and each measurement takes one of the server's threads.
    async fn measure_first(&self) -> io::Result<()> {
        let _turn = self.first.lock().await;
        if self.state().used().is_none() {
            self.measure(Vec::new()).await?;
        }
        Ok(())
    }

    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Measures the cluster's folder, and deleted files that these processes keep open.
    pub async fn measure(&self, processes: Vec<i32>) -> io::Result<DiskLevel> {
        self.measure_folders(vec![self.data.clone(), self.tmp.clone()], processes)
            .await
    }

    async fn measure_folders(
        &self,
        folders: Vec<PathBuf>,
        processes: Vec<i32>,
    ) -> io::Result<DiskLevel> {
        let began = Instant::now();
        let space = Arc::clone(&self.space);
        let enough = self.state().entries_enough();
        let measured = tokio::task::spawn_blocking(move || {
            // Before the walk, so that what is written meanwhile makes the next one urgent.
            let space = space.space();
            measure(&folders, &processes, enough).map(|used| (used, space))
        });
        let (used, space) = measured.await.map_err(io::Error::other)??;
        let now = Instant::now();
        let mut state = self.state();
        state.set_used(used, space, now - began, now);
        Ok(state.level(now))
    }

    /// The engine that is awake.
    pub fn run(&self) -> Option<Arc<LocalRun>> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.as_ref().and_then(Weak::upgrade)
    }

    /// Measures the cluster and its running engine, if there is one.
    pub async fn measure_run(&self) -> io::Result<()> {
        let Some(run) = self.run() else { return Ok(()) };
        self.measure(run.processes()).await.map(drop)
    }

    /// Bytes and files that were added in the last minute or two.
    pub fn grown(&self) -> (u64, u64) {
        self.state().grown()
    }

    /// Measures at once if free space has fallen by much of the way to the limit.
    pub fn see_space(&self, space: &Space, now: Instant) {
        if self.state().is_urgent(space, now) {
            self.changed.notify_one();
        }
    }

    /// Ends the engine, which starts again when there is room.
    pub fn stop_for(&self, reason: String) {
        let Some(run) = self.run() else { return };
        tracing::warn!(cluster = %self.cluster, reason, "the engine is stopped: the disk is nearly \
             full");
        // Before the kill, so that the next start knows the reason.
        self.state().set_stopped();
        run.kill_because(reason);
    }

    /// Whether it knows something of the sleeping cluster that a new guard would not find out.
    pub fn has_lasting_state(&self) -> bool {
        let state = self.state();
        state.is_stopped() || state.is_shrinking(Instant::now())
    }

    /// Whether its engine was stopped for its growth and the disk still has too little room.
    pub fn stays_stopped(&self) -> bool {
        let Some(space) = self.space.space() else {
            return false;
        };
        self.state().stays_stopped(&space)
    }

    /// Whether the operator allows the cluster to delete now.
    pub fn is_shrinking(&self) -> bool {
        self.state().is_shrinking(Instant::now())
    }

    /// Size that one file of the engine may have.
    pub fn file_max(&self) -> u64 {
        self.state().file_max()
    }

    pub fn files_max(&self) -> u64 {
        self.state().files_max()
    }

    /// The level at which the next run would start. Measures if need be: a cluster below its limit
    /// can't have grown asleep.
    pub async fn level_at_start(&self) -> io::Result<DiskLevel> {
        let known = self.state().used().is_some();
        let mut level = self.state().level(Instant::now());
        if !known || level != DiskLevel::Free {
            // Without `tmp`, which is emptied before each start.
            level = self
                .measure_folders(vec![self.data.clone()], Vec::new())
                .await?;
        }
        self.state().set_started(level);
        self.at_limit.set(level == DiskLevel::ReadOnly);
        self.set_quota().await;
        Ok(level)
    }

    /// Switch that is on while the engine is read-only because of the limit.
    pub fn at_limit(&self) -> LiveSwitch {
        self.at_limit.clone()
    }

    pub fn started_read_only(&self) -> bool {
        self.state().started() == DiskLevel::ReadOnly
    }

    /// Reason for people why no engine may run.
    pub fn closed_reason(&self) -> String {
        let state = self.state();
        let hard = Size(state.hard()).rounded();
        match state.used() {
            Some(used) if used.entries > state.files_hard() => format!(
                "it has more than {} files, its share of the file system's inodes",
                state.files_hard()
            ),
            Some(used) if used.complete => {
                format!(
                    "its files take {}, above its hard limit of {hard}",
                    Size(used.bytes).rounded()
                )
            }
            Some(_) => "its folder is deeper than any engine's".to_owned(),
            None => format!("its hard limit is {hard}"),
        }
    }

    /// Whether the running engine keeps another limit of a file's size than it should have.
    pub fn file_size_waits(&self) -> bool {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = run.as_ref().and_then(Weak::upgrade);
        alive.is_some_and(|run| !run.set_file_max(self.file_max()))
    }

    /// Watches a run until its end.
    pub async fn watch(self: Arc<Self>, run: Weak<LocalRun>) {
        let mut level_update = LevelUpdate {
            set_level: self.state().started(),
            task: None,
        };
        let mut file_max = self.file_max();
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(Weak::clone(&run));
        // After `run` is set, because the watch drops guards without a run.
        self.space.join(&self);
        loop {
            // The end of a permission to delete is noticed by the next measurement.
            let pause = self.state().pause();
            let _ = tokio::time::timeout(pause, self.changed.notified()).await;
            // A strong reference over the pause would keep an engine alive that its supervisor has
            // dropped.
            let Some(alive) = run.upgrade() else { return };
            let level = match self.measure(alive.processes()).await {
                Ok(level) => level,
                Err(error) => {
                    tracing::warn!(
                        cluster = %self.cluster,
                        %error,
                        "the cluster's disk use can't be measured"
                    );
                    level_update.set_level
                }
            };
            // Read-only is a setting that a tenant with all rights can undo, so the hard limit ends
            // the process.
            if level == DiskLevel::Closed {
                let reason = self.closed_reason();
                tracing::warn!(
                    cluster = %self.cluster,
                    reason,
                    "the engine is stopped: its cluster reached the hard disk limit"
                );
                alive.kill_because(reason);
                return;
            }
            let wanted = self.file_max();
            // Only after a change: as a service the server may lack the right (CAP_SYS_RESOURCE),
            // and each try would fail.
            if std::mem::replace(&mut file_max, wanted) != wanted {
                alive.set_file_max(wanted);
            }
            level_update.send(&self, alive, level).await;
            self.set_quota().await;
        }
    }

    /// Sets the engine's level. True if that succeeded.
    async fn apply(&self, run: &LocalRun, level: DiskLevel, before: DiskLevel) -> bool {
        let read_only = level == DiskLevel::ReadOnly;
        // Before the first statement is refused, which is told why.
        self.at_limit
            .set(read_only || before == DiskLevel::ReadOnly);
        let set = run.set_read_only(read_only).await;
        let now = if set.is_ok() { level } else { before };
        self.at_limit.set(now == DiskLevel::ReadOnly);
        match set {
            Ok(()) if before != level => {
                let used = self.state().used().map_or(0, |used| used.bytes);
                tracing::info!(
                    cluster = %self.cluster,
                    read_only,
                    used,
                    "the cluster's disk level changed"
                );
                true
            }
            Ok(()) => true,
            // A statement or LOCK TABLES of the tenant delays it. Until then the hard limit still
            // stops the engine.
            Err(error) => {
                let error = error_chain(&error);
                tracing::warn!(
                    cluster = %self.cluster,
                    error,
                    read_only,
                    "the engine's disk level could not be set"
                );
                false
            }
        }
    }
}

/// Task that sets the engine's level while measurements continue: a tenant's statements can delay
/// it for seconds.
struct LevelUpdate {
    /// The level that is set in the engine.
    set_level: DiskLevel,
    task: Option<JoinHandle<Option<DiskLevel>>>,
}

impl LevelUpdate {
    /// Sets the level in the engine. Repeated while read-only: a tenant can make itself an
    /// administrator and write again.
    async fn send(&mut self, guard: &Arc<DiskGuard>, run: Arc<LocalRun>, level: DiskLevel) {
        if let Some(task) = self.task.take_if(|task| task.is_finished())
            && let Ok(Some(taken)) = task.await
        {
            self.set_level = taken;
        }
        if self.task.is_some() || (level == DiskLevel::Free && self.set_level == level) {
            return;
        }
        let guard = Arc::clone(guard);
        let before = self.set_level;
        self.task = Some(tokio::spawn(async move {
            guard
                .apply(run.as_ref(), level, before)
                .await
                .then_some(level)
        }));
    }
}

impl Drop for LevelUpdate {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn guard(id: u64, root: &std::path::Path, watch: &Arc<SpaceWatch>) -> Arc<DiskGuard> {
        let folder = Folder::new(root.join(id.to_string()), None);
        std::fs::create_dir_all(folder.data()).unwrap();
        std::fs::create_dir_all(folder.tmp()).unwrap();
        let shared = (DiskQuotas::find(root), Arc::clone(watch));
        Arc::new(DiskGuard::new(ClusterId(id), &folder, shared, 1 << 30))
    }

    async fn ask_for_use(guard: &DiskGuard, answered: &AtomicUsize) -> Option<DiskUse> {
        let used = guard.used().await;
        // Another measurement would find this file.
        let number = answered.fetch_add(1, Ordering::SeqCst);
        std::fs::write(guard.data.join(number.to_string()), "").unwrap();
        used
    }

    #[tokio::test]
    async fn a_crowd_that_asks_for_one_clusters_use_measures_it_once_and_delays_no_other() {
        let temp = tempfile::tempdir().unwrap();
        let watch = SpaceWatch::new(temp.path(), temp.path());
        let asked = guard(1, temp.path(), &watch);
        let other = guard(2, temp.path(), &watch);
        let answered = AtomicUsize::new(0);
        // Simulates a measurement that does not end: of a folder with a million files.
        let measuring = asked.first.lock().await;
        let mut crowd = Box::pin(join_all((0..1000).map(|_| ask_for_use(&asked, &answered))));
        tokio::select! {
            biased;
            _ = &mut crowd => panic!("it is still being measured"),
            used = other.used() => assert!(used.is_some()),
        }
        assert_eq!(answered.load(Ordering::SeqCst), 0);
        drop(measuring);
        let all = crowd.await;
        assert!(all[0].is_some() && all.iter().all(|used| *used == all[0]));
    }
}
