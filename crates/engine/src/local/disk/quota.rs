//! Quota groups of btrfs: the file system itself ends a cluster's growth shortly above its hard
//! limit. Used where the operator has switched quotas on, by the program `btrfs`, since its system
//! calls need unsafe code. It does not switch quotas on: that changes the accounting of the whole
//! file system.

use crate::local::start::program::on_path;
use rustix::fs::statfs;
use rustix::thread::{CapabilitySet, capabilities};
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `BTRFS_SUPER_MAGIC` of statfs(2).
const BTRFS_MAGIC: u64 = 0x9123_683E;
/// The inode of the root of every subvolume.
const SUBVOLUME_INODE: u64 = 256;

/// Quotas of the data directory's file system, where it has them.
#[derive(Debug, Clone)]
pub struct DiskQuotas {
    program: Result<PathBuf, String>,
}

impl DiskQuotas {
    /// Looks at the file system of the data directory. Blocks.
    pub fn find(folder: &Path) -> Self {
        Self {
            program: find_program(folder),
        }
    }

    /// Why there are none.
    pub fn available(&self) -> Result<(), &str> {
        self.program.as_ref().map(drop).map_err(String::as_str)
    }

    /// Makes a cluster's folder one that can have a quota. Does nothing where there are none.
    pub fn make_root(&self, root: &Path) -> io::Result<()> {
        let Ok(program) = &self.program else {
            return Ok(());
        };
        run(
            program,
            &["subvolume".as_ref(), "create".as_ref(), root.as_os_str()],
        )
    }

    /// Limits everything below a cluster's folder. False if it was made without quotas.
    pub fn limit(&self, root: &Path, bytes: u64) -> io::Result<bool> {
        let Ok(program) = &self.program else {
            return Ok(false);
        };
        // A cluster that was created before quotas were enabled has an ordinary folder.
        if std::fs::symlink_metadata(root)?.ino() != SUBVOLUME_INODE {
            return Ok(false);
        }
        let bytes = bytes.to_string();
        run(
            program,
            &[
                "qgroup".as_ref(),
                "limit".as_ref(),
                bytes.as_ref(),
                root.as_os_str(),
            ],
        )?;
        Ok(true)
    }
}

fn find_program(folder: &Path) -> Result<PathBuf, String> {
    let stat = statfs(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    if u64::try_from(stat.f_type).ok() != Some(BTRFS_MAGIC) {
        return Err(
            "the file system of the data directory is not btrfs, the only one whose quotas \
         are used"
                .to_owned(),
        );
    }
    let rights =
        capabilities(None).map_err(|e| format!("the server's capabilities can't be read: {e}"))?;
    if !rights.effective.contains(CapabilitySet::SYS_ADMIN) {
        return Err(
            "the server may not set quotas (that needs CAP_SYS_ADMIN, which the service has not)"
                .to_owned(),
        );
    }
    let program = on_path(&["btrfs"], Some(Path::new("/usr/bin/btrfs")))
        .ok_or("there is no program btrfs; hint: install the package btrfs-progs")?;
    run(
        &program,
        &["qgroup".as_ref(), "show".as_ref(), folder.as_os_str()],
    )
    .map_err(|e| {
        format!(
            "quotas are off ({e}); hint: btrfs quota enable {}",
            folder.display()
        )
    })?;
    Ok(program)
}

fn run(program: &Path, args: &[&OsStr]) -> io::Result<()> {
    let output = Command::new(program)
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(
        words
            .lines()
            .next()
            .unwrap_or("btrfs failed without an error message")
            .to_owned(),
    ))
}
