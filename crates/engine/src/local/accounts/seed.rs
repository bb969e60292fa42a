//! The hash of a new cluster's first password, kept from its creation until its engine has it. The
//! password itself is not stored, and the engine can't read the file.

use crate::local::accounts::init_sql::RootSeed;
use crate::local::folder::{Folder, sync_dir};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

fn file(folder: &Folder) -> PathBuf {
    folder.root().join("root-seed")
}

/// Twenty bytes of hash, then the name.
pub fn write(folder: &Folder, seed: &RootSeed) -> io::Result<()> {
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file(folder))?;
    out.write_all(&seed.stage2)?;
    out.write_all(seed.user.as_bytes())?;
    out.sync_all()
}

/// `None` once the engine has it.
pub fn read(folder: &Folder) -> io::Result<Option<RootSeed>> {
    let bytes = match fs::read(file(folder)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let (stage2, user) = bytes
        .split_first_chunk::<20>()
        .ok_or(io::ErrorKind::InvalidData)?;
    let user = String::from_utf8(user.to_vec()).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Some(RootSeed {
        user,
        stage2: *stage2,
        replace: false,
    }))
}

pub fn forget(folder: &Folder) -> io::Result<()> {
    fs::remove_file(file(folder))?;
    // Durable, so that after a power failure no start uses the hash again.
    sync_dir(folder.root())
}
