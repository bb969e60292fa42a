//! Free space on the file system of the data directory. It asks the kernel each time and stores
//! nothing.

use crate::limits::{
    DISK_ENTRIES_MAX, DISK_FILES_DIVISOR, DISK_FILES_MIN, DISK_FREE_FILES_DIVISOR, FILES_FLOOR_MIN,
    SPACE_FLOOR_DIVISOR, SPACE_FLOOR_MAX, SPACE_FLOOR_MIN, START_FREE_MIN, START_INODES_MIN,
};
use std::io;
use std::path::Path;
use tidegate_model::Size;

/// Space of a file system at one moment, as far as others than root may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub free: u64,
    /// Inodes. 0 on a file system that has no fixed number of them.
    pub files: u64,
    pub free_files: u64,
}

impl Space {
    /// Asks the kernel. Cheap.
    pub fn below(folder: &Path) -> io::Result<Self> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(Self {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            files: stat.f_files,
            free_files: stat.f_favail,
        })
    }

    /// Free space below which an engine that grows is stopped.
    pub fn floor(&self) -> u64 {
        (self.total / SPACE_FLOOR_DIVISOR).clamp(SPACE_FLOOR_MIN, SPACE_FLOOR_MAX)
    }

    fn files_floor(&self) -> u64 {
        (self.files / SPACE_FLOOR_DIVISOR).max(FILES_FLOOR_MIN)
    }

    pub fn lacks_bytes(&self) -> bool {
        self.free < self.floor()
    }

    pub fn lacks_files(&self) -> bool {
        self.files > 0 && self.free_files < self.files_floor()
    }

    /// Whether there is so much room that an engine that was stopped for its growth may run again.
    pub fn is_ample(&self) -> bool {
        self.free >= self.floor().saturating_mul(2)
            && (self.files == 0 || self.free_files >= self.files_floor().saturating_mul(2))
    }

    /// Files that a cluster may have that has so many already.
    pub fn files_max(&self, own: u64) -> u64 {
        // btrfs has no fixed number of inodes.
        if self.files == 0 {
            return DISK_ENTRIES_MAX;
        }
        let free = self.free_files.saturating_add(own) / DISK_FREE_FILES_DIVISOR;
        (self.files / DISK_FILES_DIVISOR)
            .min(free)
            .clamp(DISK_FILES_MIN, DISK_ENTRIES_MAX)
    }
}

/// Returns why the file system below this folder has no space to start an engine. `None` if it has,
/// or can't be asked.
pub fn space_shortage(folder: &Path) -> Option<String> {
    let space = Space::below(folder).ok()?;
    if space.free < START_FREE_MIN {
        return Some(format!(
            "the file system of {} has {} left",
            folder.display(),
            Size(space.free).rounded()
        ));
    }
    let inodes_short = space.files > 0 && space.free_files < START_INODES_MIN;
    inodes_short.then(|| {
        format!(
            "the file system of {} has {} inodes left",
            folder.display(),
            space.free_files
        )
    })
}

/// Whether an error of the kernel means that there is no space.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether an error's text says that there was no space. For errors that exist as text only, such
/// as the engine's log and the store's errors.
pub fn is_space_error(reason: &str) -> bool {
    [
        "No space left on device",
        "disk is full",
        "Disk quota exceeded",
    ]
    .iter()
    .any(|words| reason.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(files: u64, free_files: u64) -> Space {
        Space {
            total: 8 << 30,
            free: 4 << 30,
            files,
            free_files,
        }
    }

    #[test]
    fn a_cluster_may_have_a_tenth_of_all_inodes_and_a_quarter_of_the_free_ones() {
        assert_eq!(disk(524_288, 500_000).files_max(220), 52_428);
        assert_eq!(disk(524_288, 40_000).files_max(20_000), 15_000);
        assert_eq!(disk(524_288, 100).files_max(220), DISK_FILES_MIN);
        assert_eq!(
            disk(0, 0).files_max(220),
            DISK_ENTRIES_MAX,
            "btrfs has no number"
        );
        assert!(disk(524_288, 10_000).lacks_files() && !disk(0, 0).lacks_files());
    }

    #[test]
    fn errors_of_the_kernel_and_of_sqlite_are_known_by_their_words() {
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            let error = std::io::Error::from(errno);
            assert!(is_full(&error), "{errno}");
            assert!(is_space_error(&error.to_string()), "{errno}");
        }
        assert!(is_space_error(
            "the ledger: (code: 13) database or disk is full"
        ));
        assert!(!is_space_error("exit code 1: it logged nothing"));
    }
}
