//! Log file that rotates by size: `NAME`, then `NAME.1` to `NAME.3`, the latest first. Only the
//! thread that writes the log touches it.

use crate::limits::{LOG_FILE_MAX, LOG_FILES_KEPT};
use crate::logging::queue::Sink;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    length: u64,
    max: u64,
}

impl LogFile {
    /// Opens the file for appending, in a folder that only its owner can enter.
    pub fn open(dir: &Path, name: &str) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        Self::with_max(dir.join(name), LOG_FILE_MAX)
    }

    fn with_max(path: PathBuf, max: u64) -> io::Result<Self> {
        let file = append(&path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            length,
            max,
        })
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn rotate(&mut self) -> io::Result<()> {
        // From the oldest, so that no rename overwrites a file that has yet to be moved.
        for number in (1..LOG_FILES_KEPT).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.file = append(&self.path)?;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

impl Sink for LogFile {
    fn write_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        // An empty file is never rotated: a text above the maximum would leave only empty files.
        if self.length > 0 && self.length + lines.len() as u64 > self.max {
            // If files can't be renamed, the log still never takes more than one file's size.
            if self.rotate().is_err() {
                self.file.set_len(0)?;
            }
            self.length = 0;
        }
        self.file.write_all(lines)?;
        self.length += lines.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_makes_room_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = LogFile::with_max(path.clone(), 10).unwrap();
        for n in 0..6 {
            log.write_lines(format!("line {n}\n").as_bytes()).unwrap();
        }
        let names = ["a.log", "a.log.1", "a.log.2", "a.log.3"];
        let found = names.map(|name| fs::read_to_string(dir.path().join(name)).unwrap());
        assert_eq!(found, ["line 5\n", "line 4\n", "line 3\n", "line 2\n"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
        // The length of an existing file is included.
        drop(log);
        let mut log = LogFile::with_max(path, 10).unwrap();
        log.write_lines(b"more\n").unwrap();
        let found =
            ["a.log", "a.log.1"].map(|name| fs::read_to_string(dir.path().join(name)).unwrap());
        assert_eq!(found, ["more\n", "line 5\n"]);
    }

    #[test]
    fn a_file_that_can_not_be_renamed_is_emptied() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a.log.1/x")).unwrap();
        fs::write(dir.path().join("a.log.2"), "in the way").unwrap();
        let mut log = LogFile::with_max(dir.path().join("a.log"), 10).unwrap();
        log.write_lines(b"line 1\n").unwrap();
        log.write_lines(b"line 2\n").unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("a.log")).unwrap(),
            "line 2\n"
        );
    }
}
