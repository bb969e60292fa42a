//! Groups of servers that ended without removing them. Only processes left by an earlier server on
//! the same data directory are killed; of other servers, empty groups are removed.

use super::files::{processes, read_text, remove_group};
use super::group::EngineGroup;
use super::parent::{GROUP_PREFIX, Parent};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Records where this server's groups are: a later one may be started in another place.
const RECORD: &str = "cgroups";

/// Returns a new prefix for the names of this server's groups. It contains the process id, so that
/// another server can tell whose they are, and a random part: servers in different containers can
/// have the same process id.
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

/// Records the prefix of the paths of this server's groups.
pub fn record(run: &Path, parents: &[Parent]) -> io::Result<()> {
    let lines = parents
        .iter()
        .map(|parent| format!("{}\n", parent.group("").display()));
    std::fs::write(run.join(RECORD), lines.collect::<String>())
}

/// Kills and removes the groups that the last server on this data directory recorded. Its own lock
/// on that directory is ours now, so it is gone.
pub fn clear_recorded(run: &Path) {
    let text = read_text(&run.join(RECORD)).unwrap_or_default();
    for recorded in text.lines().map(Path::new) {
        let (Some(base), Some(prefix)) = (recorded.parent(), recorded.file_name()) else {
            continue;
        };
        // A damaged record must not lead to another program's groups.
        let Some(prefix) = prefix.to_str().filter(|p| p.starts_with(GROUP_PREFIX)) else {
            continue;
        };
        for name in children(base)
            .iter()
            .filter(|name| name.starts_with(prefix))
        {
            let dir = base.join(name);
            // A server of an older version made its groups below a common one.
            for below in children(&dir) {
                end_leftover(&dir.join(below));
            }
            end_leftover(&dir);
        }
    }
}

fn end_leftover(dir: &Path) {
    let leftover = EngineGroup::of_leftover(dir);
    if !leftover.is_empty() {
        tracing::warn!(group = %dir.display(), "killing processes that an earlier server left \
             behind");
        leftover.kill();
    }
    leftover.remove();
}

/// Removes empty groups of servers that are gone, beside this one's. Never kills: a process id says
/// nothing about a server in another PID namespace.
pub fn clear_siblings(own: &Parent) {
    for name in children(&own.base) {
        let owner = name
            .strip_prefix(GROUP_PREFIX)
            .and_then(|rest| rest.split('-').nth(1)?.parse::<u32>().ok());
        let dead = owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if dead && !name.starts_with(&own.prefix) {
            let dir = own.base.join(&name);
            for below in children(&dir) {
                if processes(&dir.join(&below)).is_empty() {
                    remove_group(&dir.join(below));
                }
            }
            // One with processes stays: the kernel refuses.
            remove_group(&dir);
        }
    }
}

/// Kills everything in this server's groups of these names and removes them. False if something
/// still lives.
pub fn clear_groups(parents: &[Parent], wanted: impl Fn(&str) -> bool) -> bool {
    let names: BTreeSet<String> = parents
        .iter()
        .flat_map(own_groups)
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

/// Names of a server's groups without the server's prefix.
fn own_groups(parent: &Parent) -> Vec<String> {
    let own = |name: String| name.strip_prefix(&parent.prefix).map(str::to_owned);
    children(&parent.base).into_iter().filter_map(own).collect()
}

fn children(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}
