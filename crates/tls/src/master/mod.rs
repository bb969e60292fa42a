//! The master key, which seals the server's own secrets (ticket keys and ACME accounts) and from
//! which keys for other uses are derived. It is in one file, `master.key`, and never leaves the
//! machine.
//!
//! Every access to a sealed file goes through [`MasterKey::read`] and [`MasterKey::write`], so that
//! none is written with a key that a rotation removes at the same time.

mod key_ring;
mod rotate;

pub use key_ring::MasterKeyId;
pub use rotate::{FORMER_TICKETS_PURPOSE, Rotation, TICKETS_NAME};

use crate::error::TlsError;
use crate::lock::locked;
use crate::state::{self, SECRET_MODE};
use crate::state_folder::StateFolder;
use arc_swap::ArcSwap;
use key_ring::{KEY_LENGTH, KeyRing, RingKey, SealedBy, sealed_by};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tidegate_model::{PutIf, ValueVersion};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Use of a key that is derived from the master key. It changes only when the master key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubKey {
    /// The behaviour of logins whose prefix no cluster has.
    UnknownPrefixes,
    /// The hashes under which failed logins are counted.
    FailedLogins,
    /// Answers of the API in the store.
    Answers,
}

impl SubKey {
    /// Returns the purpose that the key is derived for. A changed text is another key.
    fn purpose(self) -> &'static str {
        match self {
            Self::UnknownPrefixes => "behaviour of unknown prefixes",
            Self::FailedLogins => "counts of failed logins",
            Self::Answers => "answers of the API",
        }
    }
}

/// A value that another master key sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignValue {
    pub name: String,
    pub key: MasterKeyId,
}

/// Content of a sealed value, if it could be opened, and the version that was read.
#[derive(Default)]
pub(crate) struct Unsealed {
    pub plain: Option<Zeroizing<Vec<u8>>>,
    pub version: Option<ValueVersion>,
}

/// The master key. Cheap to clone; all clones share one key. A process opens it once: a second
/// value would miss a rotation.
#[derive(Clone)]
pub struct MasterKey {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    /// Whether the service manager passes the file, which can't be written then.
    given: bool,
    /// Store that contains all sealed values.
    values: StateFolder,
    ring: ArcSwap<KeyRing>,
    id: watch::Sender<MasterKeyId>,
    /// Locked while a sealed file or the key file is written.
    writing: Mutex<()>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl MasterKey {
    /// Returns the path of a data folder's key file.
    pub fn path_in(data: &Path) -> PathBuf {
        data.join("master.key")
    }

    /// Reads the key of a data folder, or makes it if there is none. Completes a rotation that a
    /// crash interrupted. Blocks on the disk.
    ///
    /// # Errors
    /// If the file can't be read or written, or is no master key.
    pub fn open(data: &Path, values: StateFolder) -> Result<Self, TlsError> {
        let file = Self::path_in(data);
        // A symbolic link stays one: a rotation writes the file that it leads to.
        let file = file.canonicalize().unwrap_or(file);
        state::remove_unfinished(&file)?;
        let ring = match state::read_if_there(&file)? {
            Some(bytes) => parse(&file, &bytes)?,
            None => make(&file)?,
        };
        Ok(Self::of_ring(ring, file, false, values))
    }

    /// Reads a key that the service manager passes in a file. Blocks on the disk.
    ///
    /// # Errors
    /// If the file can't be read, or is no master key.
    pub fn open_given(file: &Path, values: StateFolder) -> Result<Self, TlsError> {
        let ring = parse(file, &state::read(file)?)?;
        Ok(Self::of_ring(ring, file.to_owned(), true, values))
    }

    fn of_ring(ring: KeyRing, file: PathBuf, given: bool, values: StateFolder) -> Self {
        let (id, _) = watch::channel(ring.id());
        let this = Self {
            inner: Arc::new(Inner {
                file,
                given,
                values,
                ring: ArcSwap::from_pointee(ring),
                id,
                writing: Mutex::default(),
            }),
        };
        if this.is_rotating() {
            // If the disk accepts nothing, both keys stay valid. The next start tries again.
            let _ = this.complete_rotation();
        }
        this
    }

    pub fn id(&self) -> MasterKeyId {
        self.inner.ring.load().id()
    }

    /// Returns a receiver that is notified when the key changes.
    pub fn watch_id(&self) -> watch::Receiver<MasterKeyId> {
        self.inner.id.subscribe()
    }

    /// Whether a rotation is not complete: the former key is still valid.
    pub fn is_rotating(&self) -> bool {
        self.inner.ring.load().has_former()
    }

    /// Whether the service manager passes the key.
    pub fn is_given(&self) -> bool {
        self.inner.given
    }

    /// Derives the key for a use.
    pub fn derive(&self, use_of: SubKey) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        self.inner.ring.load().derive(use_of.purpose())
    }

    /// Seals a record of the store for the place of this name, with the key for a use.
    pub fn seal_record(&self, use_of: SubKey, place: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let ring = self.inner.ring.load().derived(use_of.purpose())?;
        ring.seal(place, plain)
    }

    /// Opens a record that was sealed for the place of this name. `None` if that was with a key
    /// that is not known, such as the one before the last rotation.
    pub fn open_record(
        &self,
        use_of: SubKey,
        place: &str,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let ring = self.inner.ring.load().derived(use_of.purpose())?;
        ring.unseal(place, sealed)
    }

    /// Reads a sealed value. `None` if it is missing, or was sealed for another name or by a key
    /// that is not known. A value of a version before key ids, sealed for `former_purpose`, is
    /// written in today's form.
    pub(crate) fn read(
        &self,
        values: &StateFolder,
        name: &str,
        former_purpose: &str,
    ) -> Result<Unsealed, TlsError> {
        let _writing = locked(&self.inner.writing);
        let Some(sealed) = values.get(name)? else {
            return Ok(Unsealed::default());
        };
        let ring = self.inner.ring.load();
        let mut version = Some(sealed.version);
        let unchanged = PutIf::Unchanged(version);
        let plain = if sealed_by(&sealed.bytes) == SealedBy::Unnamed {
            let plain = ring.unseal_unnamed(former_purpose, &sealed.bytes);
            // If this fails, the next reading tries again.
            if let Some(plain) = &plain
                && let Ok(written) = write_locked(&ring, values, name, plain, unchanged)
            {
                version = written;
            }
            plain
        } else {
            ring.unseal(&values.whole_name(name), &sealed.bytes)
        };
        Ok(Unsealed { plain, version })
    }

    /// Seals `plain` and writes it on this condition. Returns the value's new version.
    pub(crate) fn write(
        &self,
        values: &StateFolder,
        name: &str,
        plain: &[u8],
        condition: PutIf,
    ) -> Result<Option<ValueVersion>, TlsError> {
        let _writing = locked(&self.inner.writing);
        write_locked(&self.inner.ring.load(), values, name, plain, condition)
    }

    /// Returns the sealed values that name a key other than this one: after a start with the wrong
    /// key, their content can't be used.
    pub fn foreign_values(&self) -> Result<Vec<ForeignValue>, TlsError> {
        let ring = self.inner.ring.load();
        let mut foreign = Vec::new();
        for name in self.sealed_names()? {
            let value = self.inner.values.get(&name)?;
            if let Some(SealedBy::Key(key)) = value.map(|value| sealed_by(&value.bytes))
                && !ring.knows(key)
            {
                foreign.push(ForeignValue { name, key });
            }
        }
        Ok(foreign)
    }
}

/// Seals and writes a value. `MasterKey::writing` is locked.
fn write_locked(
    ring: &KeyRing,
    values: &StateFolder,
    name: &str,
    plain: &[u8],
    condition: PutIf,
) -> Result<Option<ValueVersion>, TlsError> {
    let sealed = ring
        .seal(&values.whole_name(name), plain)
        .ok_or(TlsError::Seal)?;
    values.put(name, Some(&sealed), condition)
}

fn unusable(path: &Path) -> TlsError {
    TlsError::MasterKey(path.to_path_buf())
}

fn parse(file: &Path, bytes: &[u8]) -> Result<KeyRing, TlsError> {
    // Never replaced automatically: everything that the real key sealed would be lost.
    KeyRing::parse(bytes).ok_or_else(|| unusable(file))
}

/// Makes a key that no file has yet.
fn fresh(file: &Path) -> Result<RingKey, TlsError> {
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| unusable(file))?;
    RingKey::new(bytes).ok_or_else(|| unusable(file))
}

fn make(file: &Path) -> Result<KeyRing, TlsError> {
    let ring = KeyRing::new(fresh(file)?);
    // An existing folder keeps its mode: engines with their own uid must be able to enter the data
    // folder.
    if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
        state::private_folder(folder)?;
    }
    state::write_whole(file, &ring.to_file(), SECRET_MODE)?;
    Ok(ring)
}

#[cfg(test)]
#[path = "../master_tests.rs"]
mod tests;
