//! Whether a user number is free, and the end of every process that has it.

use crate::limits::{KILL_ROUND, KILL_ROUNDS_MAX, WALK_DEPTH_MAX};
use crate::local::walk::{Visit, walk};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// Level of the entries of a cluster's folder: `<root>/engines/<id>/data`.
const CLUSTER_LEVEL: usize = 3;

/// User number that could be given to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub uid: u32,
    /// A cluster had it before, so files of it may lie at any depth.
    pub used_before: bool,
}

/// Returns those that no process of the machine has and no file under `root` belongs to, in the
/// same order.
pub fn free_uids(candidates: &[Candidate], root: &Path) -> io::Result<Vec<u32>> {
    let mut taken: BTreeSet<u32> = BTreeSet::new();
    for process in processes()? {
        taken.extend(process.uids);
    }
    // A number that no cluster had can only be that of another store's folder, whose top shows it.
    let levels = if candidates.iter().any(|c| c.used_before) {
        WALK_DEPTH_MAX
    } else {
        CLUSTER_LEVEL
    };
    walk(root, levels, |_, _, stat| {
        // An engine's group has the same number as its user.
        taken.extend([stat.st_uid, stat.st_gid]);
        Ok(Visit::Enter)
    })?;
    Ok(candidates
        .iter()
        .map(|c| c.uid)
        .filter(|uid| !taken.contains(uid))
        .collect())
}

/// Kills every process that has this user number, and returns once none is left. An error if some
/// stay.
pub fn kill_processes(uid: u32) -> io::Result<()> {
    // Ours, or the machine's: never meant.
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!(
            "the processes of user {uid} are not an engine's"
        )));
    }
    for round in 0..KILL_ROUNDS_MAX {
        let alive: Vec<_> = processes()?
            .into_iter()
            // A zombie has ended and only waits for its parent.
            .filter(|p| p.uids.contains(&uid) && !p.is_zombie)
            .collect();
        if alive.is_empty() {
            return Ok(());
        }
        for process in alive {
            kill_if_of(process.pid, uid);
        }
        // No pause after the first round, since a killed process usually ends at once.
        if round > 0 {
            std::thread::sleep(KILL_ROUND);
        }
    }
    Err(io::Error::other(format!(
        "processes of user {uid} do not end"
    )))
}

/// Kills a process of this user. It is checked again by its descriptor: the number may belong to
/// another process by now.
fn kill_if_of(pid: i32, uid: u32) {
    let Some(number) = Pid::from_raw(pid) else {
        return;
    };
    let Ok(fd) = pidfd_open(number, PidfdFlags::empty()) else {
        return;
    };
    if read_process(pid).is_some_and(|p| p.uids.contains(&uid)) {
        // ESRCH: it has ended meanwhile.
        let _ = pidfd_send_signal(&fd, Signal::KILL);
    }
}

struct ProcessUsers {
    pid: i32,
    /// Real, effective, saved, file system.
    uids: Vec<u32>,
    is_zombie: bool,
}

fn processes() -> io::Result<Vec<ProcessUsers>> {
    let mut out = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let pid = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        out.extend(pid.and_then(read_process));
    }
    Ok(out)
}

/// Value of a line of /proc/PID/status; empty if there is no such line.
fn status_field<'a>(status: &'a str, key: &str) -> &'a str {
    let mut values = status.lines().filter_map(|line| line.strip_prefix(key));
    values.next().unwrap_or_default()
}

/// Reads the users of a process. `None` if it has ended.
fn read_process(pid: i32) -> Option<ProcessUsers> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let uids = status_field(&status, "Uid:")
        .split_whitespace()
        .filter_map(|uid| uid.parse().ok())
        .collect();
    Some(ProcessUsers {
        pid,
        uids,
        is_zombie: status_field(&status, "State:")
            .trim_start()
            .starts_with(['Z', 'X']),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::chown;

    /// As the start of a creation sees the folder of a tenant that has made very many files.
    #[test]
    fn the_files_of_a_tenant_cost_a_new_number_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("engines/1/data/shop");
        fs::create_dir_all(&folder).unwrap();
        for n in 0..2_000 {
            fs::write(folder.join(n.to_string()), "").unwrap();
        }
        let mut visits = 0;
        walk(temp.path(), CLUSTER_LEVEL, |_, _, _| {
            visits += 1;
            Ok(Visit::Enter)
        })
        .unwrap();
        assert_eq!(visits, 3, "engines, 1 and data");
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let uid = 2_147_287_999;
        chown(folder.join("7"), Some(uid), Some(uid)).unwrap();
        for used_before in [false, true] {
            let candidate = Candidate { uid, used_before };
            let free = free_uids(&[candidate], temp.path()).unwrap();
            let expected: &[u32] = if used_before { &[] } else { &[uid] };
            assert_eq!(free, expected, "used before: {used_before}");
        }
    }
}
