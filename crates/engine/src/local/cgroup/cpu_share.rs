//! CPU time of one engine's group: its weight, and whether it gives way to others.

use super::files::write_value;
use super::hierarchy::Version;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// CPU shares of v1 that weight 100 (the default of v2) is equal to.
const SHARES_OF_DEFAULT_WEIGHT: u64 = 1024;

/// Settings of a group in the hierarchy with the `cpu` controller.
#[derive(Debug)]
pub struct CpuShare {
    version: Version,
    dir: PathBuf,
    /// The kernel refuses a weight while a group gives way, so both change under one lock.
    state: Mutex<ShareState>,
}

#[derive(Debug, Default, Clone, Copy)]
struct ShareState {
    weight: Option<u32>,
    gives_way: bool,
}

impl CpuShare {
    pub fn of_group(version: Version, dir: PathBuf) -> Self {
        Self {
            version,
            dir,
            state: Mutex::default(),
        }
    }

    /// Sets the weight among the groups of the same class. It applies later while the group gives
    /// way.
    pub fn set_weight(&self, weight: u32) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.weight = Some(weight);
        if state.gives_way {
            return Ok(());
        }
        self.write_weight(weight)
    }

    /// Puts the group into the kernel's idle class, or back. A thread of the idle class is
    /// interrupted at once when one of another class becomes ready; a lower weight would only
    /// shorten its turns (of about 3 ms). Linux 5.15, on v1 and v2.
    pub fn give_way(&self, gives_way: bool) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        write_value(
            &self.dir.join("cpu.idle"),
            if gives_way { "1" } else { "0" },
        )?;
        state.gives_way = gives_way;
        match state.weight {
            // Leaving the idle class resets the weight to the default.
            Some(weight) if !gives_way => self.write_weight(weight),
            _ => Ok(()),
        }
    }

    /// True if the kernel lets a group give way.
    pub fn can_give_way(&self) -> bool {
        self.dir.join("cpu.idle").exists()
    }

    fn write_weight(&self, weight: u32) -> io::Result<()> {
        // The range that the kernel accepts for cpu.weight.
        let weight = weight.clamp(1, 10_000);
        match self.version {
            Version::V2 => write_value(&self.dir.join("cpu.weight"), &weight.to_string()),
            Version::V1 => {
                // 2 is the least that the kernel accepts for cpu.shares.
                let shares = (u64::from(weight) * SHARES_OF_DEFAULT_WEIGHT / 100).max(2);
                write_value(&self.dir.join("cpu.shares"), &shares.to_string())
            }
        }
    }
}
