//! Store of TLS state in the files of a data folder. Other programs may replace the files: a
//! version is a hash of the content, and a write locks the folder against other processes that use
//! this store.

use crate::error::TlsError;
use crate::state::{self, SECRET_MODE};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tidegate_model::{PutIf, StoredValue, TlsStateError, TlsStateStore, ValueVersion, ValueWatch};

/// Values in the files of a folder. Cheap to clone.
#[derive(Clone)]
pub struct StateFiles {
    root: PathBuf,
}

impl StateFiles {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the file of a value. A name that leads out of the folder is an error of the caller.
    fn file(&self, name: &str) -> Result<PathBuf, TlsStateError> {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if inside && !name.is_empty() {
            Ok(self.root.join(name))
        } else {
            Err(failed(name)(TlsError::BadName(name.to_owned())))
        }
    }

    fn replace_file(
        &self,
        name: &str,
        value: Option<&[u8]>,
        condition: PutIf,
    ) -> Result<(), TlsStateError> {
        let path = self.file(name)?;
        let folder = path.parent().unwrap_or(&self.root);
        state::private_folder(folder).map_err(failed(name))?;
        // Dropped at the end, which unlocks it.
        let _locked = state::lock_folder(folder);
        if let PutIf::Unchanged(version) = condition
            && self.get(name)?.map(|value| value.version) != version
        {
            return Err(TlsStateError::Changed(name.to_owned()));
        }
        match value {
            Some(value) => state::write_whole(&path, value, SECRET_MODE),
            None => remove(&path),
        }
        .map_err(failed(name))
    }
}

/// Returns the version of a content: the first bytes of its SHA-256.
fn version_of(bytes: &[u8]) -> ValueVersion {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    ValueVersion(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

fn failed(name: &str) -> impl FnOnce(TlsError) -> TlsStateError {
    let name = name.to_owned();
    move |error| TlsStateError::Failed {
        name,
        source: Arc::new(error),
    }
}

fn remove(path: &Path) -> Result<(), TlsError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(TlsError::io("removing", path)(error))
        }
        _ => Ok(()),
    }
}

/// Returns the names of the files in a folder; none if it is missing.
fn file_names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if let Ok(name) = entry.file_name().into_string()
            && path.is_file()
            && !state::is_unfinished(&path)
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

impl TlsStateStore for StateFiles {
    fn get(&self, name: &str) -> Result<Option<StoredValue>, TlsStateError> {
        let bytes = state::read_if_there(&self.file(name)?).map_err(failed(name))?;
        Ok(bytes.map(|bytes| StoredValue {
            version: version_of(&bytes),
            bytes,
        }))
    }

    fn put(
        &self,
        name: &str,
        value: Option<&[u8]>,
        condition: PutIf,
    ) -> Result<Option<ValueVersion>, TlsStateError> {
        self.replace_file(name, value, condition)?;
        Ok(value.map(version_of))
    }

    fn watch(&self, name: &str) -> Box<dyn ValueWatch> {
        let mut watch = FileWatch {
            files: self.clone(),
            name: name.to_owned(),
            seen: None,
        };
        watch.has_changed();
        Box::new(watch)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, TlsStateError> {
        let path = self.file(folder)?;
        let found = file_names(&path)
            .map_err(TlsError::io("reading the folder", &path))
            .map_err(failed(folder))?;
        Ok(found
            .into_iter()
            .map(|name| format!("{folder}/{name}"))
            .collect())
    }
}

/// Watcher of a file. It compares contents and not time stamps: the swap of a symbolic link may
/// keep the time.
struct FileWatch {
    files: StateFiles,
    name: String,
    seen: Option<ValueVersion>,
}

impl ValueWatch for FileWatch {
    fn has_changed(&mut self) -> bool {
        let Ok(found) = self.files.get(&self.name) else {
            return false;
        };
        let found = found.map(|value| value.version);
        std::mem::replace(&mut self.seen, found) != found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FILE_BYTES_MAX;
    use std::os::unix::fs::PermissionsExt;

    fn text(files: &StateFiles, name: &str) -> Option<String> {
        let value = files.get(name).unwrap()?;
        Some(String::from_utf8(value.bytes.to_vec()).unwrap())
    }

    fn mode_of(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    const ABSENT: PutIf = PutIf::Unchanged(None);

    fn as_it_is(files: &StateFiles, name: &str) -> PutIf {
        PutIf::Unchanged(files.get(name).unwrap().map(|value| value.version))
    }

    #[test]
    fn a_value_is_replaced_only_if_it_is_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(folder.path());
        let name = "tls/leaf.pem";
        assert_eq!(text(&files, name), None);
        files.put(name, Some(b"one"), ABSENT).unwrap();
        let one = as_it_is(&files, name);
        assert!(matches!(
            files.put(name, Some(b"two"), ABSENT),
            Err(TlsStateError::Changed(changed)) if changed == name
        ));
        files.put(name, Some(b"two"), one).unwrap();
        assert!(files.put(name, None, one).is_err());
        assert_eq!(text(&files, name).as_deref(), Some("two"));
        // A value that can't be read can still be replaced.
        let endless = vec![0; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
        std::fs::write(folder.path().join(name), endless).unwrap();
        files.get(name).unwrap_err();
        files.put(name, Some(b"three"), PutIf::Always).unwrap();
        assert_eq!(text(&files, name).as_deref(), Some("three"));
        // The rest of a write that a crash interrupted is no value.
        std::fs::write(folder.path().join("tls/leaf.new"), "half").unwrap();
        assert_eq!(files.names("tls").unwrap(), [name]);
        assert_eq!(mode_of(&folder.path().join(name)), 0o600);
        assert_eq!(mode_of(&folder.path().join("tls")), 0o700);
        files.put(name, None, as_it_is(&files, name)).unwrap();
        assert_eq!(files.names("tls").unwrap(), [""; 0]);
        assert_eq!(files.names("nowhere").unwrap(), [""; 0]);
    }

    /// Adds a digit to a value, as often as given, with a store of its folder.
    fn add_digits(folder: &Path, digit: u8, times: usize) {
        let files = StateFiles::new(folder);
        let mut added = 0;
        while added < times {
            let now = files.get("tls/digits").unwrap();
            let mut digits = now.as_ref().map_or(vec![], |now| now.bytes.to_vec());
            digits.push(digit);
            let unchanged = PutIf::Unchanged(now.map(|now| now.version));
            match files.put("tls/digits", Some(&digits), unchanged) {
                Ok(_) => added += 1,
                Err(TlsStateError::Changed(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    #[test]
    fn of_many_writers_each_with_its_own_store_none_overwrites_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::thread::scope(|scope| {
            for digit in b'0'..b'4' {
                scope.spawn(move || add_digits(path, digit, 20));
            }
        });
        let digits = text(&StateFiles::new(folder.path()), "tls/digits").unwrap();
        for digit in "0123".chars() {
            assert_eq!(digits.matches(digit).count(), 20, "{digits}");
        }
    }

    #[test]
    fn a_watcher_notices_each_change_of_its_value_only_whoever_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(folder.path());
        let path = folder.path().join("tls/one");
        let mut watch = files.watch("tls/one");
        files.put("tls/two", Some(b"x"), ABSENT).unwrap();
        assert!(!watch.has_changed());
        files.put("tls/one", Some(b"x"), ABSENT).unwrap();
        assert!(watch.has_changed());
        assert!(!watch.has_changed(), "noticed once");
        std::fs::write(&path, "y").unwrap();
        assert!(watch.has_changed(), "by another program");
        std::fs::write(&path, "y").unwrap();
        assert!(!watch.has_changed(), "the same content");
        files.put("tls/one", Some(b"z"), ABSENT).unwrap_err();
        assert!(!watch.has_changed(), "nothing was written");
        // Unreadable, as in the middle of an exchange of folders.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(!watch.has_changed());
        std::fs::remove_dir(&path).unwrap();
        assert!(watch.has_changed(), "removed");
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(folder.path().join("data"));
        for name in ["", "..", "../x", "/etc/passwd", "tls/../../x", "tls/./x"] {
            let read = files.get(name);
            let stays = name == "tls/./x";
            assert_eq!(read.is_ok(), stays, "{name}");
        }
    }
}
