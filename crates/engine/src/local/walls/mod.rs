//! The walls around an engine: SQL rights are a courtesy, the process is the wall. Never weakens
//! one by a setting.

pub mod files;
pub mod seccomp;

/// Which layers of the wall this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    /// We are root, so each engine runs under a uid of its own.
    pub own_uids: bool,
    pub landlock: bool,
    pub seccomp: bool,
}

impl Walls {
    pub fn look() -> Self {
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

    /// What is missing, in words, for the one warning at start.
    pub fn missing(self) -> Vec<&'static str> {
        let mut out = Vec::new();
        if !self.own_uids {
            out.push("a user of its own for each engine (needs root)");
        }
        if !self.landlock {
            out.push("Landlock (needs Linux 5.13 with it switched on)");
        }
        if !self.seccomp {
            out.push("seccomp filters");
        }
        out
    }
}
