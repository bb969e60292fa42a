//! Groups of servers that ended without removing them. Kills only what an earlier server on the
//! same data directory left behind; of others it removes what is empty.

use super::files::{processes, read_text, remove_group};
use super::group::EngineGroup;
use super::home::{GROUP_PREFIX, Parent};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Records where this server's groups are: a later one may be started in another place.
const RECORD: &str = "cgroups";

/// A new name for this server's parent groups. It contains the process id, so that another server
/// can tell whose it is, and a random part: servers in containers of their own have the same
/// process id.
pub fn group_name() -> String {
    let mut random = [0; 8];
    // Without randomness no engine starts anyway.
    let _ = getrandom::fill(&mut random);
    format!(
        "{GROUP_PREFIX}{:016x}-{}",
        u64::from_ne_bytes(random),
        std::process::id()
    )
}

pub fn record<'a>(run: &Path, dirs: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    let mut text = String::new();
    for dir in dirs {
        text.push_str(&dir.display().to_string());
        text.push('\n');
    }
    std::fs::write(run.join(RECORD), text)
}

/// Kills and removes the groups that the last server on this data directory recorded. Its own lock
/// on that directory is ours now, so it is gone.
pub fn clear_recorded(run: &Path) {
    let text = read_text(&run.join(RECORD)).unwrap_or_default();
    for dir in text.lines().map(PathBuf::from) {
        let ours = dir
            .file_name()
            .and_then(|n| n.to_str())
            .is_some_and(|n| n.starts_with(GROUP_PREFIX));
        if !ours || !dir.join("cgroup.procs").exists() {
            continue;
        }
        for group in children(&dir) {
            let leftover = EngineGroup::of_leftover(&dir.join(&group));
            if !leftover.is_empty() {
                tracing::warn!(group = %dir.join(&group).display(), "killing processes that an earlier server left behind");
            }
            leftover.kill();
            leftover.remove();
        }
        remove_group(&dir);
    }
}

/// Removes empty groups of servers that are gone, beside this one's. Never kills: a process id says
/// nothing about a server in another PID namespace.
pub fn clear_siblings(own: &Path) {
    let Some(base) = own.parent() else { return };
    for name in children(base) {
        let dir = base.join(&name);
        let owner = name
            .strip_prefix(GROUP_PREFIX)
            .and_then(|rest| rest.rsplit_once('-')?.1.parse::<u32>().ok());
        let dead = owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if dead && dir != own {
            for group in children(&dir) {
                if processes(&dir.join(&group)).is_empty() {
                    remove_group(&dir.join(group));
                }
            }
            remove_group(&dir);
        }
    }
}

/// Kills everything in the groups of these names and removes them. False if something still lives.
pub fn clear_groups(parents: &[Parent], wanted: impl Fn(&str) -> bool) -> bool {
    let names: BTreeSet<String> = parents
        .iter()
        .flat_map(|parent| children(&parent.dir))
        .filter(|name| wanted(name))
        .collect();
    names.iter().fold(true, |all, name| {
        let Ok(group) = EngineGroup::make(parents, name) else {
            return false;
        };
        let dead = group.is_empty() || group.kill();
        group.remove();
        all && dead
    })
}

fn children(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}
