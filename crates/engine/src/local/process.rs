//! A running engine as a process. It is identified by its pidfd and not by its number, which the
//! kernel may reuse.

use crate::driver::RunUsage;
use crate::limits::TERM_PATIENCE;
use crate::local::cgroup::{EngineGroup, GroupLimits};
use crate::local::process_usage;
use crate::local::start::exec::Orders;
use crate::local::start::spawner::{HelperStdio, Spawner};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnd {
    pub text: String,
    /// By a signal from outside, or by its own abort.
    pub signal: Option<i32>,
    pub success: bool,
}

/// The control group of one run, and the CPU time that its cluster has used before.
#[derive(Debug)]
pub struct RunGroup {
    pub group: EngineGroup,
    pub spent: Arc<AtomicU64>,
}

/// A running process. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    group: Option<EngineGroup>,
    pidfd: Arc<OwnedFd>,
    end: watch::Receiver<Option<ProcessEnd>>,
}

impl Process {
    /// Starts the helper with these orders. `group`: the control group that they make it enter.
    pub async fn spawn(
        spawner: &Spawner,
        orders: &Orders,
        stdio: HelperStdio,
        group: Option<RunGroup>,
    ) -> io::Result<Self> {
        match spawner.spawn(orders, stdio).await {
            Ok(child) => Self::watch(child, group),
            Err(e) => {
                if let Some(unused) = group {
                    unused.group.remove();
                }
                Err(e)
            }
        }
    }

    /// The kernel gives a child's number to no other process until somebody waits for the child, so
    /// the pidfd opened here is that of the right one.
    fn watch(mut child: Child, group: Option<RunGroup>) -> io::Result<Self> {
        let pid = child.id();
        let opened = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("no process id"))
            .and_then(|p| Ok(Arc::new(pidfd_open(p, PidfdFlags::NONBLOCK)?)))
            .and_then(|fd| Ok((pollable(Arc::clone(&fd))?, fd)));
        let (ready, pidfd) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                // Without a pidfd nobody would notice its end.
                let _ = child.kill();
                let _ = child.wait();
                end_group(group);
                return Err(e);
            }
        };
        let own_group = group.as_ref().map(|run| run.group.clone());
        let (tell, end) = watch::channel(None);
        tokio::spawn(async move {
            // A pidfd becomes readable when its process has ended (pidfd_open(2)).
            let _ = ready.readable().await;
            // Does not block, because the process has ended. From here on the kernel may reuse its
            // number.
            let status = child.wait();
            // Told after everything that the engine started has ended too: its uid and its lock are
            // free then.
            let _ = tokio::task::spawn_blocking(move || end_group(group)).await;
            tell.send_replace(Some(describe(status)));
        });
        Ok(Self {
            pid,
            group: own_group,
            pidfd,
            end,
        })
    }

    /// Waits until the process has ended, and returns how.
    pub async fn ended(&self) -> ProcessEnd {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await.map(|end| end.clone()) {
            Ok(Some(end)) => end,
            _ => ProcessEnd {
                text: "its watcher is gone".to_owned(),
                signal: None,
                success: false,
            },
        }
    }

    /// Its own process, and where there is a group, all that it started.
    pub fn processes(&self) -> Vec<i32> {
        match &self.group {
            Some(group) => group.processes(),
            None => i32::try_from(self.pid).into_iter().collect(),
        }
    }

    pub async fn usage(&self) -> RunUsage {
        let pid = self.pid;
        let group = self.group.clone();
        // Blocking: the kernel takes a millisecond to add up a group of a thousand tasks.
        let read = tokio::task::spawn_blocking(move || process_usage::measure(pid, group.as_ref()));
        read.await.unwrap_or_default()
    }

    /// Sets the size that its files may have from now on.
    pub fn set_file_max(&self, bytes: u64) -> io::Result<()> {
        // Until its end is known, its number can't be given to another process.
        if self.end.borrow().is_some() {
            return Ok(());
        }
        // Reading the limit needs no right; setting it needs one even if it does not change.
        if self.file_max() == Some(bytes) {
            return Ok(());
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        rustix::process::prlimit(pid, Resource::Fsize, limit)?;
        Ok(())
    }

    /// Returns the size that its files may have. Everybody may read it, unlike by prlimit.
    fn file_max(&self) -> Option<u64> {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.pid)).ok()?;
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max file size"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Sets the limits of its group, if it has one.
    pub async fn set_limits(&self, limits: GroupLimits) -> io::Result<()> {
        let Some(group) = self.group.clone() else {
            return Ok(());
        };
        let set = tokio::task::spawn_blocking(move || group.set_limits(limits)).await;
        set.map_err(io::Error::other)?
    }

    /// Returns the CPU time used so far by all its threads, in clock ticks (proc_pid_stat(5)); none
    /// once it has ended.
    pub fn cpu_time(&self) -> Option<u64> {
        if self.end.borrow().is_some() {
            return None;
        }
        parse_cpu_time(&std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?)
    }

    pub fn kill(&self) {
        // ESRCH: it has ended already.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Sends SIGTERM, and SIGKILL if the process has not ended in time.
    pub async fn stop(&self) -> ProcessEnd {
        let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        if let Ok(end) = tokio::time::timeout(TERM_PATIENCE, self.ended()).await {
            return end;
        }
        self.kill();
        self.ended().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills the processes that an engine left running, and removes its group.
fn end_group(run: Option<RunGroup>) {
    let Some(RunGroup { group, spent }) = run else {
        return;
    };
    if !group.is_empty() && !group.kill() {
        tracing::warn!(
            "processes that an engine started can't be killed; its next start tries again"
        );
    }
    // Read before the group is removed, and its counter with it.
    spent.fetch_add(
        group.usage().cpu_micros.unwrap_or_default(),
        Ordering::AcqRel,
    );
    group.remove();
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe for types whose descriptor may change; an OwnedFd's can't"
)]
fn pollable(fd: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// User and system time. The second field is the program's name in brackets, which may contain
/// anything.
fn parse_cpu_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn describe(status: io::Result<ExitStatus>) -> ProcessEnd {
    match status {
        Ok(status) => ProcessEnd {
            text: match status.signal() {
                Some(9) => "killed (signal 9)".to_owned(),
                Some(signal) => format!("ended by signal {signal}"),
                None => format!("exit code {}", status.code().unwrap_or(-1)),
            },
            signal: status.signal(),
            success: status.success(),
        },
        Err(e) => ProcessEnd {
            text: format!("its end can't be read: {e}"),
            signal: None,
            success: false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_any_name() {
        let stat = "7 (a) b ) S 1 7 7 0 -1 4194560 1 2 3 4 120 34 0 0 20 0 1 0 99 1 2";
        assert_eq!(parse_cpu_time(stat), Some(154));
        assert_eq!(parse_cpu_time("7 (x) S 1"), None);
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert!(parse_cpu_time(&own).is_some());
    }
}
