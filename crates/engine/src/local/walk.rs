//! A walk through a folder that a tenant may have filled: by descriptors instead of paths, since
//! the folder may change meanwhile. It follows no link and goes no deeper than a bound.

use crate::limits::WALK_DEPTH_MAX;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Whether to go into a folder that was visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    Enter,
    Skip,
    /// Ends the walk.
    Stop,
}

/// Visits what lies in `root` and in the folders below it, down to `levels` of them. `visit` gets
/// the folder, the name in it, and what that is. What vanishes meanwhile is left out. Returns
/// whether everything was visited: false if folders lie deeper, can't be read, or the walk was
/// stopped.
///
/// Each level keeps one descriptor open, however many folders lie in it.
pub fn walk(
    root: &Path,
    levels: usize,
    mut visit: impl FnMut(BorrowedFd<'_>, &CStr, &Stat) -> io::Result<Visit>,
) -> io::Result<bool> {
    let mut is_whole = true;
    let levels = levels.min(WALK_DEPTH_MAX);
    let top = openat(rustix::fs::CWD, root, FOLDER, Mode::empty())?;
    let mut stack = vec![(Dir::read_from(&top)?, top)];
    loop {
        let depth = stack.len();
        let Some((entries, folder)) = stack.last_mut() else {
            return Ok(is_whole);
        };
        let Some(entry) = entries.next() else {
            stack.pop();
            continue;
        };
        let entry = match entry {
            // The folder itself was removed.
            Err(Errno::NOENT) => {
                stack.pop();
                continue;
            }
            other => other?,
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = match statat(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            other => other?,
        };
        let visited = visit(folder.as_fd(), name, &stat)?;
        let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
        match visited {
            Visit::Stop => return Ok(false),
            Visit::Enter if is_dir && depth >= levels => {
                is_whole = false;
                continue;
            }
            Visit::Enter if is_dir => {}
            _ => continue,
        }
        match open_below(folder.as_fd(), name) {
            Ok(below) => stack.push(below),
            // Gone, or no folder any more.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            // Its owner may take the rights away from a server that is not root.
            Err(Errno::ACCESS) => is_whole = false,
            Err(e) => return Err(e.into()),
        }
    }
}

fn open_below(folder: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<(Dir, OwnedFd)> {
    let fd = openat(folder, name, FOLDER, Mode::empty())?;
    Ok((Dir::read_from(&fd)?, fd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A database of a tenant is a folder, and it may make thousands.
    #[test]
    fn thousands_of_folders_side_by_side_keep_few_descriptors_open() {
        let temp = tempfile::tempdir().unwrap();
        for n in 0..3000 {
            fs::create_dir(temp.path().join(n.to_string())).unwrap();
        }
        let mut visits = 0;
        let mut most = 0;
        let is_whole = walk(temp.path(), 8, |_, _, _| {
            visits += 1;
            if visits % 500 == 0 {
                most = most.max(fs::read_dir("/proc/self/fd")?.count());
            }
            Ok(Visit::Enter)
        });
        assert!(is_whole.unwrap());
        assert_eq!(visits, 3000);
        assert!((1..1000).contains(&most), "{most} descriptors");
    }

    #[test]
    fn a_walk_that_was_cut_short_is_not_whole() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("a/b/c")).unwrap();
        let enter = |_: BorrowedFd<'_>, _: &CStr, _: &Stat| Ok(Visit::Enter);
        assert!(!walk(temp.path(), 2, enter).unwrap(), "too deep");
        assert!(walk(temp.path(), 4, enter).unwrap());
        assert!(!walk(temp.path(), 4, |_, _, _| Ok(Visit::Stop)).unwrap());
    }
}
