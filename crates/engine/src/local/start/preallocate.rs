//! Blocks for the holes of the files that InnoDB writes in place, allocated before each start.
//!
//! A new cluster's files have holes, so that a cluster that never wakes costs little. InnoDB takes
//! the space inside its files for granted: if a write into a hole fails on a full disk, it can't
//! flush, and an engine that is killed then may have lost its system tablespace.

use crate::limits::PREALLOCATED_FILE_MAX;
use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The template's InnoDB files: folder below the data folder (empty: itself), and name. A tenant's
/// own tables are not among them: its compressed pages have holes on purpose.
const FILES: [(&str, &str); 6] = [
    ("", "ibdata1"),
    ("", "ib_logfile0"),
    ("mysql", "innodb_table_stats.ibd"),
    ("mysql", "innodb_index_stats.ibd"),
    ("mysql", "gtid_slave_pos.ibd"),
    ("mysql", "transaction_registry.ibd"),
];

/// Allocates the holes. Files that are missing, or that the engine has replaced by something else
/// than a file, are left alone.
///
/// # Errors
/// If the disk has no space for them.
pub fn allocate_holes(data: &Path) -> io::Result<()> {
    let folder_flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    // NONBLOCK: the engine may have put a FIFO there.
    let file_flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let data = openat(CWD, data, folder_flags, Mode::empty())?;
    for (folder, name) in FILES {
        let below = match folder {
            "" => None,
            folder => match openat(&data, folder, folder_flags, Mode::empty()) {
                Ok(below) => Some(below),
                Err(_) => continue,
            },
        };
        let folder = below.as_ref().unwrap_or(&data);
        if let Ok(file) = openat(folder, name, file_flags, Mode::empty()) {
            allocate_file(&File::from(file))?;
        }
    }
    Ok(())
}

fn allocate_file(file: &File) -> io::Result<()> {
    /// Unit of `st_blocks`, on every file system.
    const UNIT: u64 = 512;
    let found = file.metadata()?;
    let length = found.len();
    let has_holes = found.blocks().saturating_mul(UNIT) < length;
    if !found.is_file() || !has_holes || length > PREALLOCATED_FILE_MAX {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
        // A file system that can't: then a full disk is more dangerous, and nothing else.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sparse(path: &Path, length: u64) {
        File::create(path).unwrap().set_len(length).unwrap();
    }

    fn blocks(path: &Path) -> u64 {
        fs::metadata(path).unwrap().blocks() * 512
    }

    #[test]
    fn holes_of_innodb_files_get_blocks_and_other_files_stay_as_they_are() {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        let outside = temp.path().join("outside");
        fs::create_dir_all(data.join("mysql")).unwrap();
        sparse(&data.join("ibdata1"), 10 << 20);
        sparse(&data.join("mysql/innodb_table_stats.ibd"), 64 << 10);
        sparse(&data.join("mysql/tenants.ibd"), 64 << 10);
        sparse(&outside, 1 << 20);
        std::os::unix::fs::symlink(&outside, data.join("ib_logfile0")).unwrap();
        sparse(
            &data.join("mysql/gtid_slave_pos.ibd"),
            PREALLOCATED_FILE_MAX + 1,
        );
        allocate_holes(&data).unwrap();
        assert!(blocks(&data.join("ibdata1")) >= 10 << 20);
        assert_eq!(fs::metadata(data.join("ibdata1")).unwrap().len(), 10 << 20);
        assert!(blocks(&data.join("mysql/innodb_table_stats.ibd")) >= 64 << 10);
        for other in ["mysql/tenants.ibd", "mysql/gtid_slave_pos.ibd"] {
            assert_eq!(blocks(&data.join(other)), 0, "{other}");
        }
        assert_eq!(blocks(&outside), 0, "a link was followed");
    }

    #[test]
    fn a_folder_that_the_engine_replaced_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        let outside = temp.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::create_dir_all(&data).unwrap();
        sparse(&outside.join("innodb_table_stats.ibd"), 64 << 10);
        std::os::unix::fs::symlink(&outside, data.join("mysql")).unwrap();
        let fifo = rustix::fs::mknodat(
            CWD,
            data.join("ibdata1"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        );
        fifo.unwrap();
        allocate_holes(&data).unwrap();
        assert_eq!(blocks(&outside.join("innodb_table_stats.ibd")), 0);
    }
}
