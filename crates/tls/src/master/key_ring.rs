//! The master keys that are valid at one time, and the form of what they seal: a mark, the id of
//! the key, a random nonce, the ciphertext. Mark, id and the file's name are authenticated, so what
//! is sealed can be opened at its own place only.

use crate::seal::{seal, unseal};
use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

pub const KEY_LENGTH: usize = 32;
const ID_LENGTH: usize = 8;

/// Keys in a file: the current one, and during a rotation the one before it.
pub const KEYS_MAX: usize = 2;

/// First bytes of everything sealed. The format before it began with the nonce.
const MARK: &[u8; 4] = b"TGS1";

/// Salt of derived keys (RFC 5869). It separates them from the master key itself.
const DERIVE_SALT: &[u8] = b"tidegate derived key";

/// Purpose of the derivation of a key's id.
const ID_PURPOSE: &str = "id of the master key";

/// Id of a master key. It is derived from the key, begins every file that the key sealed, and is no
/// secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKeyId([u8; ID_LENGTH]);

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeyId({self})")
    }
}

/// A master key with what is computed from it.
pub struct RingKey {
    id: MasterKeyId,
    bytes: Zeroizing<[u8; KEY_LENGTH]>,
    sealing: RandomizedNonceKey,
}

impl RingKey {
    pub fn new(bytes: Zeroizing<[u8; KEY_LENGTH]>) -> Option<Self> {
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, &*bytes).ok()?;
        let mut id = [0; ID_LENGTH];
        derive(&bytes, ID_PURPOSE, &mut id)?;
        Some(Self {
            id: MasterKeyId(id),
            bytes,
            sealing,
        })
    }

    /// Returns the key for a purpose that is derived from this one.
    fn derived(&self, purpose: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        derive(&self.bytes, purpose, &mut *bytes)?;
        Self::new(bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != KEY_LENGTH {
            return None;
        }
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        key.copy_from_slice(bytes);
        Self::new(key)
    }
}

/// Length of a derived key.
struct DerivedLength(usize);

impl KeyType for DerivedLength {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(key: &[u8; KEY_LENGTH], purpose: &str, out: &mut [u8]) -> Option<()> {
    let deriving: Prk = Salt::new(HKDF_SHA256, DERIVE_SALT).extract(key);
    deriving
        .expand(&[purpose.as_bytes()], DerivedLength(out.len()))
        .ok()?
        .fill(out)
        .ok()
}

/// Name of what sealed some bytes, as they contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedBy {
    Key(MasterKeyId),
    /// The format before keys had an id, or no sealed bytes at all.
    Unnamed,
}

/// Returns which key sealed these bytes, without checking them.
pub fn sealed_by(sealed: &[u8]) -> SealedBy {
    sealed
        .strip_prefix(MARK)
        .and_then(|rest| rest.first_chunk::<ID_LENGTH>())
        .map_or(SealedBy::Unnamed, |id| SealedBy::Key(MasterKeyId(*id)))
}

/// Keys that open, the first of which also seals.
#[derive(Clone)]
pub struct KeyRing {
    current: Arc<RingKey>,
    /// The key before a rotation that is not complete.
    former: Option<Arc<RingKey>>,
}

impl KeyRing {
    pub fn new(current: RingKey) -> Self {
        Self {
            current: Arc::new(current),
            former: None,
        }
    }

    /// Parses the content of a key file: one key, or the current and the former one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (current, rest) = bytes.split_at_checked(KEY_LENGTH)?;
        let current = Arc::new(RingKey::parse(current)?);
        let former = match rest {
            [] => None,
            rest => Some(Arc::new(RingKey::parse(rest)?)),
        };
        Some(Self { current, former })
    }

    /// Returns the content of a key file with these keys.
    pub fn to_file(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(KEYS_MAX * KEY_LENGTH));
        for key in self.keys() {
            out.extend_from_slice(&*key.bytes);
        }
        out
    }

    /// Returns the ring that seals with a new key and opens with both.
    pub fn with_new(&self, new: RingKey) -> Self {
        Self {
            current: Arc::new(new),
            former: Some(self.current.clone()),
        }
    }

    /// Returns the ring without the former key.
    pub fn without_former(&self) -> Self {
        Self {
            current: self.current.clone(),
            former: None,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &RingKey> {
        std::iter::once(&*self.current).chain(self.former.as_deref())
    }

    pub fn id(&self) -> MasterKeyId {
        self.current.id
    }

    pub fn has_former(&self) -> bool {
        self.former.is_some()
    }

    pub fn knows(&self, id: MasterKeyId) -> bool {
        self.keys().any(|key| key.id == id)
    }

    /// Derives a key for a purpose from the current key.
    pub fn derive(&self, purpose: &str) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        derive(&self.current.bytes, purpose, &mut *key)?;
        Some(key)
    }

    /// Returns the keys for a purpose that are derived from these.
    pub fn derived(&self, purpose: &str) -> Option<Self> {
        let former = match &self.former {
            Some(former) => Some(Arc::new(former.derived(purpose)?)),
            None => None,
        };
        Some(Self {
            current: Arc::new(self.current.derived(purpose)?),
            former,
        })
    }

    /// Seals `plain` for the place of this name.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let head = [MARK.as_slice(), &self.current.id.0].concat();
        let bound = [&head, name.as_bytes()].concat();
        let sealed = seal(&self.current.sealing, &bound, plain)?;
        Some([head, sealed].concat())
    }

    /// Opens what was sealed for the place of this name.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let SealedBy::Key(id) = sealed_by(sealed) else {
            return None;
        };
        let key = self.keys().find(|key| key.id == id)?;
        let (head, rest) = sealed.split_at_checked(MARK.len() + ID_LENGTH)?;
        unseal(&key.sealing, &[head, name.as_bytes()].concat(), rest)
    }

    /// Opens what a version before key ids sealed for a purpose.
    pub fn unseal_unnamed(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.keys()
            .find_map(|key| unseal(&key.sealing, purpose.as_bytes(), sealed))
    }

    /// Seals as versions before key ids did, for tests of their files.
    #[cfg(test)]
    pub fn seal_unnamed(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        seal(&self.current.sealing, purpose.as_bytes(), plain).unwrap()
    }
}
