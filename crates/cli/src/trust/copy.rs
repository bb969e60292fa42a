//! Copy of a root for a tool that reads a file: the one in the data directory may change in
//! between, and other users can't read it there.

use super::store::store_name;
use anyhow::{Context, Result};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use tidegate_tls::LocalRoot;

/// Everyone may read a certificate.
const MODE: u32 = 0o644;

/// Temporary file with a root in PEM, deleted when it is dropped.
pub struct RootCopy {
    path: PathBuf,
}

impl RootCopy {
    pub fn new(root: &LocalRoot) -> Result<Self> {
        let path =
            std::env::temp_dir().join(format!("{}-{}.pem", store_name(root), std::process::id()));
        // Only a new file: an existing one may be another user's link.
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        let copy = Self { path };
        file.write_all(root.pem.as_bytes())
            .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(MODE)))
            .with_context(|| format!("writing {}", copy.path.display()))?;
        Ok(copy)
    }

    pub fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

impl Drop for RootCopy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
