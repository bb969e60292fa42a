//! Rotation of the master key. Its steps are writes of whole files, in this order: the key file
//! with the new and the former key; each sealed file again, by the new key; the key file with the
//! new key alone. After a crash between any two of them, both keys are in the key file or
//! everything is sealed by the one that is.

use super::key_ring::{KeyRing, MasterKeyId, SealedBy, sealed_by};
use super::{MasterKey, fresh, write_locked};
use crate::error::TlsError;
use crate::lock::locked;
use crate::state::{self, SECRET_MODE};
use std::sync::Arc;
use tidegate_model::PutIf;

/// Folders of the TLS state that contain sealed values.
const FOLDERS: [&str; 4] = ["tls", "acme", "console/tls", "console/acme"];

/// Name of the ticket keys, in the folder of the keys.
pub const TICKETS_NAME: &str = "tickets.sealed";

/// Purpose for which versions before key ids sealed ticket keys.
pub const FORMER_TICKETS_PURPOSE: &str = "session tickets";

/// Ending of the names of sealed files.
const ENDING: &str = ".sealed";

/// A complete rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    pub key: MasterKeyId,
    /// Number of files that the new key sealed again.
    pub resealed: usize,
    /// Files that neither key opens. They were left as they are.
    pub unreadable: Vec<String>,
}

impl MasterKey {
    /// Replaces the key by a new one and seals everything again. An interrupted rotation is
    /// completed instead. Blocks on the disk; sealed files are not read or written meanwhile.
    ///
    /// # Errors
    /// If the service manager passes the key, a file of a former version can't be sealed again, or
    /// a file can't be written. In the last case both keys stay valid, and the next call or start
    /// completes the rotation.
    pub fn rotate(&self) -> Result<Rotation, TlsError> {
        let _writing = locked(&self.inner.writing);
        if self.inner.given {
            return Err(TlsError::MasterKeyGiven(self.inner.file.clone()));
        }
        if !self.is_rotating() {
            self.begin_rotation()?;
        }
        self.reseal_and_forget()
    }

    /// Completes an interrupted rotation.
    pub(super) fn complete_rotation(&self) -> Result<Rotation, TlsError> {
        let _writing = locked(&self.inner.writing);
        self.reseal_and_forget()
    }

    /// Makes a new key valid beside the current one, which it replaces for sealing.
    pub(super) fn begin_rotation(&self) -> Result<(), TlsError> {
        self.check_unnamed()?;
        let ring = self.inner.ring.load().with_new(fresh(&self.inner.file)?);
        // On disk first: what is sealed by a key that no file has would be lost with the process.
        state::write_whole(&self.inner.file, &ring.to_file(), SECRET_MODE)?;
        self.use_ring(ring);
        Ok(())
    }

    fn reseal_and_forget(&self) -> Result<Rotation, TlsError> {
        let ring = self.inner.ring.load_full();
        let mut resealed = 0;
        let mut unreadable = Vec::new();
        for name in self.sealed_names()? {
            match self.reseal(&ring, &name)? {
                Resealed::Current => {}
                Resealed::Written => resealed += 1,
                Resealed::Unreadable => unreadable.push(name),
            }
        }
        // A key that the service manager passes is removed from its file by the operator.
        if !self.inner.given {
            self.forget_former(&ring)?;
        }
        Ok(Rotation {
            key: ring.id(),
            resealed,
            unreadable,
        })
    }

    /// Removes the former key.
    pub(super) fn forget_former(&self, ring: &KeyRing) -> Result<(), TlsError> {
        let alone = ring.without_former();
        state::write_whole(&self.inner.file, &alone.to_file(), SECRET_MODE)?;
        self.use_ring(alone);
        Ok(())
    }

    /// Seals a value by the current key, unless it is already.
    pub(super) fn reseal(&self, ring: &KeyRing, name: &str) -> Result<Resealed, TlsError> {
        let values = &self.inner.values;
        let Some(sealed) = values.get(name)? else {
            return Ok(Resealed::Current);
        };
        let plain = match sealed_by(&sealed.bytes) {
            SealedBy::Key(id) if id == ring.id() => return Ok(Resealed::Current),
            SealedBy::Key(_) => ring.unseal(&values.whole_name(name), &sealed.bytes),
            SealedBy::Unnamed => ring.unseal_unnamed(FORMER_TICKETS_PURPOSE, &sealed.bytes),
        };
        let Some(plain) = plain else {
            return Ok(Resealed::Unreadable);
        };
        let unchanged = PutIf::Unchanged(Some(sealed.version));
        write_locked(ring, values, name, &plain, unchanged)?;
        Ok(Resealed::Written)
    }

    fn use_ring(&self, ring: KeyRing) {
        let id = ring.id();
        self.inner.ring.store(Arc::new(ring));
        self.inner.id.send_if_modified(|known| {
            let changed = *known != id;
            *known = id;
            changed
        });
    }

    /// Refuses a rotation while there is an ACME account of a version before key ids. Such a file
    /// is bound to its CA's URL, which is known only while that CA is configured: a server that
    /// uses the CA has written it in today's form.
    fn check_unnamed(&self) -> Result<(), TlsError> {
        for name in self.sealed_names()? {
            let Some(sealed) = self.inner.values.get(&name)? else {
                continue;
            };
            let is_account = !name.ends_with(TICKETS_NAME);
            if is_account && sealed_by(&sealed.bytes) == SealedBy::Unnamed {
                return Err(TlsError::FormerAccount(name));
            }
        }
        Ok(())
    }

    /// Returns the names of all sealed values, sorted.
    pub(super) fn sealed_names(&self) -> Result<Vec<String>, TlsError> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            let names = self.inner.values.names(folder)?;
            found.extend(names.into_iter().filter(|name| name.ends_with(ENDING)));
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Result of sealing a file again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resealed {
    /// The current key had sealed it, or it is missing.
    Current,
    Written,
    Unreadable,
}
