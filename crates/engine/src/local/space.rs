//! Free space on the file system of the data directory. Asks the kernel each time; remembers
//! nothing.

use crate::limits::{START_FREE_MIN, START_INODES_MIN};
use std::path::Path;
use tidegate_model::Size;

/// Returns why the file system below this folder has no space to start an engine. `None` if it has,
/// or can't be asked.
pub fn space_shortage(folder: &Path) -> Option<String> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    // What root alone may use is no space for an engine.
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < START_FREE_MIN {
        return Some(format!(
            "the file system of {} has {} left",
            folder.display(),
            Size(free).rounded()
        ));
    }
    // A file system that has no fixed number of inodes reports none at all.
    let inodes_short = stat.f_files > 0 && stat.f_favail < START_INODES_MIN;
    inodes_short.then(|| {
        format!(
            "the file system of {} has {} inodes left",
            folder.display(),
            stat.f_favail
        )
    })
}

/// Whether an error's text says that there was no space: the store's and the kernel's words for it.
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

    #[test]
    fn errors_of_the_kernel_and_of_sqlite_are_known_by_their_words() {
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            assert!(
                is_space_error(&std::io::Error::from(errno).to_string()),
                "{errno}"
            );
        }
        assert!(is_space_error(
            "the ledger: (code: 13) database or disk is full"
        ));
        assert!(!is_space_error("exit code 1: it logged nothing"));
    }
}
