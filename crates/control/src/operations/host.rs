//! State of the machine and its engines, for people who operate the server.

use crate::control::Control;
use crate::limits;
use crate::views::{HostView, LimitView};
use tokio::time::timeout;

impl Control {
    /// Returns what isolates the engines and bounds them on this machine, and the memory and disk
    /// that are left for them.
    pub async fn host(&self) -> HostView {
        let engines = self.engines();
        let in_force = engines.limits_in_force();
        let walls = engines.walls();
        let root = self.data().root().to_owned();
        // Blocking: a file system on a network may answer late, or never.
        let disk = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&root).ok());
        let disk = timeout(limits::DISK_ANSWER_MAX, disk).await;
        let disk = disk.ok().and_then(Result::ok).flatten();
        let memory = engines.awake_memory().await;
        HostView {
            own_users: walls.is_some_and(|walls| walls.own_uids),
            landlock: walls.is_some_and(|walls| walls.landlock),
            seccomp: walls.is_some_and(|walls| walls.seccomp),
            limits: in_force
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
