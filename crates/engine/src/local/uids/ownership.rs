//! The hand-over of a cluster's files to another user: while no engine runs, and to its end even if
//! the server is killed in the middle. A tenant made these files, so nothing is followed, and only
//! what the former user owned is given away: a link to a foreign file would else make that file the
//! tenant's.

use crate::limits::WALK_DEPTH_MAX;
use crate::local::folder::Folder;
use crate::local::walk::{Visit, walk};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat};
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Record beside the data, which the engine can't write: `moving UID...` names the users whose
/// files may still be there. Without a record all files belong to the owner of `data`.
const RECORD: &str = "owners";

/// Gives everything in the folder to its user, if it is not that user's already. True if something
/// was to do. Called with the cluster's lock, so that no engine runs on it.
pub fn settle_ownership(folder: &Folder) -> io::Result<bool> {
    let Some(uid) = folder.uid() else {
        return Ok(false);
    };
    let record = folder.root().join(RECORD);
    let mut former = read_record(&record)?;
    let owner = fs::symlink_metadata(folder.data())?.uid();
    if former.is_empty() && owner == uid {
        return Ok(false);
    }
    // Without a record, the owner of `data` owns all other files as well.
    former.push(owner);
    former.sort_unstable();
    former.dedup();
    // Before the first change, so that the next start finishes a hand-over that is interrupted.
    write_record(&record, &former)?;
    // The outer folders' group is the engine's user; `data` and `tmp` are its own.
    folder.make_subfolders()?;
    for own in [folder.data(), folder.tmp()] {
        give(&own, uid, &former)?;
    }
    // The record must not be removed before the changes of owner are on disk, in whatever order the
    // file system writes.
    rustix::fs::syncfs(File::open(folder.root())?)?;
    fs::remove_file(&record)?;
    Ok(true)
}

fn give(root: &Path, uid: u32, former: &[u32]) -> io::Result<()> {
    let mut foreign = 0usize;
    walk(root, WALK_DEPTH_MAX, |folder, name, stat| {
        let given = stat.st_uid == uid && stat.st_gid == uid;
        if !given && !former.contains(&stat.st_uid) && stat.st_uid != uid {
            foreign += 1;
            return Ok(Visit::Skip);
        }
        if !given {
            give_entry(folder, name, uid, former)?;
        }
        Ok(Visit::Enter)
    })?;
    if foreign > 0 {
        tracing::warn!(
            path = %root.display(),
            foreign,
            "files of other users lie in this folder; they stay theirs"
        );
    }
    Ok(())
}

/// Changes the owner through the same descriptor that is checked, so that the entry can't be
/// exchanged in between.
fn give_entry(folder: BorrowedFd<'_>, name: &CStr, uid: u32, former: &[u32]) -> io::Result<()> {
    let entry = openat(
        folder,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let stat = fstat(&entry)?;
    let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
    // A file of root with a second name may be one of the system's.
    let may_be_foreign = stat.st_uid == 0 && is_file && stat.st_nlink > 1;
    if may_be_foreign || stat.st_uid != uid && !former.contains(&stat.st_uid) {
        return Ok(());
    }
    let to = Uid::from_raw(uid);
    let group = Gid::from_raw(uid);
    chownat(
        &entry,
        c"",
        Some(to),
        Some(group),
        AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(())
}

/// Users whose files may still be there. Empty without a record.
fn read_record(path: &Path) -> io::Result<Vec<u32>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    Ok(text
        .split_whitespace()
        .skip(1)
        .filter_map(|uid| uid.parse().ok())
        .collect())
}

fn write_record(path: &Path, former: &[u32]) -> io::Result<()> {
    let new: PathBuf = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    let users: Vec<String> = former.iter().map(ToString::to_string).collect();
    writeln!(file, "moving {}", users.join(" "))?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), crate::local::folder::sync_dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, lchown, symlink};

    const OLD: u32 = 1_879_048_200;
    const NEW: u32 = 1_879_048_201;
    const FOREIGN: u32 = 1_879_048_202;

    /// A cluster of user `OLD`, with what a hostile tenant could leave in it. `None` where the test
    /// is not root.
    fn cluster(root: &Path) -> Option<Folder> {
        if !rustix::process::geteuid().is_root() {
            // Past the captured output, so that it is not counted as passed.
            let why = b"\nnot run: handing files over needs root\n";
            std::io::Write::write_all(&mut std::io::stderr(), why).unwrap();
            return None;
        }
        let folder = Folder::new(root.join("7"), Some(OLD));
        folder.make_subfolders().unwrap();
        let data = folder.data();
        fs::create_dir_all(data.join("test/deep")).unwrap();
        for file in ["ibdata1", "test/a.ibd", "test/deep/b"] {
            fs::write(data.join(file), "x").unwrap();
        }
        fs::write(folder.tmp().join("t"), "x").unwrap();
        folder.give_data().unwrap();
        lchown(folder.tmp().join("t"), Some(OLD), Some(OLD)).unwrap();
        // Outside: a file that links point to, a folder likewise, and a hard link to a foreign
        // file.
        fs::write(root.join("secret"), "x").unwrap();
        fs::create_dir(root.join("elsewhere")).unwrap();
        fs::write(root.join("elsewhere/old"), "x").unwrap();
        chown(root.join("secret"), Some(FOREIGN), Some(FOREIGN)).unwrap();
        chown(root.join("elsewhere/old"), Some(OLD), Some(OLD)).unwrap();
        symlink(root.join("secret"), data.join("link")).unwrap();
        symlink(root.join("elsewhere"), data.join("test/folder")).unwrap();
        fs::hard_link(root.join("secret"), data.join("test/hard")).unwrap();
        for link in ["link", "test/folder"] {
            lchown(data.join(link), Some(OLD), Some(OLD)).unwrap();
        }
        Some(Folder::new(folder.root().to_owned(), Some(NEW)))
    }

    fn owner(path: PathBuf) -> (u32, u32) {
        let meta = fs::symlink_metadata(path).unwrap();
        (meta.uid(), meta.gid())
    }

    fn assert_moved(folder: &Folder, root: &Path) {
        let data = folder.data();
        for own in [
            "",
            "ibdata1",
            "test",
            "test/a.ibd",
            "test/deep/b",
            "link",
            "test/folder",
        ] {
            assert_eq!(owner(data.join(own)), (NEW, NEW), "{own}");
        }
        assert_eq!(owner(folder.tmp().join("t")), (NEW, NEW));
        for outer in [folder.root().to_owned(), folder.run(), folder.plugins()] {
            assert_eq!(owner(outer), (0, NEW), "ours, with passage for the engine");
        }
        for foreign in ["secret", "7/data/test/hard"] {
            assert_eq!(owner(root.join(foreign)), (FOREIGN, FOREIGN), "{foreign}");
        }
        assert_eq!(
            owner(root.join("elsewhere/old")),
            (OLD, OLD),
            "behind a link"
        );
        assert!(!folder.root().join(RECORD).exists());
    }

    #[test]
    fn a_folder_is_handed_over_whole_and_nothing_behind_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let Some(folder) = cluster(temp.path()) else {
            return;
        };
        assert!(settle_ownership(&folder).unwrap());
        assert_moved(&folder, temp.path());
        assert!(!settle_ownership(&folder).unwrap(), "nothing is left to do");
    }

    #[test]
    fn a_hand_over_that_was_cut_is_finished_by_the_next() {
        let temp = tempfile::tempdir().unwrap();
        let Some(folder) = cluster(temp.path()) else {
            return;
        };
        // As left by a server that is killed in the middle: recorded, the outer folders and a part
        // of the files given.
        write_record(&folder.root().join(RECORD), &[OLD]).unwrap();
        folder.make_subfolders().unwrap();
        lchown(folder.data().join("ibdata1"), Some(NEW), Some(NEW)).unwrap();
        lchown(folder.data().join("test"), Some(NEW), Some(NEW)).unwrap();
        assert!(settle_ownership(&folder).unwrap());
        assert_moved(&folder, temp.path());
    }

    #[test]
    fn a_cluster_that_moves_again_in_the_middle_arrives() {
        let temp = tempfile::tempdir().unwrap();
        let Some(folder) = cluster(temp.path()) else {
            return;
        };
        let between = Folder::new(folder.root().to_owned(), Some(FOREIGN + 1));
        write_record(&folder.root().join(RECORD), &[OLD]).unwrap();
        between.make_subfolders().unwrap();
        lchown(
            folder.data().join("ibdata1"),
            Some(FOREIGN + 1),
            Some(FOREIGN + 1),
        )
        .unwrap();
        assert!(settle_ownership(&folder).unwrap());
        assert_moved(&folder, temp.path());
    }

    /// A service manager gives a directory that changes its user to root first.
    #[test]
    fn of_files_of_root_those_with_a_second_name_stay_roots() {
        let temp = tempfile::tempdir().unwrap();
        let Some(folder) = cluster(temp.path()) else {
            return;
        };
        fs::write(temp.path().join("system"), "x").unwrap();
        fs::hard_link(temp.path().join("system"), folder.data().join("system")).unwrap();
        for own in [
            "",
            "ibdata1",
            "test",
            "test/a.ibd",
            "test/deep",
            "test/deep/b",
            "link",
            "test/folder",
        ] {
            lchown(folder.data().join(own), Some(0), Some(0)).unwrap();
        }
        lchown(folder.tmp().join("t"), Some(0), Some(0)).unwrap();
        assert!(settle_ownership(&folder).unwrap());
        assert_moved(&folder, temp.path());
        assert_eq!(owner(temp.path().join("system")), (0, 0));
    }

    #[test]
    fn folders_deeper_than_the_bound_cost_no_more_than_it() {
        let temp = tempfile::tempdir().unwrap();
        let Some(folder) = cluster(temp.path()) else {
            return;
        };
        let mut deep = folder.data();
        for _ in 0..WALK_DEPTH_MAX * 2 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        for level in deep.ancestors().take(WALK_DEPTH_MAX * 2) {
            lchown(level, Some(OLD), Some(OLD)).unwrap();
        }
        assert!(settle_ownership(&folder).unwrap());
        assert_eq!(owner(folder.data().join("d/d")), (NEW, NEW));
        assert_eq!(
            owner(deep),
            (OLD, OLD),
            "what no engine makes is not searched for"
        );
    }
}
