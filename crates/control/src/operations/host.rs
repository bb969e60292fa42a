//! State of the machine and its engines, for people who operate the server.

use crate::control::Control;
use crate::views::{HostView, LimitView};
use tidegate_engine::Walls;

impl Control {
    /// Returns what isolates the engines and bounds them on this machine, and the memory and disk
    /// that are left for them.
    pub async fn host(&self) -> HostView {
        let engines = self.engines();
        let limits = engines.limits_in_force();
        let walls = Walls::detect();
        let disk = rustix::fs::statvfs(self.data().root()).ok();
        let memory = engines.awake_memory().await;
        HostView {
            own_users: walls.own_uids,
            landlock: walls.landlock,
            seccomp: walls.seccomp,
            limits: limits
                .iter()
                .flat_map(|limits| limits.rows())
                .map(|(limit, in_force)| LimitView {
                    limit,
                    by: in_force.by.as_str(),
                    reason: in_force.reason.clone(),
                })
                .collect(),
            disk_free_bytes: disk.as_ref().map(|d| d.f_bavail.saturating_mul(d.f_frsize)),
            disk_size_bytes: disk.as_ref().map(|d| d.f_blocks.saturating_mul(d.f_frsize)),
            memory_used_bytes: memory.used_bytes,
            memory_max_bytes: memory.max_bytes,
        }
    }
}
