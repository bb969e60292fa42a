//! Watch over the free space of the file system that all clusters share. One statement can take
//! gigabytes in a moment, so while an engine is awake it asks for the free space four times a
//! second. If it falls, clusters that may be near their limit are measured; if it runs short, the
//! engine that grew most is stopped.

use super::guard::DiskGuard;
use super::reserve::StartReserve;
use crate::bound_task::BoundTask;
use crate::limits::{GROWTH_DIVISOR, GROWTH_FILES_MIN, GROWTH_MIN, SPACE_MEASURE_MAX, SPACE_PAUSE};
use crate::local::space::Space;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;
use tidegate_model::{ClusterId, Size};
use tokio::sync::Notify;

#[derive(Debug)]
pub struct SpaceWatch {
    folder: PathBuf,
    reserve: StartReserve,
    /// Guards of awake engines.
    awake: Mutex<HashMap<ClusterId, Weak<DiskGuard>>>,
    joined: Notify,
}

impl SpaceWatch {
    /// Watch over the file system of this folder. `run`: the room's own folder below it.
    pub fn new(folder: &Path, run: &Path) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.to_owned(),
            reserve: StartReserve::new(run),
            awake: Mutex::default(),
            joined: Notify::new(),
        })
    }

    /// Watches until the returned value is dropped.
    pub fn begin(self: &Arc<Self>) -> BoundTask {
        let this = Arc::clone(self);
        BoundTask::spawn(async move {
            loop {
                let guards = this.guards();
                this.turn(&guards).await;
                // While all engines sleep, no cluster can grow.
                if guards.is_empty() {
                    this.joined.notified().await;
                }
                tokio::time::sleep(SPACE_PAUSE).await;
            }
        })
    }

    /// Watches over this guard's engine as long as it is awake.
    pub fn join(&self, guard: &Arc<DiskGuard>) {
        let mut awake = self.awake.lock().unwrap_or_else(PoisonError::into_inner);
        // A guard joins at each start of its cluster's engine and may be there already.
        awake.insert(guard.cluster(), Arc::downgrade(guard));
        drop(awake);
        self.joined.notify_one();
    }

    fn guards(&self) -> Vec<Arc<DiskGuard>> {
        let mut awake = self.awake.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        awake.retain(|_, guard| {
            let alive = guard.upgrade().filter(|guard| guard.run().is_some());
            let stays = alive.is_some();
            out.extend(alive);
            stays
        });
        out
    }

    pub fn space(&self) -> Option<Space> {
        Space::below(&self.folder).ok()
    }

    /// Frees the room that is kept back for a start that an operator allowed.
    pub fn release_reserve(&self) {
        if self.reserve.release() {
            tracing::warn!(
                "the disk is nearly full: a start that the operator allowed uses the reserve"
            );
        }
    }

    async fn turn(self: &Arc<Self>, guards: &[Arc<DiskGuard>]) {
        let this = Arc::clone(self);
        // A file system of another machine may not answer.
        let asked = tokio::task::spawn_blocking(move || {
            let space = this.space()?;
            if let Err(error) = this.reserve.restore(&space) {
                tracing::debug!(%error, "no reserve for starts on a full disk");
            }
            Some(space)
        });
        let Ok(Some(space)) = asked.await else { return };
        for guard in guards {
            guard.see_space(&space, Instant::now());
        }
        if space.lacks_bytes() || space.lacks_files() {
            self.stop_grower(guards, &space).await;
        }
    }

    /// Ends the engine that grew most, if one grew enough to matter.
    async fn stop_grower(&self, guards: &[Arc<DiskGuard>], space: &Space) {
        let measured = guards.iter().map(async |guard| {
            // One that takes longer is judged by its last measurement.
            let _ = tokio::time::timeout(SPACE_MEASURE_MAX, guard.measure_run()).await;
            (guard.grown(), guard)
        });
        let measured = join_all(measured).await;
        let bytes = measured.iter().max_by_key(|((bytes, _), _)| *bytes);
        let files = measured.iter().max_by_key(|((_, files), _)| *files);
        // An engine must have grown by much of what is left: none is stopped for a disk that
        // something else fills.
        if space.lacks_bytes()
            && let Some(((grown, _), guard)) = bytes
            && *grown >= (space.free / GROWTH_DIVISOR).max(GROWTH_MIN)
        {
            guard.stop_for(format!(
                "the disk has {} left, and this cluster's files grew most, by {}",
                Size(space.free).rounded(),
                Size(*grown).rounded()
            ));
        } else if space.lacks_files()
            && let Some(((_, grown), guard)) = files
            && *grown >= (space.free_files / GROWTH_DIVISOR).max(GROWTH_FILES_MIN)
        {
            guard.stop_for(format!(
                "the file system has {} inodes left, and this cluster made most files, {grown}",
                space.free_files
            ));
        }
    }
}
