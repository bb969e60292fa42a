//! Heavy use of CPU time: an engine that uses much gives way to those that use little, so that a
//! tenant's long calculation does not delay another tenant's short query. While there is CPU time
//! to spare, an engine that gives way loses nothing.

use super::cpu_share::CpuShare;
use super::group::EngineGroup;
use crate::limits::{
    CPU_BURST, CPU_CALM_FOR, CPU_CALM_SHARE, CPU_HEAVY_SHARE, CPU_TICK, CPU_TICK_GROUPS,
};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The groups of all engines that run. A separate thread measures them: it must act while the
/// machine has no CPU time to spare, when tasks of the server wait for each other.
#[derive(Debug)]
pub struct HeavyUse {
    groups: Arc<Mutex<VecDeque<WatchedGroup>>>,
}

impl HeavyUse {
    /// Starts the thread. It ends soon after this value is dropped.
    pub fn start() -> io::Result<Self> {
        let groups = Arc::default();
        let watched: Weak<Mutex<VecDeque<WatchedGroup>>> = Arc::downgrade(&groups);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::Builder::new()
            .name("tidegate-cpu".to_owned())
            .spawn(move || {
                while let Some(groups) = watched.upgrade() {
                    watch_once(&groups, cores);
                    drop(groups);
                    std::thread::sleep(CPU_TICK);
                }
            })?;
        Ok(Self { groups })
    }

    /// Watches a group until it is removed.
    pub fn watch(&self, group: &EngineGroup) {
        if group.cpu_share().is_some_and(CpuShare::can_give_way) {
            let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
            groups.push_back(WatchedGroup::new(group.clone()));
        }
    }
}

/// Measures the groups whose turn it is. At most [`CPU_TICK_GROUPS`], which bounds the cost with
/// thousands of engines.
fn watch_once(groups: &Mutex<VecDeque<WatchedGroup>>, cores: usize) {
    let mut turn: Vec<WatchedGroup> = {
        let mut groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
        let count = groups.len().min(CPU_TICK_GROUPS);
        // Taken from the front and put back at the end, so that every group gets its turn.
        groups.drain(..count).collect()
    };
    let now = Instant::now();
    turn.retain_mut(|watched| watched.measure(now));
    let busy = turn
        .iter()
        .filter(|watched| watched.cores_used > CPU_CALM_SHARE)
        .count();
    let threshold = heavy_threshold(cores, busy);
    for watched in &mut turn {
        watched.decide(now, threshold);
    }
    groups
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(turn);
}

/// Returns the use, in cores, above which an engine is heavy: [`CPU_HEAVY_SHARE`], or less where
/// so many engines are busy that this would be above the share of each. Else many engines just
/// below it would leave nothing for one above it.
fn heavy_threshold(cores: usize, busy: usize) -> f64 {
    CPU_HEAVY_SHARE.min(to_f64(cores) / to_f64(busy.max(1)))
}

fn to_f64(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[derive(Debug)]
struct WatchedGroup {
    group: EngineGroup,
    last: Option<(Instant, Duration)>,
    /// Between the last two measurements, and the seconds between them.
    cores_used: f64,
    passed: f64,
    /// Seconds of CPU time used beyond the threshold of late (a leaky bucket).
    excess: f64,
    heavy_at: Option<Instant>,
    gives_way: bool,
}

impl WatchedGroup {
    fn new(group: EngineGroup) -> Self {
        Self {
            group,
            last: None,
            cores_used: 0.0,
            passed: 0.0,
            excess: 0.0,
            heavy_at: None,
            gives_way: false,
        }
    }

    /// Returns false if the group is gone.
    fn measure(&mut self, now: Instant) -> bool {
        let Some(used) = self.group.cpu_time() else {
            return false;
        };
        if let Some((at, before)) = self.last.replace((now, used)) {
            self.passed = now.saturating_duration_since(at).as_secs_f64();
            let spent = used.saturating_sub(before).as_secs_f64();
            self.cores_used = if self.passed > 0.0 {
                spent / self.passed
            } else {
                0.0
            };
        }
        true
    }

    fn decide(&mut self, now: Instant, threshold: f64) {
        self.excess = (self.excess + (self.cores_used - threshold) * self.passed).max(0.0);
        // One that gives way may get too little time to be heavy, so it has to be calm for a while.
        let still_busy = self.gives_way && self.cores_used > CPU_CALM_SHARE.min(threshold);
        if self.excess > CPU_BURST.as_secs_f64() || still_busy {
            self.heavy_at = Some(now);
            self.excess = 0.0;
        }
        let recently = |at: Instant| now.saturating_duration_since(at) < CPU_CALM_FOR;
        let gives_way = self.heavy_at.is_some_and(recently);
        // Written only on a change: most engines stay in their class at most ticks.
        if gives_way == self.gives_way {
            return;
        }
        let Some(share) = self.group.cpu_share() else {
            return;
        };
        match share.give_way(gives_way) {
            Ok(()) => self.gives_way = gives_way,
            // The engine has ended meanwhile; anything else is tried again at the next measurement.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::debug!(%error, "the CPU class of an engine could not be set"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hierarchy::Version;
    use super::super::parent::{Controller, Parent};
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::path::Path;
    use std::sync::mpsc;

    /// Files of a group that this thread reads and writes.
    const FILES: [&str; 2] = ["cpuacct.usage", "cpu.idle"];

    /// A group in a folder, with the files that the kernel would provide.
    fn group_in(folder: &Path, name: &str) -> EngineGroup {
        let controllers = vec![Controller::Cpu, Controller::CpuTime];
        let base = folder.to_owned();
        let parent = Parent::new(Version::V1, base, String::new(), controllers);
        let group = EngineGroup::make(std::slice::from_ref(&parent), name).unwrap();
        for file in FILES {
            std::fs::write(parent.group(name).join(file), "0").unwrap();
        }
        group
    }

    #[test]
    fn the_threshold_falls_with_the_number_of_busy_engines() {
        assert!((heavy_threshold(2, 0) - CPU_HEAVY_SHARE).abs() < 1e-9);
        assert!((heavy_threshold(2, 2) - CPU_HEAVY_SHARE).abs() < 1e-9);
        assert!((heavy_threshold(2, 20) - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_list_full_of_one_clusters_ended_engines_leaves_the_others_their_turn() {
        let folder = tempfile::tempdir().unwrap();
        let ended = group_in(folder.path(), "1");
        std::fs::remove_dir_all(folder.path().join("1")).unwrap();
        let mut list: VecDeque<_> = (0..25 * CPU_TICK_GROUPS)
            .map(|_| WatchedGroup::new(ended.clone()))
            .collect();
        list.push_back(WatchedGroup::new(group_in(folder.path(), "2")));
        let groups = Mutex::new(list);
        for _ in 0..=25 {
            watch_once(&groups, 2);
        }
        let list = groups.into_inner().unwrap();
        assert_eq!(list.len(), 1, "engines that ended leave the list");
        assert!(list[0].last.is_some(), "the other cluster was measured");
    }

    /// The use of one group can't be read for now, because its file is a pipe without a writer.
    #[test]
    fn a_group_that_is_slow_to_measure_keeps_no_other_from_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let slow = group_in(folder.path(), "1");
        let usage = folder.path().join("1").join(FILES[0]);
        std::fs::remove_file(&usage).unwrap();
        mknodat(CWD, &usage, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let started = HeavyUse {
            groups: Arc::default(),
        };
        started.watch(&slow);
        let groups = Arc::clone(&started.groups);
        let measuring = std::thread::spawn(move || watch_once(&groups, 2));
        // The measurement has begun when it has taken the group out of the list. A lock that it
        // kept would be seen here.
        let until = Instant::now() + Duration::from_secs(10);
        while !started.groups.try_lock().is_ok_and(|list| list.is_empty()) {
            assert!(
                Instant::now() < until,
                "the list is locked while a group is measured"
            );
            std::thread::yield_now();
        }
        let other = group_in(folder.path(), "2");
        let (joined, has_joined) = mpsc::channel();
        let groups = Arc::clone(&started.groups);
        std::thread::spawn(move || {
            HeavyUse { groups }.watch(&other);
            joined.send(()).unwrap();
        });
        has_joined.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(!measuring.is_finished(), "still being measured");
        std::fs::write(&usage, "0").unwrap();
        measuring.join().unwrap();
        assert_eq!(started.groups.lock().unwrap().len(), 2);
    }
}
