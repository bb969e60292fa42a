//! The walls around an engine. A tenant can be an administrator in SQL, so only walls around the
//! process protect others. No setting weakens them.

pub mod files;
pub mod seccomp;

/// Layers of the walls that this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    /// The server is root, so each engine runs under its own uid.
    pub own_uids: bool,
    pub landlock: bool,
    pub seccomp: bool,
}

impl Walls {
    /// Finds out which walls this machine and this process' user have.
    pub fn detect() -> Self {
        let actions =
            std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
        Self {
            own_uids: rustix::process::geteuid().is_root(),
            landlock: files::available(),
            seccomp: actions.split_whitespace().any(|a| a == "errno"),
        }
    }

    /// Whether a tenant who is an administrator inside the engine is kept from our files. Where
    /// not, only people of this machine may be let in: listen on loopback, nowhere else.
    pub fn keep_tenants_in(self) -> bool {
        (self.own_uids || self.landlock) && self.seccomp
    }

    /// Returns the missing walls, for the warning at start.
    pub fn missing(self) -> Vec<&'static str> {
        let mut out = Vec::new();
        if !self.own_uids {
            out.push("a separate user for each engine (needs root)");
        }
        if !self.landlock {
            out.push("Landlock (Linux 5.13 or later, enabled)");
        }
        if !self.seccomp {
            out.push("seccomp filters");
        }
        out
    }
}
