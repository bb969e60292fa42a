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
}

/// Visits what lies in `root` and in the folders below it, down to `levels` of them. `visit` gets
/// the folder, the name in it, and what that is. What vanishes meanwhile is left out.
pub fn walk(
    root: &Path,
    levels: usize,
    mut visit: impl FnMut(BorrowedFd<'_>, &CStr, &Stat) -> io::Result<Visit>,
) -> io::Result<()> {
    // Each level keeps a descriptor open.
    let levels = levels.min(WALK_DEPTH_MAX);
    let top = openat(rustix::fs::CWD, root, FOLDER, Mode::empty())?;
    let mut stack = vec![(Dir::read_from(&top)?, top)];
    loop {
        let depth = stack.len();
        let Some((entries, folder)) = stack.last_mut() else {
            return Ok(());
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
        let entered = visit(folder.as_fd(), name, &stat)? == Visit::Enter;
        let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
        if !entered || !is_dir || depth >= levels {
            continue;
        }
        match open_below(folder.as_fd(), name) {
            Ok(below) => stack.push(below),
            // Gone, or no folder any more.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn open_below(folder: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<(Dir, OwnedFd)> {
    let fd = openat(folder, name, FOLDER, Mode::empty())?;
    Ok((Dir::read_from(&fd)?, fd))
}
