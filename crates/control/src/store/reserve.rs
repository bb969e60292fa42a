//! Reserve file of the store: room on the disk that is given up when the disk is full, so that
//! clusters that fall asleep can still be recorded.

use crate::limits::{RESERVE_BYTES, RESERVE_ROOM};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Path of the file.
#[derive(Debug, Clone)]
pub struct Reserve {
    file: PathBuf,
}

impl Reserve {
    /// Reserve beside the store's file. Nothing is written yet: see [`Reserve::restore`].
    pub fn beside(store: &Path) -> Self {
        Self {
            file: store.with_extension("reserve"),
        }
    }

    /// Frees the room. False if there was none to free.
    pub fn release(&self) -> bool {
        std::fs::remove_file(&self.file).is_ok()
    }

    /// Whether the file has its full size.
    pub fn is_whole(&self) -> bool {
        std::fs::metadata(&self.file).is_ok_and(|meta| meta.len() >= RESERVE_BYTES)
    }

    /// Makes the file, unless it is there or the disk has too little room. True if it is there
    /// afterwards.
    pub fn restore(&self) -> io::Result<bool> {
        if self.is_whole() {
            return Ok(true);
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let space = statvfs(folder)?;
        // Taking the last room would make a full disk of one that is nearly full.
        if space.f_bavail.saturating_mul(space.f_frsize) < RESERVE_BYTES + RESERVE_ROOM {
            return Ok(false);
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&self.file)?;
        let filled = fill(&file);
        if filled.is_err() {
            // A part would be taken for the whole.
            self.release();
        }
        filled.map(|()| true)
    }
}

fn fill(mut file: &File) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, RESERVE_BYTES) {
        // Not every file system has it (NFS, older ZFS).
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let zeroes = [0u8; 64 << 10];
            let mut left = usize::try_from(RESERVE_BYTES).unwrap_or(usize::MAX);
            while left > 0 {
                let part = zeroes.get(..left.min(zeroes.len())).unwrap_or(&zeroes);
                file.write_all(part)?;
                left -= part.len();
            }
        }
        other => other?,
    }
    file.sync_all()
}
