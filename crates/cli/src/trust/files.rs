//! Files of a trust store: reads of limited size, atomic writes, and removal of links to deleted
//! files. Writes and removals never follow a link.

use crate::limits::{STORE_ENTRIES_MAX, STORE_FILE_MAX};
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Readable by everyone, like the store's other files.
const MODE: u32 = 0o644;

/// Reads the whole file; `None` if it doesn't exist.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let reading = || format!("reading {}", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(reading)?,
    };
    let mut text = Vec::new();
    file.take(STORE_FILE_MAX)
        .read_to_end(&mut text)
        .with_context(reading)?;
    Ok(Some(text))
}

/// Writes the whole file or nothing.
pub fn write(path: &Path, text: &str) -> Result<()> {
    // No store's tool reads files with this extension as certificates.
    let new = path.with_extension("new");
    let writing = || format!("writing {}", path.display());
    remove(&new)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&new)
        .with_context(writing)?;
    // The umask may have removed bits, and every program must be able to read a store.
    file.set_permissions(Permissions::from_mode(MODE))
        .with_context(writing)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(writing)?;
    std::fs::rename(&new, path).with_context(writing)
}

/// Removes a file or a link. Returns whether there was one.
pub fn remove(path: &Path) -> Result<bool> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        other => other
            .map(|()| true)
            .with_context(|| format!("removing {}", path.display())),
    }
}

/// Returns the paths in a folder, sorted; none if the folder doesn't exist.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(|| format!("reading {}", folder.display()))?,
    };
    let mut paths: Vec<_> = listed
        .flatten()
        .take(STORE_ENTRIES_MAX)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    Ok(paths)
}

/// Removes the links in a folder that lead to `gone`, and the links to those: the link with the
/// file's name, and the one with its hash. Returns their number.
pub fn remove_links(folder: &Path, gone: &Path) -> Result<usize> {
    let links: Vec<_> = entries(folder)?
        .into_iter()
        .filter_map(|link| Some((std::fs::read_link(&link).ok()?, link)))
        .collect();
    let mut removed = vec![gone.to_owned()];
    let mut count = 0;
    // The list grows during the loop, so that a link to a removed link is found too.
    while let Some(target) = removed.get(count).cloned() {
        for (to, link) in &links {
            if folder.join(to) == target && remove(link)? {
                removed.push(link.clone());
            }
        }
        count += 1;
    }
    Ok(removed.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_to_what_has_gone_go_and_no_other() {
        let tmp = tempfile::tempdir().unwrap();
        let certs = tmp.path().join("certs");
        let gone = tmp.path().join("share/ours.crt");
        std::fs::create_dir(&certs).unwrap();
        std::fs::write(certs.join("file.pem"), "x").unwrap();
        for (to, name) in [
            (gone.to_str().unwrap(), "ours.pem"),
            ("ours.pem", "0a1b2c3d.0"),
            ("/somewhere/theirs.crt", "theirs.pem"),
            ("theirs.pem", "11111111.0"),
            ("file.pem", "22222222.0"),
        ] {
            symlink(to, certs.join(name)).unwrap();
        }
        assert_eq!(remove_links(&certs, &gone).unwrap(), 2);
        let left: Vec<_> = entries(&certs)
            .unwrap()
            .iter()
            .map(|p| p.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(left, ["11111111.0", "22222222.0", "file.pem", "theirs.pem"]);
        assert_eq!(remove_links(&certs, &gone).unwrap(), 0);
        assert_eq!(remove_links(&tmp.path().join("none"), &gone).unwrap(), 0);
    }

    #[test]
    fn a_file_is_written_whole_and_never_through_a_link() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("a.crt");
        let other = tmp.path().join("other");
        std::fs::write(&other, "theirs").unwrap();
        symlink(&other, &path).unwrap();
        symlink(&other, path.with_extension("new")).unwrap();
        write(&path, "ours").unwrap();
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "theirs");
        assert_eq!(read(&path).unwrap().unwrap(), b"ours");
        assert_eq!(
            path.symlink_metadata().unwrap().permissions().mode() & 0o777,
            0o644
        );
        assert!(remove(&path).unwrap() && !remove(&path).unwrap());
        assert_eq!(read(&path).unwrap(), None);
    }
}
