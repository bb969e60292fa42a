//! Whether this process can give each engine its own user: root with the capabilities for it, in a
//! user namespace that has numbers for them.

use super::number_map::NumberMap;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};
use std::fmt;

/// Capabilities that root needs for it: to become these users, to give them their folders, to read
/// and change the folders, and to end the processes. Containers and service managers may take them.
const NEEDED: [(CapabilitySet, &str); 6] = [
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::KILL, "CAP_KILL"),
];

/// Reason why engines run as the server's own user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoOwnUsers {
    NotRoot,
    /// The user namespace, as of a rootless container, has no numbers for them.
    NoNumbers,
    /// Root lacks these capabilities.
    NoRights(CapabilitySet),
}

impl fmt::Display for NoOwnUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => f.write_str("needs root"),
            Self::NoNumbers => f.write_str(
                "this user namespace has too few user numbers, as a rootless container without \
                 lines in /etc/subuid and /etc/subgid",
            ),
            Self::NoRights(missing) => {
                let names: Vec<&str> = NEEDED
                    .iter()
                    .filter(|(right, _)| missing.contains(*right))
                    .map(|(_, name)| *name)
                    .collect();
                write!(f, "root lacks {}", names.join(" "))
            }
        }
    }
}

/// Checks whether each engine can have its own user.
pub fn own_users() -> Result<(), NoOwnUsers> {
    if !geteuid().is_root() {
        return Err(NoOwnUsers::NotRoot);
    }
    if NumberMap::read().for_engines().is_empty() {
        return Err(NoOwnUsers::NoNumbers);
    }
    let ours = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let needed: CapabilitySet = NEEDED.iter().map(|(right, _)| *right).collect();
    match needed.difference(ours) {
        missing if missing.is_empty() => Ok(()),
        missing => Err(NoOwnUsers::NoRights(missing)),
    }
}

/// Owner that the kernel reports for files whose owner has no number in this user namespace
/// (`/proc/sys/kernel/overflowuid`).
const NO_NUMBER: u32 = 65_534;

/// Whether a server that runs like this one can use an engine's files of this owner.
pub fn can_use_files_of(owner: u32) -> bool {
    match own_users() {
        Ok(()) => owner != NO_NUMBER || NumberMap::read().is_whole(),
        Err(_) => owner == geteuid().as_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_what_is_missing() {
        let missing = CapabilitySet::CHOWN | CapabilitySet::KILL;
        let text = NoOwnUsers::NoRights(missing).to_string();
        assert_eq!(text, "root lacks CAP_CHOWN CAP_KILL");
        assert!(NoOwnUsers::NoNumbers.to_string().contains("/etc/subuid"));
    }
}
