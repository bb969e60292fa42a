//! Which files an engine may touch, by Landlock: its own directory, and read-only what the program
//! itself needs. Rights that the kernel lacks are left out; the return value tells which rights are
//! enforced.

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use std::path::{Path, PathBuf};

/// Programs and libraries: read and run.
const RUNNABLE: &[&str] = &["/usr/lib", "/usr/lib64", "/lib", "/lib64"];

/// Read only. Missing ones are skipped.
const READABLE: &[&str] = &[
    "/usr/share",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
];

/// Devices that store nothing, such as /dev/null.
const DEVICES: &[&str] = &["/dev/null", "/dev/urandom"];

/// The newest version whose rights are asked for.
const NEWEST: ABI = ABI::V6;

fn version(max: Option<u8>) -> ABI {
    match max {
        Some(1) => ABI::V1,
        Some(2) => ABI::V2,
        Some(3) => ABI::V3,
        Some(4) => ABI::V4,
        Some(5) => ABI::V5,
        _ => NEWEST,
    }
}

/// Paths that an engine may use beside the system's own files.
pub struct AllowedPaths<'a> {
    pub program: &'a Path,
    pub write: &'a [PathBuf],
    pub read: &'a [PathBuf],
    pub abi_max: Option<u8>,
}

/// Walls this process in. False if the kernel has no Landlock at all.
pub fn confine(allowed: &AllowedPaths<'_>) -> Result<bool, RulesetError> {
    let abi = version(allowed.abi_max);
    // A tenant can write files there and must not be able to execute them.
    let write = AccessFs::from_all(abi) & !AccessFs::Execute;
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let device: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::WriteFile;
    let mut ruleset = Ruleset::default()
        // Older kernels lack the newer rights; all others are enforced nevertheless.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V6 {
        // Signals and abstract sockets stay inside, also where all engines share one uid.
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    let status = ruleset
        .create()?
        .add_rules(path_beneath_rules(
            [allowed.program],
            read | AccessFs::Execute,
        ))?
        .add_rules(path_beneath_rules(RUNNABLE, read | AccessFs::Execute))?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(allowed.read, read))?
        .add_rules(path_beneath_rules(DEVICES, device))?
        .add_rules(path_beneath_rules(allowed.write, write))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Whether the running kernel knows Landlock at all. Restricts nobody.
pub fn available() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create)
        .is_ok()
}
