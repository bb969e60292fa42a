//! Check of the host for what every server needs, before anything is written.

use super::descriptors::OPEN_FILES_MIN;
use crate::failure::Failure;
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::path::Path;

/// Checks /proc, /dev/null and the limit of open files.
pub fn check_host() -> Result<(), Failure> {
    if !Path::new("/proc/self/status").is_file() {
        return Err(Failure::new(
            "/proc is not mounted: engines can't be isolated or watched without it",
            "mount it with `mount -t proc proc /proc`; a container has it unless it was taken away",
        ));
    }
    if let Err(error) = File::options().read(true).write(true).open("/dev/null") {
        return Err(Failure::new(
            "/dev/null can't be used, and every program that the server starts needs it",
            "mount /dev with its usual devices",
        )
        .caused_by(error));
    }
    check_open_files(getrlimit(Resource::Nofile).maximum)
}

fn check_open_files(limit: Option<u64>) -> Result<(), Failure> {
    match limit {
        Some(limit) if limit < OPEN_FILES_MIN => Err(Failure::new(
            format!(
                "the hard limit of open files is {limit}, and a server needs {OPEN_FILES_MIN} or \
                 more: two for each session, and some hundreds for the engine of each cluster"
            ),
            "raise it to 65536: LimitNOFILE=65536 of a systemd service, --ulimit nofile=65536 of a \
             container, `ulimit -Hn 65536` in a shell of root",
        )),
        _ => Ok(()),
    }
}
