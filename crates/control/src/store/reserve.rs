//! Reserve file of the store: disk space that is released when the disk is full, so that the sleep
//! of clusters can still be recorded.

use crate::limits::{RESERVE_BYTES, RESERVE_ROOM};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The reserve file.
#[derive(Debug, Clone)]
pub struct Reserve {
    file: PathBuf,
}

impl Reserve {
    /// Reserve beside the store's file. Writes nothing; see [`Reserve::restore`].
    pub fn beside(store: &Path) -> Self {
        Self {
            file: store.with_extension("reserve"),
        }
    }

    /// Releases the space. Returns false if there was no file.
    pub fn release(&self) -> bool {
        std::fs::remove_file(&self.file).is_ok()
    }

    /// Whether the file has its full size.
    pub fn is_whole(&self) -> bool {
        std::fs::metadata(&self.file).is_ok_and(|meta| meta.len() >= RESERVE_BYTES)
    }

    /// Makes the file, unless it exists or the disk has too little space. Returns whether it exists
    /// afterwards.
    pub fn restore(&self) -> io::Result<bool> {
        if self.is_whole() {
            return Ok(true);
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let space = statvfs(folder)?;
        // Otherwise the reserve itself would fill a disk that is nearly full.
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
            // So that an incomplete file isn't taken for the reserve.
            self.release();
        }
        filled.map(|()| true)
    }
}

fn fill(mut file: &File) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, RESERVE_BYTES) {
        // Not every file system supports it (NFS and older ZFS don't).
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
    // The blocks must exist on the disk, or they could not be released when it is full.
    file.sync_all()
}
