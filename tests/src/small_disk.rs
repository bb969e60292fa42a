//! A small file system for a folder of a server, so that a test can fill it.

use crate::skipped::not_run;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system. It is unmounted when dropped, before the server's folder is removed.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a file system of this size (`320m`) as `inner` of the folder, and sets the modes that
    /// a data directory has. None, with a printed note, if this machine does not allow it.
    pub fn mount(folder: &Path, inner: &str, size: &str) -> Option<Self> {
        let path = folder.join(inner);
        std::fs::create_dir_all(&path).expect("our own folder");
        for mounted in path.ancestors().take_while(|parent| *parent != folder) {
            std::fs::set_permissions(mounted, std::os::unix::fs::PermissionsExt::from_mode(0o711))
                .expect("our own folder");
        }
        let options = format!("size={size},mode=711");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(&path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            not_run("no file system can be mounted here");
            return None;
        }
        Some(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the file that [`SmallDisk::fill`] writes.
    pub fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Fills it to the last byte. Called again, it takes what has become free since.
    pub fn fill(&self) {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .open(self.filler())
            .expect("a file on the small disk");
        for size in [1 << 20, 1] {
            let block = vec![7; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    /// Makes it read-only.
    pub fn forbid_writes(&self, size: &str) {
        let options = format!("remount,ro,size={size}");
        let remounted = Command::new("mount")
            .args(["-o", &options])
            .arg(&self.0)
            .status();
        assert!(remounted.is_ok_and(|status| status.success()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
