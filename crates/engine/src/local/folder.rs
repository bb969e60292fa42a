//! A cluster's directory: its files and their permissions. It follows no link that a tenant could
//! have made: files that the engine can write are deleted here, but not read.

use crate::error::EngineError;
use crate::local::error::LocalError;
use crate::local::remove_tree::remove_tree;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `data` and `tmp` are the engine's own; the rest it may read at most.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    uid: Option<u32>,
}

impl Folder {
    pub fn new(root: PathBuf, uid: Option<u32>) -> Self {
        Self { root, uid }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
    pub fn uid(&self) -> Option<u32> {
        self.uid
    }
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }
    pub fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }
    pub fn init_sql(&self) -> PathBuf {
        self.run().join("init.sql")
    }
    /// Key and certificate of the current run.
    pub fn leg_identity(&self) -> PathBuf {
        self.run().join("leg.pem")
    }
    pub fn log(&self) -> PathBuf {
        self.root.join("engine.log")
    }
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }
    /// The version of the engine that last ran here.
    pub fn version(&self) -> PathBuf {
        self.root.join("version")
    }

    /// Creates the empty folders of a cluster's directory.
    pub fn make_subfolders(&self) -> io::Result<()> {
        make_dir(&self.root, self.outer_mode())?;
        self.give_group(&self.root)?;
        for dir in [self.run(), self.plugins(), self.files()] {
            make_dir(&dir, self.outer_mode())?;
            self.give_group(&dir)?;
        }
        for dir in [self.data(), self.tmp()] {
            make_dir(&dir, 0o700)?;
            self.give(&dir)?;
        }
        Ok(())
    }

    /// Mode of folders that belong to the server: the engine's own group may search them.
    fn outer_mode(&self) -> u32 {
        if self.uid.is_some() { 0o750 } else { 0o700 }
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        match self.uid {
            Some(uid) => std::os::unix::fs::lchown(path, Some(uid), Some(uid)),
            None => Ok(()),
        }
    }

    fn give_group(&self, path: &Path) -> io::Result<()> {
        match self.uid {
            Some(gid) => std::os::unix::fs::lchown(path, None, Some(gid)),
            None => Ok(()),
        }
    }

    /// Gives everything below `data` to the engine's own user.
    pub fn give_data(&self) -> io::Result<()> {
        if self.uid.is_none() {
            return Ok(());
        }
        let mut stack = vec![self.data()];
        while let Some(dir) = stack.pop() {
            self.give(&dir)?;
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    stack.push(entry.path());
                } else {
                    self.give(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Deletes the files that the last run left in `tmp`.
    pub fn empty_tmp(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.tmp())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                remove_tree(&entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes InnoDB's temporary tablespace, which each start makes anew, and which may be large.
    pub fn remove_temporary_tables(&self) -> io::Result<()> {
        match fs::remove_file(self.data().join("ibtmp1")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Writes the SQL that the engine runs at its start. It can read the file and not change it.
    pub fn write_init_sql(&self, sql: &str) -> io::Result<()> {
        let path = self.init_sql();
        let mode = if self.uid.is_some() { 0o640 } else { 0o600 };
        let mut file = create_again(&path, mode)?;
        self.give_group(&path)?;
        file.write_all(sql.as_bytes())
    }

    /// Writes key and certificate of the next run. The key of the last run is gone then.
    pub fn write_leg_identity(&self, pem: &str) -> io::Result<()> {
        let path = self.leg_identity();
        let mut file = create_again(&path, 0o600)?;
        self.give(&path)?;
        file.write_all(pem.as_bytes())
    }

    /// Records which version of the engine runs here.
    pub fn write_version(&self, version: &str) -> io::Result<()> {
        let path = self.version();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(version.as_bytes())
    }

    /// Opens the log for appending, and returns its length: everything behind it belongs to this
    /// run.
    pub fn open_log(&self) -> io::Result<(File, u64)> {
        let path = self.log();
        // A log that can't be rotated is no reason not to start; the watch tries again.
        let _ = crate::local::engine_log::rotate(self);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    pub fn open_lock(&self) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.lock())
    }
}

/// Creates a file, in place of one that the last run left: owner and mode are right whatever that
/// one had.
fn create_again(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// Creates a folder, or changes the mode of an existing one to exactly this, whatever the umask.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        // A file there is none of ours.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && !path.is_file() => {}
        other => other?,
    }
    // The umask may have removed bits from the mode of a new folder.
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Lets others pass through this folder without listing it.
pub fn add_passage(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.mode() & 0o7777;
    if mode & 0o011 == 0o011 {
        Ok(())
    } else {
        fs::set_permissions(path, Permissions::from_mode(mode | 0o011))
    }
}

/// Checks that the engines' own users can search every folder above their files.
pub fn check_reach(path: &Path) -> Result<(), EngineError> {
    let full = path
        .canonicalize()
        .map_err(EngineError::file("opening", path))?;
    for above in full.ancestors() {
        let mode = fs::metadata(above)
            .map_err(EngineError::file("reading the mode of", above))?
            .mode();
        if mode & 0o001 == 0 {
            return Err(EngineError::from(LocalError::Unreachable {
                path: full.clone(),
                obstacle: above.to_owned(),
            }));
        }
    }
    Ok(())
}

/// Makes a rename or a new entry in this folder durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_may_not_write_is_not_its_own() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path().join("c"), None);
        folder.make_subfolders().unwrap();
        folder.write_init_sql("SELECT 1;").unwrap();
        folder.write_init_sql("SELECT 2;").unwrap();
        folder.write_leg_identity("old and longer").unwrap();
        folder.write_leg_identity("new").unwrap();
        for (path, mode) in [
            (folder.init_sql(), 0o600),
            (folder.leg_identity(), 0o600),
            (folder.data(), 0o700),
            (folder.run(), 0o700),
        ] {
            assert_eq!(
                fs::metadata(&path).unwrap().mode() & 0o777,
                mode,
                "{path:?}"
            );
        }
        assert_eq!(fs::read_to_string(folder.init_sql()).unwrap(), "SELECT 2;");
        assert_eq!(fs::read_to_string(folder.leg_identity()).unwrap(), "new");
    }

    #[test]
    fn a_folder_others_cannot_pass_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let inner = temp.path().join("inner");
        make_dir(&inner, 0o711).unwrap();
        fs::set_permissions(temp.path(), Permissions::from_mode(0o700)).unwrap();
        let told = check_reach(&inner).unwrap_err().report();
        let obstacle = temp.path().canonicalize().unwrap();
        let words = format!("others may not search {};", obstacle.display());
        assert!(told.contains(&words), "{told}");
    }
}
