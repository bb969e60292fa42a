//! Data directory of a server: all its files are in it, and one server at a time uses it. A
//! directory that belongs to something else is never touched.

use crate::limits;
use rustix::process::geteuid;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A data directory that this process has locked. The lock ends with this value, or with the
/// process, even if it is killed.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("a server with pid {pid} already runs on {root}", root = root.display())]
    Held { root: PathBuf, pid: u32 },
    #[error("another process has already locked {root}", root = root.display())]
    HeldByUnknown { root: PathBuf },
    #[error(
        "{root} is open to other users and contains files that are not Tidegate's",
        root = root.display()
    )]
    Foreign { root: PathBuf },
    #[error("{root} belongs to {owner}, and this process runs as {us}", root = root.display())]
    OfAnother {
        root: PathBuf,
        owner: String,
        us: String,
    },
    #[error("{root} is not a directory", root = root.display())]
    NotDirectory { root: PathBuf },
    #[error("{what} {path}: {source}", path = path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

impl DataDirError {
    /// Hint for fixing the error.
    pub fn hint(&self) -> String {
        match self {
            Self::Held { pid, .. } => {
                format!("stop it (`kill {pid}`), or use another directory with --data DIR")
            }
            Self::HeldByUnknown { .. } => {
                "stop that process, or use another directory with --data DIR".to_owned()
            }
            Self::Foreign { .. } => "use an empty or a new directory with --data DIR".to_owned(),
            // With the path: that user's own default is another directory.
            Self::OfAnother { owner, root, .. } => format!(
                "run it as {owner}, as in `sudo -u {} tidegate up --data {}`, or use another \
                 directory with --data DIR; nothing was changed",
                shell_word(owner),
                shell_word(&root.display().to_string())
            ),
            Self::NotDirectory { .. } => "name a directory with --data DIR".to_owned(),
            Self::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
                "free space on that file system, or use another directory with --data DIR"
                    .to_owned()
            }
            Self::Io { source, .. } if source.kind() == ErrorKind::ReadOnlyFilesystem => {
                "give the server a directory that it can write, with --data DIR: in a container, \
                 a volume"
                    .to_owned()
            }
            Self::Io { .. } => {
                "check the path and its permissions, or use another with --data DIR".to_owned()
            }
        }
    }
}

impl DataDir {
    /// Makes the directory if it is missing, without access for others, and locks it.
    pub fn lock(root: &Path) -> Result<Self, DataDirError> {
        // A link to nowhere is one as well.
        if root.symlink_metadata().is_ok() && !root.is_dir() {
            let root = root.to_owned();
            return Err(DataDirError::NotDirectory { root });
        }
        DirBuilder::new()
            .recursive(true)
            .mode(mode())
            .create(root)
            .map_err(io_error("can't make", root))?;
        // Absolute, so that the path stays valid if the process changes its directory.
        let root = root.canonicalize().map_err(io_error("can't open", root))?;
        check_owner(&root)?;
        close_to_others(&root)?;
        let path = Self::lock_file(&root);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io_error("can't open", &path))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(root)),
            Err(TryLockError::Error(e)) => return Err(io_error("can't lock", &path)(e)),
        }
        // Only with the lock: until then the file has the pid of the server that uses the
        // directory.
        file.set_len(0).map_err(io_error("can't write", &path))?;
        writeln!(file, "{}", std::process::id()).map_err(io_error("can't write", &path))?;
        file.sync_all().map_err(io_error("can't write", &path))?;
        Ok(Self { root, _lock: file })
    }

    /// Returns the pid of the server that has locked a data directory, if any. Doesn't keep a lock.
    pub fn holder(root: &Path) -> Option<u32> {
        let file = File::open(Self::lock_file(root)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => read_pid(root),
            _ => None,
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of the room `engine`: a directory per cluster, named by its number.
    pub fn engines(&self) -> PathBuf {
        self.root.join("engines")
    }

    pub fn store(&self) -> PathBuf {
        self.root.join("store.sqlite")
    }

    fn lock_file(root: &Path) -> PathBuf {
        root.join("lock")
    }
}

/// Returns the text as one word of a shell command line, quoted if needed.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { what, path, source }
}

/// [`DataDir::holder`] of another process takes the lock for a moment, so a failure is tried again.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..limits::LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(limits::PID_READ_PAUSE),
            other => return other,
        }
    }
    file.try_lock()
}

/// Refuses the data of another user before anything is written: root's files in it would lock out
/// the owner, and its mode would lock out root's engines. An empty directory is nobody's data yet.
fn check_owner(root: &Path) -> Result<(), DataDirError> {
    let us = geteuid().as_raw();
    let used = ["store.sqlite", "lock", "tidegate.toml", "."];
    let is_empty = std::fs::read_dir(root).is_ok_and(|mut files| files.next().is_none());
    let owner = used
        .iter()
        .filter_map(|name| root.join(name).metadata().ok())
        .map(|found| found.uid())
        .find(|owner| *owner != us);
    match owner {
        Some(owner) if !is_empty => Err(DataDirError::OfAnother {
            root: root.to_owned(),
            owner: user_name(owner),
            us: user_name(us),
        }),
        _ => Ok(()),
    }
}

/// Returns the user's name in /etc/passwd, else `#NUMBER`, as sudo reads it.
fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
        .unwrap_or_else(|| format!("#{uid}"))
}

/// Removes the access of others, but only from a directory that is certainly a data directory: the
/// operator may have given `--data /tmp` by mistake.
fn close_to_others(root: &Path) -> Result<(), DataDirError> {
    let now = root
        .metadata()
        .map_err(io_error("can't open", root))?
        .mode()
        & 0o777;
    if now == mode() {
        return Ok(());
    }
    // The operator may put a configuration file there before the first start.
    let ours = ["store.sqlite", "lock", "tidegate.toml"]
        .iter()
        .any(|name| root.join(name).exists());
    let mut files = std::fs::read_dir(root).map_err(io_error("can't open", root))?;
    if ours || files.next().is_none() {
        return std::fs::set_permissions(root, Permissions::from_mode(mode()))
            .map_err(io_error("can't change the mode of", root));
    }
    let too_open = now & 0o077 & !mode() != 0;
    if too_open {
        Err(DataDirError::Foreign {
            root: root.to_owned(),
        })
    } else {
        Ok(())
    }
}

/// Mode of the directory. If the server runs as root, each engine has its own user, who must pass
/// through to its directory but must not list this one. The other files are closed by their own
/// modes.
fn mode() -> u32 {
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    if root { 0o711 } else { 0o700 }
}

fn held(root: PathBuf) -> DataDirError {
    match read_pid(&root) {
        Some(pid) => DataDirError::Held { root, pid },
        None => DataDirError::HeldByUnknown { root },
    }
}

/// Reads the pid of the process that has the lock. It writes its pid right after it has taken the
/// lock, so an empty or old pid is read again.
fn read_pid(root: &Path) -> Option<u32> {
    for _ in 0..limits::PID_READS_MAX {
        let mut text = String::new();
        let read =
            File::open(DataDir::lock_file(root)).and_then(|f| f.take(32).read_to_string(&mut text));
        if let (Ok(_), Ok(pid)) = (read, text.trim().parse::<u32>())
            && Path::new("/proc").join(pid.to_string()).exists()
        {
            return Some(pid);
        }
        std::thread::sleep(limits::PID_READ_PAUSE);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn a_second_server_is_refused_with_the_first_ones_pid() {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().join("deep/data");
        let first = DataDir::lock(&root).unwrap();
        let e = DataDir::lock(&root).unwrap_err();
        assert!(
            e.to_string()
                .contains(&format!("pid {}", std::process::id())),
            "{e}"
        );
        assert_eq!(DataDir::holder(&root), Some(std::process::id()));
        drop(first);
        assert_eq!(DataDir::holder(&root), None);
        DataDir::lock(&root).unwrap();
    }

    #[test]
    fn data_of_another_user_are_refused_before_anything_is_written() {
        if !geteuid().is_root() {
            return;
        }
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().join("data");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("store.sqlite"), "").unwrap();
        for of_another in [".", "store.sqlite"] {
            let path = root.join(of_another);
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            std::fs::set_permissions(&root, Permissions::from_mode(0o700)).unwrap();
            let error = DataDir::lock(&root).unwrap_err();
            assert!(matches!(error, DataDirError::OfAnother { .. }), "{error}");
            let command = format!("`sudo -u nobody tidegate up --data {}`", root.display());
            assert!(error.hint().contains(&command), "{}", error.hint());
            assert!(!root.join("lock").exists(), "{of_another}");
            assert_eq!(mode_of(&root), 0o700, "{of_another}");
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
        DataDir::lock(&root).unwrap();
        // A volume that was just made belongs to whoever starts first.
        let empty = tmp.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        std::os::unix::fs::chown(&empty, Some(65_534), None).unwrap();
        DataDir::lock(&empty).unwrap();
    }

    #[test]
    fn a_file_or_a_link_to_nowhere_is_no_data_directory() {
        let tmp = tempfile::tempdir().unwrap();
        let file = tmp.path().join("file");
        std::fs::write(&file, "").unwrap();
        let link = tmp.path().join("link");
        std::os::unix::fs::symlink(tmp.path().join("nowhere"), &link).unwrap();
        for path in [file, link] {
            let error = DataDir::lock(&path).unwrap_err();
            assert!(
                matches!(error, DataDirError::NotDirectory { .. }),
                "{error}"
            );
        }
        assert_eq!(shell_word("/a b"), "'/a b'");
        assert_eq!(shell_word("#7"), "'#7'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
    }

    #[test]
    fn what_it_makes_is_closed_to_others() {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().join("data");
        let dir = DataDir::lock(&root).unwrap();
        assert_eq!(mode_of(dir.root()), mode());
        assert_eq!(mode_of(&dir.root().join("lock")), 0o600);
    }

    #[test]
    fn an_open_directory_is_closed_if_ours_and_refused_if_not() {
        let tmp = tempfile::tempdir().unwrap();
        let foreign = tmp.path().join("foreign");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("letters.txt"), "x").unwrap();
        std::fs::set_permissions(&foreign, Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            DataDir::lock(&foreign),
            Err(DataDirError::Foreign { .. })
        ));
        assert_eq!(mode_of(&foreign), 0o755);

        let empty = tmp.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        std::fs::set_permissions(&empty, Permissions::from_mode(0o755)).unwrap();
        drop(DataDir::lock(&empty).unwrap());
        assert_eq!(mode_of(&empty), mode());
        std::fs::set_permissions(&empty, Permissions::from_mode(0o755)).unwrap();
        drop(DataDir::lock(&empty).unwrap());
        assert_eq!(mode_of(&empty), mode());
    }
}
