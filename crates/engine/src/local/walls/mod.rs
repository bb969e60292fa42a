//! The walls around an engine. A tenant can be an administrator in SQL, so only walls around the
//! process protect others. No setting weakens them.

pub mod files;
pub mod seccomp;

use crate::local::uids::{NoOwnUsers, own_users};

/// Layers of the walls that this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    /// The server is root, with what it takes to run each engine under its own uid.
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
            own_uids: own_users().is_ok(),
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
    pub fn missing(self) -> Vec<String> {
        let mut out = Vec::new();
        if !self.own_uids {
            let why = own_users().err().unwrap_or(NoOwnUsers::NotRoot);
            out.push(format!("a separate user for each engine ({why})"));
        }
        if !self.landlock {
            out.push("Landlock (Linux 5.13 or later, enabled)".to_owned());
        }
        if !self.seccomp {
            out.push("seccomp filters".to_owned());
        }
        out
    }
}
