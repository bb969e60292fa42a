//! Control group of an engine: its limits, its use, and killing it. It moves no process: the
//! engine's helper enters the group before it can start another process.

use super::cpu_share::CpuShare;
use super::files::{make_group, processes, read_field, read_number, remove_group, write_value};
use super::hierarchy::Version;
use super::parent::{Controller, Parent};
use crate::driver::RunUsage;
use crate::limits::{GROUP_EMPTY_MAX, GROUP_EMPTY_RETRY, GROUP_KILL_ROUNDS};
use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_model::ClusterLimits;

/// The limits of one engine that its group enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLimits {
    pub memory_max_bytes: u64,
    /// 1 to 10,000; 100 is everybody's default.
    pub cpu_weight: u32,
    pub tasks_max: u32,
}

impl From<&ClusterLimits> for GroupLimits {
    fn from(limits: &ClusterLimits) -> Self {
        Self {
            memory_max_bytes: limits.memory_max_bytes,
            cpu_weight: limits.cpu_weight,
            tasks_max: limits.tasks_max,
        }
    }
}

/// Group of an engine in each hierarchy that is used.
#[derive(Debug, Clone)]
pub struct EngineGroup {
    dirs: Vec<(Parent, PathBuf)>,
    /// None without the controller.
    cpu: Option<Arc<CpuShare>>,
}

impl EngineGroup {
    pub fn make(parents: &[Parent], name: &str) -> io::Result<Self> {
        let mut this = Self {
            dirs: Vec::new(),
            cpu: None,
        };
        for parent in parents {
            let dir = parent.group(name);
            // The operator's group is made again where it was removed as empty.
            let made = make_group(&dir)
                .or_else(|_| make_group(&parent.base).and_then(|()| make_group(&dir)));
            if let Err(e) = made {
                // A group in some of the hierarchies only would enforce a part of the limits.
                this.remove();
                return Err(e);
            }
            if parent.has(Controller::Cpu) {
                this.cpu = Some(Arc::new(CpuShare::of_group(parent.version, dir.clone())));
            }
            this.dirs.push((parent.clone(), dir));
        }
        Ok(this)
    }

    /// The group of one hierarchy that another server made, for its end only.
    pub fn of_leftover(dir: &Path) -> Self {
        Self {
            dirs: vec![(Parent::of_leftover(dir), dir.to_owned())],
            cpu: None,
        }
    }

    /// For tests: behaves as if the kernel lacked these controllers.
    #[cfg(test)]
    pub fn forget(&mut self, controllers: &[Controller]) {
        for (parent, _) in &mut self.dirs {
            parent.forget(controllers);
        }
    }

    /// Files that a process writes `0` to in order to enter.
    pub fn entrances(&self) -> Vec<PathBuf> {
        self.dirs
            .iter()
            .map(|(_, dir)| dir.join("cgroup.procs"))
            .collect()
    }

    /// Sets all limits. Valid from now on, also for an engine that runs.
    pub fn set_limits(&self, limits: GroupLimits) -> io::Result<()> {
        for (parent, dir) in &self.dirs {
            if parent.has(Controller::Memory) {
                set_memory(parent.version, dir, limits.memory_max_bytes)?;
            }
            if parent.has(Controller::Pids) {
                write_value(&dir.join("pids.max"), &limits.tasks_max.to_string())?;
            }
        }
        match &self.cpu {
            Some(share) => share.set_weight(limits.cpu_weight),
            None => Ok(()),
        }
    }

    /// Its share of CPU time. None without the controller.
    pub fn cpu_share(&self) -> Option<&CpuShare> {
        self.cpu.as_deref()
    }

    /// The CPU time that everything in the group has used so far. None if it can't be read.
    pub fn cpu_time(&self) -> Option<Duration> {
        self.dirs.iter().find_map(|(parent, dir)| {
            if !parent.has(Controller::CpuTime) {
                return None;
            }
            match parent.version {
                Version::V2 => {
                    read_field(&dir.join("cpu.stat"), "usage_usec").map(Duration::from_micros)
                }
                Version::V1 => read_number(&dir.join("cpuacct.usage")).map(Duration::from_nanos),
            }
        })
    }

    pub fn usage(&self) -> RunUsage {
        let mut out = RunUsage {
            cpu_micros: self
                .cpu_time()
                .and_then(|time| u64::try_from(time.as_micros()).ok()),
            ..RunUsage::default()
        };
        for (parent, dir) in &self.dirs {
            let v2 = parent.version == Version::V2;
            if parent.has(Controller::Memory) {
                // Without the page cache, which the kernel frees when memory is short.
                let anonymous = if v2 { "anon" } else { "total_rss" };
                out.memory_bytes = read_field(&dir.join("memory.stat"), anonymous);
            }
            if parent.has(Controller::Pids) {
                out.tasks = read_number(&dir.join("pids.current"));
            }
        }
        out
    }

    /// Kills every process in the group and waits for their end. False if some still live, which a
    /// process in an uninterruptible state can do. Blocks for up to [`GROUP_EMPTY_MAX`].
    pub fn kill(&self) -> bool {
        let by_kernel = self
            .dirs
            .iter()
            .find(|(parent, _)| parent.has(Controller::Kill));
        let killed =
            by_kernel.is_some_and(|(_, dir)| write_value(&dir.join("cgroup.kill"), "1").is_ok());
        if !killed {
            self.kill_frozen();
        }
        let until = Instant::now() + GROUP_EMPTY_MAX;
        while !self.is_empty() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(GROUP_EMPTY_RETRY);
        }
        true
    }

    /// Without `cgroup.kill`, a group is frozen first, so that no process can start another while
    /// the list is read. Without a freezer the list is read again until it is empty.
    fn kill_frozen(&self) {
        let freezer = self
            .dirs
            .iter()
            .find(|(parent, _)| parent.has(Controller::Freezer))
            .map(|(_, dir)| dir);
        for _ in 0..GROUP_KILL_ROUNDS {
            if let Some(dir) = freezer {
                let _ = write_value(&dir.join("freezer.state"), "FROZEN");
            }
            let mut found = false;
            for (_, dir) in &self.dirs {
                for pid in processes(dir).into_iter().filter_map(Pid::from_raw) {
                    found = true;
                    // It may have ended meanwhile. Frozen, it can't; else its number would have to
                    // be given again within microseconds, after all others.
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            // A frozen process ends only after it is thawed (cgroup v1).
            if let Some(dir) = freezer {
                let _ = write_value(&dir.join("freezer.state"), "THAWED");
            }
            if !found {
                return;
            }
            std::thread::sleep(GROUP_EMPTY_RETRY);
        }
    }

    pub fn processes(&self) -> Vec<i32> {
        self.dirs
            .first()
            .map(|(_, dir)| processes(dir))
            .unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.dirs.iter().all(|(_, dir)| processes(dir).is_empty())
    }

    /// Removes the group. False if a process is still in it.
    pub fn remove(&self) -> bool {
        self.dirs
            .iter()
            .fold(true, |all, (_, dir)| remove_group(dir) && all)
    }
}

fn set_memory(version: Version, dir: &Path, bytes: u64) -> io::Result<()> {
    let bytes = bytes.to_string();
    if version == Version::V2 {
        // An engine must not fill the machine's swap space either. Absent without swap accounting.
        let _ = write_value(&dir.join("memory.swap.max"), "0");
        return write_value(&dir.join("memory.max"), &bytes);
    }
    // The limit of memory and swap together can't be below that of memory, so the order depends on
    // the direction.
    let with_swap = dir.join("memory.memsw.limit_in_bytes");
    let raised_first = write_value(&with_swap, &bytes);
    write_value(&dir.join("memory.limit_in_bytes"), &bytes)?;
    // Lowering is possible only now that the memory limit is lower.
    if raised_first.is_err() && with_swap.exists() {
        write_value(&with_swap, &bytes)?;
    }
    Ok(())
}
