//! Measuring a folder that a tenant can write. Follows no link, stays within bounds of entries and
//! depth, and finds files that are deleted but still open.

use super::level::DiskUse;
use crate::limits::DISK_DEPTH_MAX;
use crate::local::walk::{Visit, walk};
use rustix::fs::FileType;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes of a block as stat(2) counts them, whatever the file system's own size is.
const BLOCK: u64 = 512;

/// Adds up the blocks of everything below these folders, and of deleted files that these processes
/// keep open. Ends incomplete after `entries_max` entries. Blocks.
pub fn measure(folders: &[PathBuf], processes: &[i32], entries_max: u64) -> io::Result<DiskUse> {
    let mut total = DiskUse {
        bytes: 0,
        entries: 0,
        largest: 0,
        complete: true,
    };
    for folder in folders {
        add_folder(folder, &mut total, entries_max)?;
    }
    for pid in processes {
        add_deleted(Path::new(&format!("/proc/{pid}/fd")), &mut total);
    }
    Ok(total)
}

fn add_folder(root: &Path, total: &mut DiskUse, entries_max: u64) -> io::Result<()> {
    let is_whole = walk(root, DISK_DEPTH_MAX + 1, |_, _, stat| {
        if total.entries >= entries_max {
            return Ok(Visit::Stop);
        }
        total.entries += 1;
        // Blocks and not lengths: a sparse file takes less space than its length.
        total.bytes = total
            .bytes
            .saturating_add(u64::try_from(stat.st_blocks).unwrap_or_default() * BLOCK);
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            total.largest = total.largest.max(size);
        }
        Ok(Visit::Enter)
    })?;
    // MariaDB's folders are two deep.
    total.complete &= is_whole;
    Ok(())
}

/// Temporary files of MariaDB have no name from the beginning. A process has a limit of
/// descriptors.
fn add_deleted(descriptors: &Path, total: &mut DiskUse) {
    for entry in std::fs::read_dir(descriptors)
        .into_iter()
        .flatten()
        .flatten()
    {
        // Through the link in /proc, which leads to the open file even if its name is deleted.
        let Ok(meta) = std::fs::metadata(entry.path()) else {
            continue;
        };
        if meta.is_file() && meta.nlink() == 0 {
            total.entries += 1;
            total.bytes = total.bytes.saturating_add(meta.blocks() * BLOCK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn blocks_are_counted_links_are_not_followed_and_deleted_files_are_found() {
        let temp = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        let tmp = temp.path().join("tmp");
        fs::create_dir_all(data.join("db")).unwrap();
        fs::create_dir(&tmp).unwrap();
        let folders = [data.clone(), tmp.clone()];
        let empty = measure(&folders, &[], u64::MAX).unwrap();
        fs::write(data.join("db/t.ibd"), vec![7; 1 << 20]).unwrap();
        fs::write(outside.path().join("big"), vec![7; 8 << 20]).unwrap();
        std::os::unix::fs::symlink(outside.path(), data.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("big"), data.join("db/link")).unwrap();
        // A hole takes no blocks.
        fs::File::create(data.join("sparse"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        let full = measure(&folders, &[], u64::MAX).unwrap();
        let added = full.bytes - empty.bytes;
        assert!((1 << 20..2 << 20).contains(&added), "{added}");
        assert_eq!((full.entries - empty.entries, full.complete), (4, true));
        let mut open = fs::File::create(tmp.join("sort")).unwrap();
        open.write_all(&vec![7; 4 << 20]).unwrap();
        fs::remove_file(tmp.join("sort")).unwrap();
        assert_eq!(measure(&folders, &[], u64::MAX).unwrap().bytes, full.bytes);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(measure(&folders, &[own], u64::MAX).unwrap().bytes >= full.bytes + (4 << 20));
        assert!(
            measure(&[data.join("link")], &[], u64::MAX).is_err(),
            "a root that is a link is not opened"
        );
    }

    #[test]
    fn a_folder_deeper_than_any_engine_makes_is_incomplete() {
        let temp = tempfile::tempdir().unwrap();
        let deep = (0..=DISK_DEPTH_MAX + 1)
            .fold(temp.path().to_owned(), |path, n| path.join(n.to_string()));
        fs::create_dir_all(&deep).unwrap();
        assert!(
            !measure(&[temp.path().to_owned()], &[], u64::MAX)
                .unwrap()
                .complete
        );
    }
}
