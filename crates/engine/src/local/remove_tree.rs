//! Removal of a folder that a tenant may have filled, at any depth: neither the stack nor the
//! number of open files grows with it. `std::fs::remove_dir_all` recurses, and a folder some
//! thousand levels deep overflows the stack, which ends the whole server.

use rustix::fs::{
    AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, chmodat, openat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Removes the folder and everything in it, and follows no link. Folders inside it are moved to its
/// top, so that each is emptied there. If it is interrupted, a second call removes the rest.
///
/// # Errors
/// If the folder is missing, or a file can't be removed.
pub fn remove_tree(root: &Path) -> io::Result<()> {
    let top = openat(CWD, root, FOLDER, Mode::empty())?;
    let mut moved = 0u64;
    while empty_once(top.as_fd(), &mut moved)? {}
    std::fs::remove_dir(root)
}

/// Removes what lies in the top folder. True if there was something: folders that were moved here
/// meanwhile may have been missed.
fn empty_once(top: BorrowedFd<'_>, moved: &mut u64) -> io::Result<bool> {
    let mut found = false;
    for entry in Dir::read_from(top)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        found = true;
        if !is_folder_left(top, name)? {
            continue;
        }
        let folder = open_own(top, name)?;
        empty_into(&folder, top, moved)?;
        match unlinkat(top, name, AtFlags::REMOVEDIR) {
            // What came into it meanwhile is found in the next round.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(found)
}

/// Removes the files of a folder and moves its folders to the top.
fn empty_into(folder: &OwnedFd, top: BorrowedFd<'_>, moved: &mut u64) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." || !is_folder_left(folder.as_fd(), name)? {
            continue;
        }
        loop {
            *moved += 1;
            let free = format!("moved-{moved}");
            let flags = RenameFlags::NOREPLACE;
            match renameat_with(folder, name, top, free.as_str(), flags) {
                Ok(()) | Err(Errno::NOENT) => break,
                // The tenant used this name.
                Err(Errno::EXIST | Errno::NOTEMPTY) => {}
                // A folder without the right to write can't get another parent.
                Err(Errno::ACCESS) => chmodat(folder, name, Mode::RWXU, AtFlags::empty())?,
                Err(e) => return Err(e.into()),
            }
        }
    }
    Ok(())
}

/// Removes a name that is not a folder. True if it is one.
fn is_folder_left(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(false),
        Err(Errno::ISDIR) => Ok(true),
        Err(e) => Err(e.into()),
    }
}

/// Opens a folder with the right to change it. Where the server is not root, it is the owner.
fn open_own(top: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let folder = match openat(top, name, FOLDER, Mode::empty()) {
        Err(Errno::ACCESS) => {
            chmodat(top, name, Mode::RWXU, AtFlags::empty())?;
            openat(top, name, FOLDER, Mode::empty())?
        }
        other => other?,
    };
    // If this fails, the removal of the first file says why.
    let _ = rustix::fs::fchmod(&folder, Mode::RWXU);
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;
    use std::fs;

    /// Far more levels than any stack has room for.
    const LEVELS: usize = 20_000;

    fn deep(root: &Path) {
        fs::create_dir(root).unwrap();
        let mut folder = openat(CWD, root, FOLDER, Mode::empty()).unwrap();
        for _ in 0..LEVELS {
            mkdirat(&folder, "d", Mode::RWXU).unwrap();
            folder = openat(&folder, "d", FOLDER, Mode::empty()).unwrap();
        }
    }

    #[test]
    fn a_tree_of_any_depth_is_removed_and_nothing_behind_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("7.removing");
        let outside = temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        deep(&root);
        deep(&root.join("d2"));
        // Names that the removal itself uses.
        fs::write(root.join("moved-1"), "x").unwrap();
        fs::create_dir_all(root.join("moved-2/moved-1/x")).unwrap();
        fs::write(root.join("moved-2/file"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("moved-2/link")).unwrap();
        remove_tree(&root).unwrap();
        assert!(!root.exists());
        assert!(outside.join("kept").exists());
        assert_eq!(
            remove_tree(&root).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn folders_without_rights_are_removed_too() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("x");
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::write(root.join("a/b/file"), "x").unwrap();
        for folder in ["a/b/c", "a/b", "a"] {
            fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove_tree(&root).unwrap();
        assert!(!root.exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let outside = temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, temp.path().join("x")).unwrap();
        assert!(remove_tree(&temp.path().join("x")).is_err());
        assert!(outside.join("kept").exists());
    }
}
