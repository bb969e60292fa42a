//! Reserve file of the engines: room for a start that an operator allows on a full disk, so that a
//! cluster can give back what it took.

use crate::limits::START_RESERVE;
use crate::local::space::Space;
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct StartReserve {
    file: PathBuf,
}

impl StartReserve {
    /// Reserve in this folder. Nothing is written yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            file: folder.join("start.reserve"),
        }
    }

    /// Frees the room. False if there was none to free.
    pub fn release(&self) -> bool {
        std::fs::remove_file(&self.file).is_ok()
    }

    /// Makes the file where there is ample room, unless it is there.
    pub fn restore(&self, space: &Space) -> io::Result<()> {
        // On a disk that is nearly full the reserve would take the last space from the engines.
        if !space.is_ample() || self.file.exists() {
            return Ok(());
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&self.file)?;
        // Where a file system can't reserve, such a start needs the operator to free some space.
        fallocate(&file, FallocateFlags::empty(), 0, START_RESERVE)
            .inspect_err(|_| drop(std::fs::remove_file(&self.file)))?;
        file.sync_all()
    }
}
