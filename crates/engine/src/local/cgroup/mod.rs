//! Control groups: each engine runs in its own group with limits of memory, CPU weight and tasks.
//! The group kills it together with everything that it started. They are optional: without them the
//! limits that need them are not in force, as [`crate::LimitsInForce`] reports.

mod cpu_share;
pub mod files;
mod group;
mod heavy_use;
mod hierarchy;
mod home;
mod leftovers;
mod parent;

pub use group::{EngineGroup, GroupLimits};
pub use hierarchy::Version;
pub use home::CgroupHome;
pub use parent::Controller;

/// Returns the lowest memory limit of the groups that a process is in. `process`: its directory in
/// /proc.
pub fn memory_limit(process: &std::path::Path) -> Option<u64> {
    let mounts = files::read_text(&process.join("mountinfo")).ok()?;
    let own = files::read_text(&process.join("cgroup")).ok()?;
    let limits = hierarchy::parse_hierarchies(&mounts, &own)
        .into_iter()
        .filter_map(|found| match found.version {
            Version::V1 => {
                files::read_field(&found.own.join("memory.stat"), "hierarchical_memory_limit")
            }
            Version::V2 => {
                // The limit of each group above applies as well.
                let above = found
                    .own
                    .ancestors()
                    .take_while(|dir| dir.starts_with(&found.mount));
                above
                    .filter_map(|dir| files::read_number(&dir.join("memory.max")))
                    .min()
            }
        });
    limits.min()
}

#[cfg(test)]
mod tests;
