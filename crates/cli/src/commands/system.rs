//! System into which a service is installed: its files, and systemd's tools.

use crate::failure::Failure;
use crate::systemd_unit::MARK;
use crate::trust::tool;
use anyhow::{Context as _, Result};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Folder that exists if systemd is process 1: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

/// System to install into: the running one, or one in a folder.
pub struct System {
    pub root: PathBuf,
    /// Whether it is the system that runs this program.
    pub running: bool,
}

impl System {
    pub fn new(root: Option<&PathBuf>) -> Self {
        Self {
            root: root.cloned().unwrap_or_else(|| "/".into()),
            running: root.is_none(),
        }
    }

    pub fn file(&self, path: &str) -> PathBuf {
        tool::files_under(&self.root, Path::new(path))
    }

    pub fn check(&self, command: &str) -> Result<()> {
        if self.running && !Path::new(BOOTED).is_dir() {
            let hint = "run `tidegate serve` with this system's service manager; --print shows the \
                        unit";
            return Err(Failure::new("this system is not run by systemd", hint).into());
        }
        if self.running && !rustix::process::geteuid().is_root() {
            let hint = format!("run it as root: sudo tidegate service {command}");
            return Err(Failure::new("changing the system's services needs root", hint).into());
        }
        Ok(())
    }

    /// Runs a tool of systemd, with --root if the system is in a folder.
    pub fn tool(&self, name: &str, args: &[&str]) -> Result<()> {
        let program = tool::find(Path::new("/"), name).ok_or_else(|| {
            Failure::new(
                format!("{name} is not installed"),
                "install the package `systemd`",
            )
        })?;
        let root = format!("--root={}", self.root.display());
        let mut all = if self.running {
            Vec::new()
        } else {
            vec![root.as_str()]
        };
        all.extend_from_slice(args);
        tool::must(&program, &all, &[]).map(drop)
    }
}

/// Whether the file exists and is ours. A file of somebody else is an error.
pub fn is_ours(path: &Path) -> Result<bool> {
    match fs::read_to_string(path) {
        Ok(text) if text.starts_with(MARK) => Ok(true),
        Ok(_) => {
            let cause = format!(
                "{} was not made by `tidegate service install`",
                path.display()
            );
            Err(Failure::new(cause, "move the file away, then run the command again").into())
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).with_context(|| format!("reading {}", path.display())),
    }
}

/// Writes the whole file or nothing.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, text).with_context(|| format!("writing {}", path.display()))
}

fn write_atomically(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(&new, text)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
    fs::rename(&new, path)
}

/// Deletes a file of ours. Returns whether there was one.
pub fn delete_file(path: &Path) -> Result<bool> {
    if !is_ours(path)? {
        return Ok(false);
    }
    fs::remove_file(path).with_context(|| format!("deleting {}", path.display()))?;
    Ok(true)
}
