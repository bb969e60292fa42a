//! Operations on files of the cgroup file system, with the path in each error.

use crate::limits::CGROUP_FILE_MAX;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Writes a value to an existing file: creating one here means that the kernel has no such setting.
pub fn write_value(path: &Path, value: &str) -> io::Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()));
    written.map_err(|e| at_path(path, &e))
}

/// Reads a small file, such as a statistic or a list of processes, cut at a bound.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(CGROUP_FILE_MAX).read_to_string(&mut text));
    read.map(|_| text).map_err(|e| at_path(path, &e))
}

/// Reads a file that contains one number. `max` is none.
pub fn read_number(path: &Path) -> Option<u64> {
    read_text(path).ok()?.trim().parse().ok()
}

/// Reads one field of a file with lines such as `usage_usec 1234`.
pub fn read_field(path: &Path, name: &str) -> Option<u64> {
    let text = read_text(path).ok()?;
    text.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

/// Makes a group. One that exists already is fine.
pub fn make_group(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(|e| at_path(path, &e)),
    }
}

/// Removes a group without processes. True if it is gone.
pub fn remove_group(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

/// Processes of a group. Zero stands for a process that this PID namespace doesn't see.
pub fn processes(group: &Path) -> Vec<i32> {
    let text = read_text(&group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn at_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
