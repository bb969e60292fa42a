//! Reading and writing of files. Reads are bounded, and a write is either complete or absent after
//! a crash.

use crate::error::TlsError;
use crate::limits::FILE_BYTES_MAX;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub const SECRET_MODE: u32 = 0o600;
pub const PUBLIC_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o700;

/// Reads a whole file. The buffer is wiped when dropped, since it may contain a key.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let file = File::open(path).map_err(TlsError::io("opening", path))?;
    // The capacity is set in advance: a buffer that grows would leave a partial copy of a key in
    // freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(size_hint(&file)).unwrap_or(0),
    ));
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(TlsError::io("reading", path))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(TlsError::TooLarge {
            path: path.to_path_buf(),
            limit: FILE_BYTES_MAX,
        });
    }
    Ok(bytes)
}

fn size_hint(file: &File) -> u64 {
    file.metadata()
        .map_or(0, |meta| meta.len().min(FILE_BYTES_MAX) + 1)
}

/// Reads a file that may be missing.
pub fn read_if_there(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, TlsError> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(TlsError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Makes a folder that only its owner may enter, and corrects the mode of an existing one.
pub fn private_folder(path: &Path) -> Result<(), TlsError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
        .map_err(TlsError::io("making the folder", path))?;
    let meta = fs::metadata(path).map_err(TlsError::io("reading the mode of", path))?;
    if meta.permissions().mode() & 0o777 != FOLDER_MODE {
        fs::set_permissions(path, fs::Permissions::from_mode(FOLDER_MODE))
            .map_err(TlsError::io("setting the mode of", path))?;
    }
    Ok(())
}

/// Locks a folder against other writers, of this process and others, until the result is dropped.
/// Only for the time of a write: it waits for them. `None` on a file system without such locks: the
/// lock of the data folder lets one server use it anyway.
pub fn lock_folder(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// Ending of a file that is written and has not got its name yet.
const UNFINISHED: &str = "new";

/// Returns the path under which a file is written before it gets its name.
fn unfinished(path: &Path) -> PathBuf {
    path.with_extension(UNFINISHED)
}

/// Whether this is a file whose write is not finished, or was not before a crash.
pub fn is_unfinished(path: &Path) -> bool {
    path.extension() == Some(UNFINISHED.as_ref())
}

/// Removes what a crash left of a write of this file.
pub fn remove_unfinished(path: &Path) -> Result<(), TlsError> {
    let temporary = unfinished(path);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TlsError::io("removing", &temporary)(error))
        }
        _ => Ok(()),
    }
}

/// Writes a file so that after a crash it has either the old or the new content, complete.
pub fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<(), TlsError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = unfinished(path);
    // A file left over from a crash may have another mode; a new file has the right one from its
    // first byte.
    remove_unfinished(path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .map_err(TlsError::io("creating", &temporary))?;
    // The process's umask may have removed mode bits that `ca.pem` needs.
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(TlsError::io("setting the mode of", &temporary))?;
    file.write_all(content)
        .map_err(TlsError::io("writing", &temporary))?;
    file.sync_all()
        .map_err(TlsError::io("syncing", &temporary))?;
    fs::rename(&temporary, path).map_err(TlsError::io("renaming into place", path))?;
    File::open(folder)
        .and_then(|dir| dir.sync_all())
        .map_err(TlsError::io("syncing the folder", folder))
}
